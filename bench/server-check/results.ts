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

/** Opens the results of some kind of measurement. Those of other code, or of other settings, do not count. */
export function openResults(name: string, settings: object, compiledSources: string): Results {
  const path = join(folder, `${name}.json`);
  const key = fingerprint(settings, compiledSources);
  const epochs = read(path, key);
  return {
    epochs,
    add(epoch) {
      epochs.push(epoch);
      mkdirSync(dirname(path), { recursive: true });
      writeFileSync(path, JSON.stringify({ key, epochs }));
    },
  };
}

function read(path: string, key: string): Epoch[] {
  try {
    const stored = JSON.parse(readFileSync(path, "utf8")) as { key: string; epochs: Epoch[] };
    return stored.key === key ? stored.epochs : [];
  } catch (error) {
    if ((error as { code?: string }).code === "ENOENT") return [];
    throw error;
  }
}

/** Of the settings, of Node, and of every compiled source. */
function fingerprint(settings: object, compiledSources: string): string {
  const hash = createHash("sha256").update(JSON.stringify([settings, process.version]));
  const entries = readdirSync(compiledSources, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  for (const file of files.sort()) hash.update(file).update(readFileSync(file));
  return hash.digest("hex");
}
