// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

/** The time, and a way to be called later. Injected everywhere, so that tests own it. */
export interface Clock {
  /** Milliseconds since the Unix epoch. */
  now(): number;
  /**
   * Milliseconds that never go back, from an arbitrary start. A clock without it is taken at its word: a wall clock that is
   * set back then keeps tokens valid for longer than they are.
   */
  monotonic?(): number;
  /**
   * Calls `task` once, `delayMs` milliseconds from now, and returns a function that cancels it. A scheduled task does not
   * keep the process alive.
   */
  schedule(delayMs: number, task: () => void): () => void;
}

/** Milliseconds from an arbitrary start, for durations. */
export function elapsed(clock: Clock): number {
  return clock.monotonic?.() ?? clock.now();
}

// setTimeout fires at once for delays that do not fit into 31 bits.
const maxTimeoutMs = 2 ** 31 - 1;

/** The clock of the machine. */
export const systemClock: Clock = {
  now: () => Date.now(), // looked up each time: fake timers replace it
  monotonic: () => performance.now(),
  schedule(delayMs, task) {
    const dueAt = Date.now() + delayMs;
    const wait = (): NodeJS.Timeout => {
      const rest = dueAt - Date.now();
      return setTimeout(
        () => {
          if (rest > maxTimeoutMs) timer = wait();
          else task();
        },
        Math.min(Math.max(rest, 0), maxTimeoutMs),
      ).unref();
    };
    let timer = wait();
    return () => clearTimeout(timer);
  },
};
