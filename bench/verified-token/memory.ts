// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { setImmediate } from "node:timers/promises";
import { authorizeAll, createSetup, isSynchronous, type Setup } from "./candidate.js";

/** What it takes to hold verified tokens. */
export interface Memory {
  readonly tokens: number;
  readonly tokenLength: number;
  readonly megabytes: number;
  /** Whether tokens that were verified are held, so that the next call with one of them is decided without a promise. */
  readonly isHeld: boolean;
}

/** Verifies so many tokens, all different, and measures what stays. Needs --expose-gc. */
export async function measureMemory(tokens: number): Promise<Memory> {
  const setup = createSetup("ES256", 430);
  // At least half as many as it may hold are held at any time.
  const resourceServer = await setup.resourceServer({ maxCachedTokens: tokens * 2 });
  // The first tokens warm up what is compiled and cached on the way.
  for (const authorization of arrive(setup, 100)) await authorizeAll(resourceServer, 1, () => authorization);
  const before = await bytesInUse();
  let [first, last] = ["", ""];
  for (const authorization of arrive(setup, tokens)) {
    await authorizeAll(resourceServer, 1, () => authorization);
    first ||= authorization;
    last = authorization;
  }
  const after = await bytesInUse();
  return {
    tokens,
    tokenLength: last.length - "Bearer ".length,
    megabytes: (after - before) / 1e6,
    isHeld: isSynchronous(resourceServer, first) && isSynchronous(resourceServer, last),
  };
}

// As from a socket: a text of its own, not one that is put together of others.
function* arrive({ issuer }: Setup, count: number): Generator<string> {
  for (let index = 0; index < count; index += 1)
    yield Buffer.from(`Bearer ${issuer.mint()}`, "latin1").toString("latin1");
}

async function bytesInUse(): Promise<number> {
  for (let pass = 0; pass < 3; pass += 1) {
    globalThis.gc?.();
    await setImmediate();
  }
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}
