// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { mkdtempSync, renameSync, rmSync, symlinkSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";

/** A folder that is gone after the test. */
export function createFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "meshauth-credential-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

let age = 1_000_000;

/** Writes a file as if that were some time ago, and not as long ago as the one before. */
export function writeOld(path: string, text: string): void {
  writeFileSync(path, text);
  age -= 10;
  const time = Date.now() / 1000 - age;
  utimesSync(path, time, time);
}

/** Puts a folder in the place of another one, as Kubernetes does: by a symbolic link that is replaced. */
export function swapLink(link: string, target: string): void {
  symlinkSync(target, `${link}_tmp`);
  renameSync(`${link}_tmp`, link);
}
