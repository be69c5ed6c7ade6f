// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

/** How long to wait after so many failures: exponential, from 1 s on, with full jitter, below `maxMs` milliseconds. */
export function fullJitterMs(failures: number, maxMs: number, random: () => number): number {
  return random() * Math.min(maxMs, 1000 * 2 ** Math.min(failures, 20));
}
