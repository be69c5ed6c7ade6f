// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

// Imported, not global: fake timers of a test framework cannot stop this clock.
import { setImmediate } from "node:timers/promises";
import type { Clock } from "../platform/clock.js";

/** A clock that stands still until its test moves it. */
export interface TestClock extends Clock {
  /**
   * Lets so many milliseconds pass. Tasks that become due run in order, each at its own time. Promises settle before the
   * first task, after each one, and at the end; what waits for a socket or a file does not: await that in the test.
   *
   * Rejects with a RangeError if `ms` is negative or not finite, and with what a task throws.
   */
  advance(ms: number): Promise<void>;
  /**
   * Sets the wall clock forward by so many milliseconds, or back by a negative number, as NTP does. No time passes: no
   * task runs, and all of them stay due as long from now as before.
   *
   * Throws a RangeError if `ms` is not finite.
   */
  jump(ms: number): void;
  /** How many tasks wait to be run. */
  readonly pending: number;
}

interface Task {
  readonly dueAt: number;
  readonly run: () => void;
}

/**
 * Creates a clock that a test owns, to be handed over wherever meshauth takes a Clock. `startMs` is in milliseconds since
 * the Unix epoch. By default, the beginning of 2026.
 *
 * ```ts
 * const clock = createTestClock();
 * const tokens = createTokenSource({ issuer, clientId, credential, clock });
 * await clock.advance(240_000); // the token's soft refresh is due now
 * ```
 */
export function createTestClock(startMs: number = Date.UTC(2026, 0, 1)): TestClock {
  const tasks = new Set<Task>();
  let offset = startMs;
  let elapsed = 0;
  let goal = 0;

  // Due by `end`, the earliest first; of two that are due together, the one that was scheduled first.
  function takeNext(end: number): Task | undefined {
    let next: Task | undefined;
    for (const task of tasks) {
      if (task.dueAt <= end && (next === undefined || task.dueAt < next.dueAt)) next = task;
    }
    if (next !== undefined) tasks.delete(next);
    return next;
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
    async advance(ms) {
      if (!(ms >= 0 && Number.isFinite(ms)))
        throw new RangeError(`time does not pass by ${ms} ms; jump() sets the clock`);
      // From the last goal, not from now: two calls that overlap add up.
      goal += ms;
      const end = goal;
      try {
        await setImmediate();
        for (let task = takeNext(end); task !== undefined; task = takeNext(end)) {
          elapsed = Math.max(elapsed, task.dueAt);
          task.run();
          await setImmediate();
        }
      } finally {
        elapsed = Math.max(elapsed, end);
      }
      await setImmediate();
    },
    jump(ms) {
      if (!Number.isFinite(ms)) throw new RangeError(`the clock cannot be set by ${ms} ms; give a finite number`);
      offset += ms;
    },
    get pending() {
      return tasks.size;
    },
  };
}
