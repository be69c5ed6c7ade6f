// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { describe, expect, it } from "vitest";
import { createFakeClock } from "../../support/fake-clock.js";

describe("the fake clock of the tests", () => {
  it("runs tasks in the order in which they are due, each at its own time", () => {
    const clock = createFakeClock(0);
    const log: string[] = [];
    const note = (name: string) => () => log.push(`${name}@${clock.now()}`);
    clock.schedule(20, note("second"));
    clock.schedule(10, note("first"));
    clock.schedule(20, note("third"));
    clock.schedule(21, note("never"));
    clock.advance(20);
    expect(log).toEqual(["first@10", "second@20", "third@20"]);
    expect(clock.now()).toBe(20);
    expect(clock.pending).toBe(1);
  });

  it("runs what a task schedules, if it is due as well", () => {
    const clock = createFakeClock(0);
    const log: number[] = [];
    clock.schedule(10, () => clock.schedule(5, () => log.push(clock.now())));
    clock.advance(14);
    expect(log).toEqual([]);
    clock.advance(1);
    expect(log).toEqual([15]);
  });

  it("never runs a task before schedule() has returned, nor a cancelled one", () => {
    const clock = createFakeClock(0);
    const log: string[] = [];
    const cancel = clock.schedule(-5, () => log.push("cancelled"));
    clock.schedule(Number.NaN, () => log.push("not a number"));
    expect(log).toEqual([]);
    cancel();
    clock.advance(0);
    expect(log).toEqual(["not a number"]);
  });

  it("moves the wall clock without letting time pass", () => {
    const clock = createFakeClock(1000);
    const log: number[] = [];
    clock.schedule(10, () => log.push(clock.now()));
    clock.jump(-500);
    expect(clock.now()).toBe(500);
    clock.jump(3_600_000);
    clock.advance(9);
    expect(log).toEqual([]);
    clock.advance(1);
    expect(log).toEqual([3_600_510]);
  });

  it("lets promises settle between tasks when it runs", async () => {
    const clock = createFakeClock(0);
    const log: string[] = [];
    clock.schedule(1, () => void Promise.resolve().then(() => log.push(`promise@${clock.now()}`)));
    clock.schedule(2, () => log.push(`task@${clock.now()}`));
    await clock.run(5);
    expect(log).toEqual(["promise@1", "task@2"]);
  });

  it("does not go back in time", () => {
    expect(() => createFakeClock().advance(-1)).toThrow(RangeError);
  });
});
