// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { createHash } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { Epoch } from "./sample.js";

// Not below the compiled code: who measures again wants to begin where the last run stopped.
const folder = "bench/node_modules/.cache/server-check";

/** The epochs that were measured so far, of one kind, with one version of the code. */
export interface Results {
  readonly epochs: readonly Epoch[];
  add(epoch: Epoch): void;
}

/** Opens the results of some kind of measurement. Those of other code in these folders, or of other settings, do not count. */
export function openResults(name: string, settings: object, folders: readonly string[]): Results {
  const path = join(folder, `${name}-${fingerprint(settings, folders)}.json`);
  const epochs = read(path);
  return {
    epochs,
    add(epoch) {
      epochs.push(epoch);
      mkdirSync(dirname(path), { recursive: true });
      writeFileSync(path, JSON.stringify(epochs));
    },
  };
}

function read(path: string): Epoch[] {
  try {
    return JSON.parse(readFileSync(path, "utf8")) as Epoch[];
  } catch (error) {
    if ((error as { code?: string }).code === "ENOENT") return [];
    throw error;
  }
}

/** Of the settings, of Node, and of every file. */
function fingerprint(settings: object, folders: readonly string[]): string {
  const hash = createHash("sha256").update(JSON.stringify([settings, process.version]));
  const entries = folders.flatMap((each) => readdirSync(each, { recursive: true, withFileTypes: true }));
  const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  for (const file of files.sort()) hash.update(file).update(readFileSync(file));
  return hash.digest("hex").slice(0, 16);
}
