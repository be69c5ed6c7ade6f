// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { spawnSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { relative } from "node:path";
import { fileURLToPath } from "node:url";

// Below bench/node_modules, where the peers are found.
const outDir = "bench/node_modules/.cache/meshauth";

/**
 * Compiles the benchmarks as the package is compiled, and runs this script again, as JavaScript, with the same arguments.
 * Returns whether it did; it does not if the script is compiled already. What users run is what is to be measured; and
 * under tsx each dynamic import takes a trip through its loader, in real time, which fake time knows nothing of.
 */
export function runCompiled(url: string, nodeOptions: readonly string[] = []): boolean {
  const path = relative(".", fileURLToPath(url));
  if (path.endsWith(".js")) return false;
  mkdirSync(outDir, { recursive: true });
  writeFileSync(`${outDir}/package.json`, '{ "type": "module" }\n');
  run(process.execPath, ["node_modules/typescript/bin/tsc", ...compilerOptions(path)]);
  run(process.execPath, [...nodeOptions, `${outDir}/${path.replace(/\.ts$/, ".js")}`, ...process.argv.slice(2)]);
  return true;
}

function compilerOptions(path: string): string[] {
  const settings = "--ignoreConfig --target ES2023 --module NodeNext --skipLibCheck --noCheck --noEmitOnError false";
  return [...settings.split(" "), "--types", "node", "--rootDir", ".", "--outDir", outDir, path];
}

function run(command: string, args: readonly string[]): void {
  const { status, error } = spawnSync(command, args, { stdio: "inherit" });
  if (error !== undefined) throw error;
  if (status !== 0) process.exit(status ?? 1);
}
