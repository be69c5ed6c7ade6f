// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { createHook } from "node:async_hooks";
import { median } from "../lib/statistics.js";
import type { Candidate } from "./candidates.js";

/** What one call costs. */
export interface Cost {
  /** CPU time. */
  readonly nanoseconds: number;
  /** The median of the ratios to the first candidate, each of two batches that ran right after each other. */
  readonly ratio: number;
  readonly bytes: number;
  readonly promises: number;
}

const callsPerBatch = 40_000;
const rounds = 301;
const warmUpRounds = 50;

/** Times all candidates in turn, batch by batch, so that what disturbs the machine disturbs all of them. */
export async function measure(candidates: readonly Candidate[]): Promise<Cost[]> {
  const times: number[][] = candidates.map(() => []);
  for (let round = -warmUpRounds; round < rounds; round += 1) {
    for (const [index, candidate] of candidates.entries()) {
      const nanoseconds = await time(candidate);
      if (round >= 0) times[index]?.push(nanoseconds);
    }
  }
  const base = times[0] ?? [];
  const costs: Cost[] = [];
  for (const [index, candidate] of candidates.entries()) {
    const own = times[index] ?? [];
    costs.push({
      nanoseconds: median(own),
      ratio: median(own.map((nanoseconds, round) => nanoseconds / (base[round] ?? Number.NaN))),
      bytes: await heapBytes(candidate),
      promises: await countPromises(candidate),
    });
  }
  return costs;
}

// The CPU time of the process, not the time on the wall: it counts the collector's helper threads, which a busy machine
// would turn into waiting for some candidates and not for others.
async function time(candidate: Candidate): Promise<number> {
  const start = process.cpuUsage();
  await candidate.run(callsPerBatch);
  const { user, system } = process.cpuUsage(start);
  return ((user + system) * 1000) / callsPerBatch;
}

const callsPerHeapSample = 500;
const heapSamples = 51;

/** The growth of the heap per call, between two collections; needs --expose-gc. */
async function heapBytes(candidate: Candidate): Promise<number> {
  const samples: number[] = [];
  for (let sample = 0; sample < heapSamples; sample += 1) {
    globalThis.gc?.();
    const before = process.memoryUsage().heapUsed;
    await candidate.run(callsPerHeapSample);
    samples.push((process.memoryUsage().heapUsed - before) / callsPerHeapSample);
  }
  return median(samples);
}

const callsPerCount = 1000;

/** The promises that are made per call, those of `await` in the caller's loop included. */
async function countPromises(candidate: Candidate): Promise<number> {
  let promises = 0;
  const hook = createHook({
    init(_id, type) {
      if (type === "PROMISE") promises += 1;
    },
  }).enable();
  try {
    await candidate.run(callsPerCount);
  } finally {
    hook.disable();
  }
  return promises / callsPerCount;
}
