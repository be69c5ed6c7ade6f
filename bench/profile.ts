// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

// Where the time of servers went, from CPU profiles:
// npx tsx bench/server-check.ts --suites warm --epochs 1 --again --profile FOLDER
// npx tsx bench/profile.ts --calls NUMBER [--top 25] FOLDER/grpc-js-nothing.cpuprofile FOLDER/grpc-js-meshauth.cpuprofile
//
// Microseconds per call, each file a column; `calls` is (warm-up + rounds) x calls of the run that wrote the files.

import { readFileSync } from "node:fs";
import { basename } from "node:path";
import { parseArgs } from "node:util";
import { type CpuProfile, describeFrame, originOf, selfTimes } from "./lib/cpu-profile.js";
import { table } from "./lib/markdown.js";

const { values, positionals } = parseArgs({
  options: { calls: { type: "string", default: "1" }, top: { type: "string", default: "25" } },
  allowPositionals: true,
});
const profiles = positionals.map((path) => JSON.parse(readFileSync(path, "utf8")) as CpuProfile);
for (const keyOf of [originOf, describeFrame]) {
  const columns = profiles.map((profile) => new Map(selfTimes(profile, keyOf)));
  const last = [...(columns.at(-1) ?? [])].map(([key]) => key).slice(0, Number(values.top));
  const show = (time = 0): string => (time / Number(values.calls)).toFixed(2);
  const rows = last.map((key) => [key, ...columns.map((column) => show(column.get(key)))]);
  const head = ["self time, µs per call", ...positionals.map((path) => basename(path, ".cpuprofile"))];
  console.log(`\n${table(head, rows)}`);
}
