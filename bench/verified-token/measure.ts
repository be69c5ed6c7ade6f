// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { bootstrapMedian, type Estimate } from "../lib/bootstrap.js";
import { createSeededRandom } from "../lib/seeded-random.js";
import { median } from "../lib/statistics.js";
import type { Candidate } from "./candidate.js";

/** What one call costs. */
export interface Cost {
  readonly name: string;
  /** CPU time of the process, its helper threads included. */
  readonly microseconds: number;
  /** To the candidate that is the base, the median of the ratios of each round. */
  readonly ratio: Estimate;
}

/** Times all candidates in turn, batch by batch; the first one is the base. */
export async function measure(candidates: readonly Candidate[], rounds: number): Promise<Cost[]> {
  const times: number[][] = candidates.map(() => []);
  for (let round = -Math.ceil(rounds / 5); round < rounds; round += 1) {
    for (const [index, candidate] of candidates.entries()) {
      const microseconds = await time(candidate);
      if (round >= 0) times[index]?.push(microseconds);
    }
  }
  const base = times[0] ?? [];
  return candidates.map(({ name }, index) => {
    const own = times[index] ?? [];
    const ratios = own.map((microseconds, round) => microseconds / (base[round] ?? Number.NaN));
    return { name, microseconds: median(own), ratio: bootstrapMedian([ratios], createSeededRandom(1)) };
  });
}

async function time(candidate: Candidate): Promise<number> {
  await candidate.prepare?.();
  const start = process.cpuUsage();
  await candidate.run(candidate.calls);
  const { user, system } = process.cpuUsage(start);
  return (user + system) / candidate.calls;
}
