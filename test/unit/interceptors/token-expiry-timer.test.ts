// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { describe, expect, it } from "vitest";
import { TokenExpiryTimer } from "../../../src/interceptors/token-expiry-timer.js";
import { createFakeClock, type FakeClock } from "../../support/fake-clock.js";
import { errorOf } from "../../support/transports.js";

const expired = new Error("expired");

function start(ms: number): { readonly clock: FakeClock; readonly timer: TokenExpiryTimer } {
  const clock = createFakeClock();
  return { clock, timer: new TokenExpiryTimer(clock, clock.now() + ms, () => expired) };
}

describe("TokenExpiryTimer", () => {
  it("expires at its time, not before", () => {
    const { clock, timer } = start(1_000);
    clock.advance(999);
    expect(timer.expired).toBe(false);
    clock.advance(1);
    expect(timer.expired).toBe(true);
    expect(timer.signal.reason).toBe(expired);
  });

  it("expires at once if its time has passed already", () => {
    const { clock, timer } = start(-5);
    clock.advance(0);
    expect(timer.expired).toBe(true);
  });

  it("lets a wait end as its promise does", async () => {
    const { timer } = start(1_000);
    await expect(timer.race(Promise.resolve(7))).resolves.toBe(7);
    const failure = new Error("failure");
    expect(await errorOf(timer.race(Promise.reject(failure)))).toBe(failure);
  });

  it("ends a wait when it expires", async () => {
    const { clock, timer } = start(1_000);
    const wait = errorOf(timer.race(new Promise(() => {})));
    clock.advance(1_000);
    expect(await wait).toBe(expired);
  });

  it("ends a later wait when it expires, not an earlier one", async () => {
    const { clock, timer } = start(1_000);
    await expect(timer.race(Promise.resolve(1))).resolves.toBe(1);
    const second = errorOf(timer.race(new Promise(() => {})));
    clock.advance(1_000);
    expect(await second).toBe(expired);
  });

  it("does not even begin a wait once it has expired, and swallows how its promise ends", async () => {
    const { clock, timer } = start(1_000);
    clock.advance(1_000);
    expect(await errorOf(timer.race(Promise.resolve(7)))).toBe(expired);
    expect(await errorOf(timer.race(Promise.reject(new Error("failure"))))).toBe(expired);
  });

  it("does not expire once it is stopped, and leaves nothing behind", async () => {
    const { clock, timer } = start(1_000);
    timer.stop();
    expect(clock.pending).toBe(0);
    clock.advance(2_000);
    expect(timer.expired).toBe(false);
    await expect(timer.race(Promise.resolve(7))).resolves.toBe(7);
  });
});
