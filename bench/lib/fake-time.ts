// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import FakeTimers from "@sinonjs/fake-timers";
import type { Clock } from "../../src/index.js";

const realSetImmediate = setImmediate;

/** Time that passes only when told to, for everything in the process. */
export interface FakeTime {
  /** Lets time pass, runs the timers that become due, and lets what waited for them go on before time does. */
  pass(ms: number): Promise<void>;
  /** Gives the process its real time back. */
  end(): void;
}

/** Takes the time of the whole process over: Date, performance, and timers. setImmediate stays real, for settle(). */
export function fakeTime(now: number): FakeTime {
  const clock = FakeTimers.install({
    now,
    toFake: ["Date", "setTimeout", "clearTimeout", "setInterval", "clearInterval", "performance"],
  });
  return {
    async pass(ms) {
      const end = Date.now() + ms;
      while (Date.now() < end) {
        const rest = end - Date.now();
        clock.tick(clock.countTimers() === 0 ? rest : Math.min(rest, sliceMs));
        await settle();
      }
    },
    end: () => clock.uninstall(),
  };
}

const sliceMs = 10;

/** The process's time, real or fake, as meshauth takes it. Looks the globals up late, so that they can be replaced. */
export const processClock: Clock = {
  now: () => Date.now(),
  schedule(delayMs, task) {
    const timer = setTimeout(task, delayMs);
    return () => clearTimeout(timer);
  },
};

/** Lets every promise settle that waits for nothing but other promises. */
export function settle(): Promise<void> {
  return new Promise((resolve) => realSetImmediate(resolve));
}
