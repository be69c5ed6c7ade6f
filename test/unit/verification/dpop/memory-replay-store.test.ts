// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { describe, expect, it } from "vitest";
import { createMemoryReplayStore } from "../../../../src/verification/dpop/memory-replay-store.js";
import { createFakeClock } from "../../../support/fake-clock.js";

describe("a replay store in memory", () => {
  it("knows what it has seen, until that has expired", () => {
    const clock = createFakeClock();
    const store = createMemoryReplayStore({ clock });
    expect(store.add("a", 1_500)).toBe("new");
    clock.advance(1_499);
    expect(store.add("a", 1_500)).toBe("seen");
    expect(store.add("b", 1_500)).toBe("new");
    clock.advance(501);
    expect(store.add("a", 1_500)).toBe("new");
    expect(store.add("b", 1_500)).toBe("seen");
  });

  it("forgets nothing before its time, and at most a second after it", () => {
    for (const ttlMs of [1, 999, 1_000, 1_001, 70_000]) {
      for (const start of [0, 1, 500, 999]) {
        const clock = createFakeClock(Date.UTC(2026, 0, 1) + start);
        const store = createMemoryReplayStore({ clock });
        expect(store.add("a", ttlMs)).toBe("new");
        clock.advance(ttlMs - 1);
        expect(store.add("a", 1)).toBe("seen");
        clock.advance(1_001);
        expect(store.add("a", 1)).toBe("new");
      }
    }
  });

  it("does not forget what came again after it had expired", () => {
    const clock = createFakeClock();
    const store = createMemoryReplayStore({ clock });
    expect(store.add("a", 1_000)).toBe("new");
    clock.advance(2_000);
    expect(store.add("a", 60_000)).toBe("new");
    clock.advance(2_000);
    expect(store.add("a", 60_000)).toBe("seen");
  });

  it("is full rather than forgetful: nobody can push a proof out of it", () => {
    const clock = createFakeClock();
    const store = createMemoryReplayStore({ maxEntries: 2, clock });
    expect(store.add("a", 10_000)).toBe("new");
    expect(store.add("b", 5_000)).toBe("new");
    expect(store.add("c", 1_000)).toBe("full");
    expect(store.add("a", 10_000)).toBe("seen");
    clock.advance(5_000);
    expect(store.add("c", 10_000)).toBe("new");
    expect(store.add("a", 10_000)).toBe("seen");
    expect(store.add("d", 10_000)).toBe("full");
  });

  it("forgets nothing when the clock is set back", () => {
    const clock = createFakeClock();
    const store = createMemoryReplayStore({ clock });
    expect(store.add("a", 5_000)).toBe("new");
    clock.jump(-60_000);
    expect(store.add("a", 5_000)).toBe("seen");
    expect(store.add("b", 5_000)).toBe("new");
    clock.advance(5_000);
    expect(store.add("a", 5_000)).toBe("seen");
  });

  it("keeps no timer", () => {
    const clock = createFakeClock();
    expect(createMemoryReplayStore({ clock }).add("a", 5_000)).toBe("new");
    expect(clock.pending).toBe(0);
  });

  it.each([0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY])("cannot have %s entries", (maxEntries) => {
    expect(() => createMemoryReplayStore({ maxEntries })).toThrow(
      new TypeError(`maxEntries is ${maxEntries}; give a whole number above 0`),
    );
  });
});
