// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { describe, expect, it } from "vitest";
import { createCoolDown } from "../../../../src/verification/introspection/cool-down.js";
import { createFakeClock } from "../../../support/fake-clock.js";

function setUp(random: () => number = () => 1) {
  const clock = createFakeClock();
  return { clock, coolDown: createCoolDown(clock, random) };
}

const unwell = { message: "it is unwell", retryAfterMs: undefined };

describe("a cool-down", () => {
  it("says nothing as long as nothing failed", () => {
    const { coolDown } = setUp();
    expect(coolDown.refusal()).toBeUndefined();
    const attempt = coolDown.begin();
    expect(coolDown.refusal()).toBeUndefined();
    attempt.succeeded();
    expect(coolDown.refusal()).toBeUndefined();
  });

  it("refuses for a moment after a failure, with its cause and when to try again", () => {
    const { coolDown, clock } = setUp();
    const refusal = { reason: "AUTHORIZATION_SERVER_UNAVAILABLE", cause: "it is unwell", retryAfterMs: 1000 };
    expect(coolDown.begin().failed(unwell)).toEqual(refusal);
    expect(coolDown.refusal()).toEqual(refusal);
    clock.advance(999);
    expect(coolDown.refusal()).toEqual(refusal);
    clock.advance(1);
    expect(coolDown.refusal()).toBeUndefined();
  });

  it("grows with each failure in a row, to half a minute, and starts anew after a success", () => {
    const { coolDown, clock } = setUp();
    const pauses = Array.from({ length: 7 }, () => {
      const { retryAfterMs = 0 } = coolDown.begin().failed(unwell);
      clock.advance(retryAfterMs);
      return retryAfterMs;
    });
    expect(pauses).toEqual([1000, 2000, 4000, 8000, 16_000, 30_000, 30_000]);
    coolDown.begin().succeeded();
    expect(coolDown.begin().failed(unwell).retryAfterMs).toBe(1000);
  });

  it("is anything below that, at random", () => {
    const { coolDown, clock } = setUp(() => 0.25);
    coolDown.begin().failed(unwell);
    clock.advance(249);
    expect(coolDown.refusal()).toBeDefined();
    clock.advance(1);
    expect(coolDown.refusal()).toBeUndefined();
  });

  it("lets one request through when it is over, and all others when that succeeded", () => {
    const { coolDown, clock } = setUp();
    coolDown.begin().failed(unwell);
    clock.advance(1000);
    const probe = coolDown.begin();
    expect(coolDown.refusal()).toMatchObject({ cause: "it is unwell", retryAfterMs: 1000 });
    clock.advance(60_000);
    expect(coolDown.refusal()).toBeDefined();
    probe.succeeded();
    expect(coolDown.refusal()).toBeUndefined();
  });

  it("lets one request through again when the one before it failed", () => {
    const { coolDown, clock } = setUp();
    coolDown.begin().failed(unwell);
    clock.advance(1000);
    coolDown.begin().failed(unwell);
    clock.advance(1999);
    expect(coolDown.refusal()).toBeDefined();
    clock.advance(1);
    expect(coolDown.refusal()).toBeUndefined();
  });

  it("counts once what was under way together", () => {
    const { coolDown, clock } = setUp();
    const attempts = Array.from({ length: 32 }, () => coolDown.begin());
    for (const attempt of attempts) attempt.failed(unwell);
    clock.advance(1000);
    expect(coolDown.refusal()).toBeUndefined();
    expect(coolDown.begin().failed(unwell).retryAfterMs).toBe(2000);
  });

  it("is not made longer by what was under way before it and fails later", () => {
    const { coolDown, clock } = setUp();
    const slow = coolDown.begin();
    coolDown.begin().failed(unwell);
    clock.advance(900);
    slow.failed(unwell);
    clock.advance(100);
    expect(coolDown.refusal()).toBeUndefined();
  });

  it("says in whole milliseconds when to try again", () => {
    const { coolDown, clock } = setUp(() => 1 / 3);
    coolDown.begin().failed(unwell);
    clock.advance(1000);
    coolDown.begin().failed(unwell);
    clock.advance(1000);
    expect(coolDown.begin().failed(unwell).retryAfterMs).toBe(1334);
  });

  it("is over after a success, even if the clock was set back meanwhile", () => {
    const { coolDown, clock } = setUp();
    coolDown.begin().failed(unwell);
    clock.advance(1000);
    const probe = coolDown.begin();
    clock.jump(-500);
    probe.succeeded();
    expect(coolDown.refusal()).toBeUndefined();
  });

  it("is not ended by the success of what began before the failure", () => {
    const { coolDown } = setUp();
    const slow = coolDown.begin();
    coolDown.begin().failed(unwell);
    slow.succeeded();
    expect(coolDown.refusal()).toBeDefined();
  });

  it("does not let a second request through when one from before the failure fails", () => {
    const { coolDown, clock } = setUp();
    const slow = coolDown.begin();
    coolDown.begin().failed(unwell);
    clock.advance(1000);
    coolDown.begin();
    slow.failed(unwell);
    expect(coolDown.refusal()).toBeDefined();
  });

  it("lasts as long as the authorization server asks for, whoever is told", () => {
    const { coolDown, clock } = setUp();
    const others = [coolDown.begin(), coolDown.begin()];
    expect(coolDown.begin().failed({ ...unwell, retryAfterMs: 5000 }).retryAfterMs).toBe(5000);
    others[0]?.failed({ ...unwell, retryAfterMs: 90_000 });
    others[1]?.failed({ ...unwell, retryAfterMs: 7000 });
    clock.advance(89_999);
    expect(coolDown.refusal()).toBeDefined();
    clock.advance(1);
    expect(coolDown.refusal()).toBeUndefined();
  });

  it("does not last for longer than any cool-down when the clock is set back", () => {
    const { coolDown, clock } = setUp();
    coolDown.begin().failed(unwell);
    clock.jump(-3_600_000);
    expect(coolDown.refusal()).toBeUndefined();
    coolDown.begin().failed(unwell);
    clock.advance(1999);
    expect(coolDown.refusal()).toBeDefined();
    clock.advance(1);
    expect(coolDown.refusal()).toBeUndefined();
  });
});
