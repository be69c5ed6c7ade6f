// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { readFileSync, writeFileSync } from "node:fs";
import { replaceSection } from "./markdown.js";

// Scripts are started at the root of the repository.
const document = "docs/measurements.md";
const images = "docs/images";

/**
 * Shows a result and, if the script was started with `--write`, puts it into its section of docs/measurements.md.
 */
export function report(name: string, content: string): void {
  console.log(`\n${content}`);
  if (isWriting()) writeFileSync(document, replaceSection(readFileSync(document, "utf8"), name, content));
}

/** Puts an image into docs/images if the script was started with `--write`. */
export function reportImage(name: string, svg: string): void {
  if (isWriting()) writeFileSync(`${images}/${name}`, svg);
}

function isWriting(): boolean {
  return process.argv.includes("--write");
}
