// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { readFileSync } from "node:fs";

/** A file, given by its path from the root of the repository. */
export function readText(path: string): string {
  return readFileSync(new URL(`../../${path}`, import.meta.url), "utf8");
}

/** A code block of a Markdown file. */
export interface Snippet {
  readonly language: string;
  readonly code: string;
  /** The line of the file at which it starts, for messages. */
  readonly line: number;
}

/** The code blocks of a Markdown file, given by its path from the root of the repository. */
export function readSnippets(path: string): Snippet[] {
  const text = readText(path);
  return [...text.matchAll(/^( *)```(\w*)\n([\s\S]*?)^\1```$/gm)].map(
    ({ 1: indent = "", 2: language = "", 3: code = "", index }) => ({
      language,
      code: code.replaceAll(new RegExp(`^${indent}`, "gm"), ""),
      line: text.slice(0, index).split("\n").length,
    }),
  );
}

/** The one code block that starts with this line. */
export function snippetNamed(path: string, firstLine: string): string {
  const found = readSnippets(path).filter(({ code }) => code.startsWith(`${firstLine}\n`));
  const [snippet] = found;
  if (snippet === undefined || found.length > 1) throw new Error(`${path} has not exactly one ${firstLine}`);
  return snippet.code;
}
