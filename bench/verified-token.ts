// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

// What it costs to check a token that was verified before, to hold it, and to refuse one that is not good:
// npx tsx bench/verified-token.ts [--rounds 101] [--tokens 100000] [--parts warm,refusals,memory] [--write]

import { parseArgs } from "node:util";
import { runCompiled } from "./lib/compiled.js";
import { table } from "./lib/markdown.js";
import { report } from "./lib/report.js";
import type { Candidate } from "./verified-token/candidate.js";
import { type Cost, measure } from "./verified-token/measure.js";
import { measureMemory } from "./verified-token/memory.js";
import { refusalCandidates } from "./verified-token/refusals.js";
import { warmCandidates } from "./verified-token/warm.js";

if (!runCompiled(import.meta.url, ["--expose-gc"])) await main();

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      rounds: { type: "string", default: "101" },
      tokens: { type: "string", default: "100000" },
      parts: { type: "string", default: "warm,refusals,memory" },
      write: { type: "boolean", default: false },
    },
  });
  const parts = values.parts.split(",");
  const rounds = Number(values.rounds);
  if (parts.includes("warm")) await reportWarm(rounds);
  if (parts.includes("refusals")) {
    await reportRefusals("rs256", await refusalCandidates("RS256", 893), rounds);
    await reportRefusals("es256", await refusalCandidates("ES256", 430), rounds);
  }
  if (parts.includes("memory")) await reportMemory(Number(values.tokens));
}

async function reportWarm(rounds: number): Promise<void> {
  const costs = await measure(await warmCandidates(), rounds);
  const loops = costs.filter(({ name }) => name.startsWith("loop"));
  const rows = costs
    .filter((cost) => !loops.includes(cost))
    .map((cost) => {
      const loop = loops.find(({ name }) => cost.name.includes(name.slice("loop, ".length)));
      const net = cost.microseconds - (loop?.microseconds ?? 0);
      return [cost.name, cost.microseconds.toFixed(2), net.toFixed(2)];
    });
  report("verified-token-warm", table([`Node ${process.version}`, "CPU µs per call", "without the loop"], rows));
}

async function reportRefusals(name: string, candidates: readonly Candidate[], rounds: number): Promise<void> {
  const costs = await measure(candidates, rounds);
  const head = [`${name.toUpperCase()}, Node ${process.version}`, "CPU µs per call", "of a verification"];
  report(`verified-token-refusals-${name}`, table(head, costs.map(refusalRow)));
}

function refusalRow({ name, microseconds, ratio: { value, low, high } }: Cost, index: number): string[] {
  const ratio = index === 0 ? "1" : `${value.toFixed(3)} (${low.toFixed(3)}-${high.toFixed(3)})`;
  return [name, microseconds.toFixed(2), ratio];
}

async function reportMemory(wanted: number): Promise<void> {
  const { tokens, tokenLength, megabytes, isHeld } = await measureMemory(wanted);
  const head = ["verified tokens", "characters each", "MB", "bytes each", "held"];
  const bytes = ((megabytes * 1e6) / tokens).toFixed(0);
  const row = [tokens.toLocaleString("en"), String(tokenLength), megabytes.toFixed(1), bytes, isHeld ? "yes" : "no"];
  report("verified-token-memory", table(head, [row]));
}
