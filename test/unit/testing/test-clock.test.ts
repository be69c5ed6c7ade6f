// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { describe, expect, it, vi } from "vitest";
import { createTestClock } from "../../../src/testing.js";

describe("a test clock", () => {
  it("stands still until it is moved, and starts at the beginning of 2026 unless told otherwise", async () => {
    const clock = createTestClock();
    expect(new Date(clock.now()).toISOString()).toBe("2026-01-01T00:00:00.000Z");
    await clock.advance(1500);
    expect(clock.now()).toBe(Date.UTC(2026, 0, 1, 0, 0, 1, 500));
    expect(createTestClock(7).now()).toBe(7);
  });

  it("runs due tasks in order, each at its own time, and leaves the others", async () => {
    const clock = createTestClock(0);
    const ran: string[] = [];
    const note = (name: string) => () => void ran.push(`${name} at ${clock.now()}`);
    clock.schedule(30, note("c"));
    clock.schedule(10, note("a"));
    clock.schedule(10, note("b"));
    clock.schedule(31, note("d"));
    await clock.advance(30);
    expect(ran).toEqual(["a at 10", "b at 10", "c at 30"]);
    expect(clock.now()).toBe(30);
    expect(clock.pending).toBe(1);
  });

  it("runs tasks that a task schedules, if they become due in time", async () => {
    const clock = createTestClock(0);
    const times: number[] = [];
    const again = (): void => {
      times.push(clock.now());
      clock.schedule(10, again);
    };
    clock.schedule(10, again);
    await clock.advance(35);
    expect(times).toEqual([10, 20, 30]);
    expect(clock.pending).toBe(1);
  });

  it("lets promises settle before the first task, between tasks, and at the end", async () => {
    const clock = createTestClock(0);
    const log: string[] = [];
    const settles = async (name: string): Promise<void> => {
      for (let i = 0; i < 20; i += 1) await undefined;
      log.push(name);
    };
    void settles("before");
    clock.schedule(1, () => {
      log.push("first task");
      void settles("between");
    });
    clock.schedule(2, () => {
      log.push("second task");
      void settles("end");
    });
    await clock.advance(2);
    expect(log).toEqual(["before", "first task", "between", "second task", "end"]);
  });

  it("runs a task that is scheduled by a promise at the time of the task before it", async () => {
    const clock = createTestClock(0);
    const times: number[] = [];
    const later = async (): Promise<void> => {
      await undefined;
      clock.schedule(5, () => times.push(clock.now()));
    };
    clock.schedule(5, () => void later());
    await clock.advance(10);
    expect(times).toEqual([10]);
  });

  it("does not run a task that was cancelled, not even by a task that is due together with it", async () => {
    const clock = createTestClock(0);
    const task = vi.fn();
    clock.schedule(5, () => cancel());
    const cancel = clock.schedule(5, task);
    clock.schedule(5, task)();
    await clock.advance(5);
    expect(task).not.toHaveBeenCalled();
    expect(clock.pending).toBe(0);
  });

  it("never runs a task before schedule() returns, whatever the delay is", async () => {
    const clock = createTestClock(0);
    const task = vi.fn();
    for (const delay of [0, -5, Number.NaN]) clock.schedule(delay, task);
    expect(task).not.toHaveBeenCalled();
    await clock.advance(0);
    expect(task).toHaveBeenCalledTimes(3);
  });

  it.each([3600_000, -3600_000])("can be set by %d ms without running a task early or late", async (ms) => {
    const clock = createTestClock(0);
    const task = vi.fn();
    clock.schedule(10, task);
    clock.jump(ms);
    expect(clock.now()).toBe(ms);
    await clock.advance(9);
    expect(task).not.toHaveBeenCalled();
    await clock.advance(1);
    expect(task).toHaveBeenCalledOnce();
    expect(clock.now()).toBe(ms + 10);
  });

  it("adds up calls to advance() that overlap", async () => {
    const clock = createTestClock(0);
    const times: number[] = [];
    for (const delay of [4, 8, 12]) clock.schedule(delay, () => times.push(clock.now()));
    await Promise.all([clock.advance(5), clock.advance(5)]);
    expect(times).toEqual([4, 8]);
    expect(clock.now()).toBe(10);
  });

  it("rejects with what a task throws, and goes on after it", async () => {
    const clock = createTestClock(0);
    const later = vi.fn();
    clock.schedule(1, () => {
      throw new Error("a task failed");
    });
    clock.schedule(2, later);
    await expect(clock.advance(5)).rejects.toThrow("a task failed");
    expect(clock.now()).toBe(5);
    await clock.advance(0);
    expect(later).toHaveBeenCalledOnce();
  });

  it.each([-1, Number.NaN, Infinity])("refuses to let %d ms pass", async (ms) => {
    await expect(createTestClock().advance(ms)).rejects.toThrow(RangeError);
  });

  it.each([Number.NaN, Infinity])("refuses to be set by %d ms", (ms) => {
    expect(() => createTestClock().jump(ms)).toThrow(RangeError);
  });

  it("is not stopped by fake timers of the test framework", async () => {
    vi.useFakeTimers();
    try {
      const task = vi.fn();
      const clock = createTestClock();
      clock.schedule(1, task);
      await clock.advance(1);
      expect(task).toHaveBeenCalledOnce();
    } finally {
      vi.useRealTimers();
    }
  });
});
