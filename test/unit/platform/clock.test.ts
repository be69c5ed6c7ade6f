// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { systemClock } from "../../../src/platform/clock.js";

const day = 24 * 3600 * 1000;

describe("the system clock", () => {
  beforeEach(() => {
    vi.useFakeTimers({ now: Date.UTC(2026, 0, 1) });
  });

  afterEach(() => {
    vi.useRealTimers();
  });

  it("tells the time of the machine", () => {
    expect(systemClock.now()).toBe(Date.UTC(2026, 0, 1));
    vi.advanceTimersByTime(1234);
    expect(systemClock.now()).toBe(Date.UTC(2026, 0, 1) + 1234);
  });

  it("calls a task once, when its delay is over", () => {
    const task = vi.fn();
    systemClock.schedule(1000, task);
    vi.advanceTimersByTime(999);
    expect(task).not.toHaveBeenCalled();
    vi.advanceTimersByTime(1);
    expect(task).toHaveBeenCalledTimes(1);
    vi.advanceTimersByTime(day);
    expect(task).toHaveBeenCalledTimes(1);
  });

  it.each([0, -1, -1e12])("calls a task with a delay of %d ms soon, but not at once", (delay) => {
    const task = vi.fn();
    systemClock.schedule(delay, task);
    expect(task).not.toHaveBeenCalled();
    vi.advanceTimersByTime(1);
    expect(task).toHaveBeenCalledTimes(1);
  });

  it("does not call a task that was cancelled", () => {
    const task = vi.fn();
    const cancel = systemClock.schedule(1000, task);
    vi.advanceTimersByTime(999);
    cancel();
    vi.advanceTimersByTime(day);
    expect(task).not.toHaveBeenCalled();
    expect(vi.getTimerCount()).toBe(0);
  });

  it("does not mind a cancellation after the task", () => {
    const task = vi.fn();
    const cancel = systemClock.schedule(10, task);
    vi.advanceTimersByTime(10);
    cancel();
    expect(task).toHaveBeenCalledTimes(1);
  });

  it("waits longer than the 24.8 days that fit into one timer", () => {
    const task = vi.fn();
    systemClock.schedule(60 * day, task);
    vi.advanceTimersByTime(60 * day - 1);
    expect(task).not.toHaveBeenCalled();
    vi.advanceTimersByTime(1);
    expect(task).toHaveBeenCalledTimes(1);
  });

  it("waits exactly the longest time that fits into one timer", () => {
    const task = vi.fn();
    systemClock.schedule(2 ** 31 - 1, task);
    vi.advanceTimersByTime(2 ** 31 - 2);
    expect(task).not.toHaveBeenCalled();
    vi.advanceTimersByTime(1);
    expect(task).toHaveBeenCalledTimes(1);
  });

  it("cancels a long wait in its second timer", () => {
    const task = vi.fn();
    const cancel = systemClock.schedule(60 * day, task);
    vi.advanceTimersByTime(30 * day);
    cancel();
    expect(vi.getTimerCount()).toBe(0);
    vi.advanceTimersByTime(60 * day);
    expect(task).not.toHaveBeenCalled();
  });

  it("keeps to the delay when the wall clock is set forward or back meanwhile", () => {
    const task = vi.fn();
    systemClock.schedule(1000, task);
    vi.setSystemTime(Date.UTC(2026, 0, 2));
    vi.advanceTimersByTime(500);
    vi.setSystemTime(Date.UTC(2025, 0, 1));
    vi.advanceTimersByTime(499);
    expect(task).not.toHaveBeenCalled();
    vi.advanceTimersByTime(1);
    expect(task).toHaveBeenCalledTimes(1);
  });

  it("keeps no process alive, in its first timer or in a later one", () => {
    const setTimeout = vi.spyOn(globalThis, "setTimeout");
    const cancel = systemClock.schedule(60 * day, () => {});
    vi.advanceTimersByTime(30 * day);
    const timers = setTimeout.mock.results.map(({ value }) => value as NodeJS.Timeout);
    expect(timers).toHaveLength(2);
    expect(timers.map((timer) => timer.hasRef())).toEqual([false, false]);
    cancel();
  });
});
