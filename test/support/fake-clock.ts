// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import type { Clock } from "../../src/platform/clock.js";

/** A clock that stands still until its test moves it. */
export interface FakeClock extends Clock {
  /** Lets time pass and runs the tasks that become due, in order, each at its own time. */
  advance(ms: number): void;
  /** As advance(), and lets promises settle at each step: before the first task, after each one, and at the end. */
  run(ms: number): Promise<void>;
  /** Sets the wall clock forward or back, as NTP does. No time passes: tasks stay due as long from now as before. */
  jump(ms: number): void;
  /** How many tasks wait to be run. */
  readonly pending: number;
}

/** Creates a fake clock. `start` is in milliseconds since the Unix epoch; by default, the beginning of 2026. */
export function createFakeClock(start: number = Date.UTC(2026, 0, 1)): FakeClock {
  let elapsed = 0;
  let offset = start;
  const tasks = new Set<{ readonly dueAt: number; readonly run: () => void }>();

  // Due by `end`, the earliest first; of two that are due together, the one that was scheduled first.
  function takeNext(end: number): (() => void) | undefined {
    let next: { readonly dueAt: number; readonly run: () => void } | undefined;
    for (const task of tasks) {
      if (task.dueAt <= end && (next === undefined || task.dueAt < next.dueAt)) next = task;
    }
    if (next === undefined) return undefined;
    tasks.delete(next);
    elapsed = Math.max(elapsed, next.dueAt);
    return next.run;
  }

  function endAfter(ms: number): number {
    if (!(ms >= 0)) throw new RangeError(`time does not pass by ${ms} ms; use jump() for the wall clock`);
    return elapsed + ms;
  }

  return {
    now: () => offset + elapsed,
    monotonic: () => elapsed,
    schedule(delayMs, run) {
      // As setTimeout does, never before schedule() returns. NaN is due at once.
      const task = { dueAt: elapsed + Math.max(delayMs || 0, 0), run };
      tasks.add(task);
      return () => void tasks.delete(task);
    },
    advance(ms) {
      const end = endAfter(ms);
      for (let task = takeNext(end); task !== undefined; task = takeNext(end)) task();
      elapsed = end;
    },
    async run(ms) {
      const end = endAfter(ms);
      await settle();
      for (let task = takeNext(end); task !== undefined; task = takeNext(end)) {
        task();
        await settle();
      }
      elapsed = end;
      await settle();
    },
    jump(ms) {
      offset += ms;
    },
    get pending() {
      return tasks.size;
    },
  };
}

/** Lets every promise settle that waits for nothing but other promises. */
export function settle(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
