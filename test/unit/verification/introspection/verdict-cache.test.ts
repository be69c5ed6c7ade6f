// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { describe, expect, it } from "vitest";
import { unavailable, type Verdict } from "../../../../src/verification/introspection/verdict.js";
import { createVerdictCache, momentOf } from "../../../../src/verification/introspection/verdict-cache.js";
import { invalid } from "../../../../src/verification/refusal.js";
import { createFakeClock, type FakeClock } from "../../../support/fake-clock.js";

function setUp(maxTokens = 2) {
  const clock = createFakeClock();
  const cache = createVerdictCache(maxTokens, clock);
  const set = (key: string, verdict: Verdict, lifetimeMs = 60_000): void =>
    cache.set(key, verdict, momentOf(clock), clock.now() + lifetimeMs);
  return { clock, cache, set };
}

const active: Verdict = { claims: { sub: "a" }, usableUntil: 0 };
const inactive: Verdict = invalid("not active");

describe("a remembered verdict", () => {
  it("is there until its time is over, to the millisecond", () => {
    for (const verdict of [active, inactive]) {
      const { cache, clock, set } = setUp();
      set("a", verdict);
      expect(cache.get("a")).toBe(verdict);
      clock.advance(59_999);
      expect(cache.get("a")).toBe(verdict);
      clock.advance(1);
      expect(cache.get("a")).toBeUndefined();
    }
  });

  it("is none when its time was over before it came", () => {
    const { cache, set } = setUp();
    set("a", active, 0);
    set("b", active, -1000);
    expect([cache.get("a"), cache.get("b")]).toEqual([undefined, undefined]);
  });

  it("is replaced by the next one, active or not", () => {
    const { cache, set } = setUp();
    set("a", active);
    set("a", inactive);
    expect(cache.get("a")).toBe(inactive);
    set("a", active);
    expect(cache.get("a")).toBe(active);
  });

  it.each<[string, number]>([
    ["before it was asked for", -60_001],
    ["by a second", -1000],
  ])("does not live longer when the clock is set back, %s", (_, jump) => {
    const { cache, clock, set } = setUp();
    set("a", active);
    clock.advance(30_000);
    clock.jump(jump);
    clock.advance(29_999);
    const isFromFuture = jump < -30_000;
    expect(cache.get("a")).toBe(isFromFuture ? undefined : active);
    clock.advance(1);
    expect(cache.get("a")).toBeUndefined();
  });

  it("does not live longer when the machine slept, which the monotonic clock does not count", () => {
    const { cache, clock, set } = setUp();
    set("a", active);
    clock.jump(60_000);
    expect(cache.get("a")).toBeUndefined();
  });

  it("needs no monotonic clock", () => {
    const fake = createFakeClock();
    const clock: FakeClock = { ...fake, monotonic: undefined as never };
    const cache = createVerdictCache(1, clock);
    cache.set("a", active, momentOf(clock), clock.now() + 1000);
    expect(cache.get("a")).toBe(active);
    fake.jump(-1);
    expect(cache.get("a")).toBeUndefined();
    fake.jump(1);
    fake.advance(1000);
    expect(cache.get("a")).toBeUndefined();
  });

  it("of an active token is not pushed out by any number of others", () => {
    const { cache, set } = setUp();
    set("a", active);
    set("b", active);
    for (let index = 0; index < 1000; index += 1) {
      set(`made up ${index}`, index % 2 === 0 ? inactive : unavailable("it is unwell"));
    }
    expect([cache.get("a"), cache.get("b")]).toEqual([active, active]);
    expect(cache.get("made up 997")).toBeUndefined();
    expect(cache.get("made up 999")).toBeDefined();
  });

  it("is pushed out by enough active ones", () => {
    const { cache, set } = setUp();
    for (const key of ["a", "b", "c"]) set(key, active);
    expect([cache.get("a"), cache.get("b"), cache.get("c")]).toEqual([undefined, active, active]);
  });
});
