// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

// Prints what `npm run coverage` measured, by folder of src.
import { readFileSync } from "node:fs";
import { dirname, relative } from "node:path";

interface Counts {
  readonly total: number;
  readonly covered: number;
}

interface FileSummary {
  readonly lines: Counts;
  readonly branches: Counts;
  readonly functions: Counts;
}

const kinds = ["lines", "branches", "functions"] as const;
const summary = JSON.parse(readFileSync("coverage/coverage-summary.json", "utf8")) as Record<string, FileSummary>;
const folders = new Map<string, FileSummary[]>();
for (const [file, counts] of Object.entries(summary)) {
  if (file === "total") continue;
  const folder = dirname(relative(process.cwd(), file));
  folders.set(folder, [...(folders.get(folder) ?? []), counts]);
}
const rows = [...folders].sort().map(([folder, files]) => [
  folder,
  ...kinds.map((kind) => {
    const total = files.reduce((sum, file) => sum + file[kind].total, 0);
    const covered = files.reduce((sum, file) => sum + file[kind].covered, 0);
    return total === 0 ? "-" : `${((100 * covered) / total).toFixed(1)} % (${covered}/${total})`;
  }),
]);
for (const row of [["folder", ...kinds], ...rows]) {
  console.log(row.map((cell, index) => (index === 0 ? cell.padEnd(22) : cell.padStart(20))).join(""));
}
