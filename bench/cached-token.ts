// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

// What a call pays for a token that is cached: npx tsx bench/cached-token.ts [--write]

import { createCandidates } from "./cached-token/candidates.js";
import { measure } from "./cached-token/measure.js";
import { runCompiled } from "./lib/compiled.js";
import { table } from "./lib/markdown.js";
import { report } from "./lib/report.js";

if (!runCompiled(import.meta.url, ["--expose-gc"])) {
  const candidates = await createCandidates();
  const costs = await measure(candidates);
  const rows = costs.map(({ nanoseconds, ratio, bytes, promises }, index) => [
    candidates[index]?.name ?? "",
    ratio.toFixed(2),
    nanoseconds.toFixed(0),
    bytes.toFixed(0),
    promises.toFixed(0),
    candidates[index]?.isSynchronous() === true ? "yes" : "no",
  ]);
  const head = [
    `Node ${process.version}`,
    "CPU time, ratio",
    "CPU ns per call",
    "heap bytes per call",
    "promises per call",
    "synchronous",
  ];
  report(`cached-token-node-${process.versions.node.split(".")[0]}`, table(head, rows));
}
