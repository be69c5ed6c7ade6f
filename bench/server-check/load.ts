// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import type { MeasuredClient } from "./clients.js";

/** What a batch of calls showed. */
export interface BatchTimes {
  readonly elapsedMs: number;
  readonly latenciesMs: readonly number[];
}

/** Makes one call for each `authorization` header, so many at a time. Rejects if one of them fails. */
export async function runBatch(
  client: MeasuredClient,
  authorizations: readonly string[],
  inFlight: number,
): Promise<BatchTimes> {
  const latenciesMs = new Array<number>(authorizations.length).fill(0);
  let next = 0;
  const work = async (): Promise<void> => {
    while (next < authorizations.length) {
      const index = next++;
      const start = performance.now();
      await client.call(authorizations[index] ?? "");
      latenciesMs[index] = performance.now() - start;
    }
  };
  const start = performance.now();
  await Promise.all(Array.from({ length: Math.min(inFlight, authorizations.length) }, work));
  return { elapsedMs: performance.now() - start, latenciesMs };
}
