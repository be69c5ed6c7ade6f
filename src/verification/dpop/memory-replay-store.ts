// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { type Clock, systemClock } from "../../platform/clock.js";
import type { ReplayStore } from "./replay-store.js";

/** Options of createMemoryReplayStore(). */
export interface MemoryReplayStoreOptions {
  /** How many proofs are remembered at most. By default, 1,000,000: about 150 MB when they are all there. */
  readonly maxEntries?: number;
  /** The time. By default, the machine's. */
  readonly clock?: Clock;
}

const defaultMaxEntries = 1_000_000;
const bucketMs = 1_000;

/**
 * Creates a replay store in the memory of this process. It is for one replica: what another one has seen, it does not know.
 *
 * It forgets a proof when that has expired, and never before: while it is full of proofs that have not, it says so, and
 * calls with further proofs are refused. Were the oldest one forgotten instead, whoever sends enough calls could use a
 * proof again.
 *
 * Throws a TypeError if an option is wrong.
 */
export function createMemoryReplayStore(options: MemoryReplayStoreOptions = {}): ReplayStore {
  const { maxEntries = defaultMaxEntries, clock = systemClock } = options;
  if (!(Number.isInteger(maxEntries) && maxEntries > 0)) {
    throw new TypeError(`maxEntries is ${maxEntries}; give a whole number above 0`);
  }
  const expiries = new Map<string, number>();
  // By the second after which they have expired, so that nothing is searched for what is over.
  const buckets = new Map<number, string[]>();

  let forgottenAt = 0;

  function forgetExpired(now: number): void {
    const current = Math.floor(now / bucketMs);
    if (current === forgottenAt) return;
    forgottenAt = current;
    for (const [second, ids] of buckets) {
      if (second > current) continue;
      buckets.delete(second);
      for (const id of ids) expiries.delete(id);
    }
  }

  function keep(id: string, expiresAt: number): void {
    const second = Math.ceil(expiresAt / bucketMs);
    const bucket = buckets.get(second);
    if (bucket === undefined) buckets.set(second, [id]);
    else bucket.push(id);
    expiries.set(id, expiresAt);
  }

  return {
    add(id, ttlMs) {
      const now = clock.now();
      forgetExpired(now);
      if (expiries.has(id)) return "seen";
      if (expiries.size >= maxEntries) return "full";
      keep(id, now + ttlMs);
      return "new";
    },
  };
}
