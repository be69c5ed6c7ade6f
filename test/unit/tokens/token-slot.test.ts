// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { getEventListeners } from "node:events";
import { describe, expect, it } from "vitest";
import { ClientRequestFailure } from "../../../src/credentials/client-request-failure.js";
import type { AccessToken } from "../../../src/tokens/access-token.js";
import { TokenError } from "../../../src/tokens/token-error.js";
import { settle } from "../../support/fake-clock.js";
import { createSlotHarness, type SlotHarness, type SlotHarnessOptions, watch } from "./slot-harness.js";

const unwell = (retryAfterMs?: number): ClientRequestFailure =>
  new ClientRequestFailure("unavailable", "the token endpoint answered with HTTP 503", { retryAfterMs });

/** A slot that holds a token of 300 s, obtained now: soft refresh from 240 s on, margin from 270 s on. */
async function filled(options?: SlotHarnessOptions): Promise<SlotHarness & { readonly token: AccessToken }> {
  const harness = createSlotHarness(options);
  const first = watch(harness.slot.get());
  const token = await harness.grant(300_000);
  expect(first.outcome.token).toBe(token);
  return Object.defineProperty(harness, "token", { value: token }) as SlotHarness & { readonly token: AccessToken };
}

describe("a token slot with a fresh token", () => {
  it("hands out the same object at once, without a promise and without a request", async () => {
    const harness = await filled();
    const { slot, clock, token } = harness;
    for (const seconds of [0, 100, 139.999]) {
      clock.advance(seconds * 1000);
      expect(slot.get()).toBe(token);
      expect(slot.get({ deadline: clock.now() + 1, signal: new AbortController().signal })).toBe(token);
    }
    expect(harness.requests).toBe(1);
    expect(clock.pending).toBe(0);
  });

  it("does not believe the wall clock alone for longer than a second", async () => {
    const harness = await filled();
    harness.ask();
    // 250 s pass while the clock is set back by 220 s: by the wall, the token is 30 s old.
    harness.clock.advance(250_000);
    harness.clock.jump(-220_000);
    harness.ask();
    expect(harness.requests).toBe(2);
  });

  it("jitters the soft refresh with the randomness it is given", async () => {
    const early = await filled({ random: () => 0 });
    const late = await filled({ random: () => 0.999 });
    for (const harness of [early, late]) {
      harness.clock.advance(240_000);
      harness.ask();
    }
    expect(early.requests).toBe(2);
    expect(late.requests).toBe(1);
    late.clock.advance(15_000);
    late.ask();
    expect(late.requests).toBe(2);
  });

  it("refreshes as long before the expiry as it is told to", async () => {
    const harness = await filled({ refreshBeforeMs: 100_000 });
    harness.clock.advance(199_999);
    harness.ask();
    expect(harness.requests).toBe(1);
    harness.clock.advance(1);
    harness.ask();
    expect(harness.requests).toBe(2);
  });

  it("is not refreshed while nobody asks", async () => {
    const harness = await filled();
    await harness.clock.run(100 * 300_000);
    expect(harness.requests).toBe(1);
  });
});

describe("a token slot in the soft window", () => {
  it("refreshes once, behind its callers, who get the current token at once", async () => {
    const harness = await filled();
    harness.clock.advance(240_000);
    for (let call = 0; call < 100; call += 1) expect(harness.slot.get()).toBe(harness.token);
    expect(harness.requests).toBe(2);
    harness.clock.advance(29_999);
    expect(harness.slot.get()).toBe(harness.token);
    expect(harness.requests).toBe(2);
  });

  it("hands out the new token as soon as it is there", async () => {
    const harness = await filled();
    harness.clock.advance(240_000);
    harness.ask();
    const renewed = await harness.grant(300_000);
    expect(harness.slot.get()).toBe(renewed);
    harness.clock.advance(239_999);
    expect(harness.slot.get()).toBe(renewed);
    expect(harness.requests).toBe(2);
  });

  it("counts the lifetime of the new token from when it was asked for", async () => {
    const harness = await filled();
    harness.clock.advance(240_000);
    harness.ask();
    harness.clock.advance(20_000);
    await harness.grant(300_000);
    harness.clock.advance(219_999);
    harness.ask();
    expect(harness.requests).toBe(2);
    harness.clock.advance(1);
    harness.ask();
    expect(harness.requests).toBe(3);
  });

  it("keeps handing out the current token when the refresh fails, and leaves the server alone for a while", async () => {
    const harness = await filled({ random: () => 0.5 });
    harness.clock.advance(255_000);
    harness.ask();
    await harness.fail(unwell());
    harness.clock.advance(999);
    expect(harness.slot.get()).toBe(harness.token);
    expect(harness.requests).toBe(2);
    harness.clock.advance(1);
    expect(harness.slot.get()).toBe(harness.token);
    expect(harness.requests).toBe(3);
  });
});

describe("a token slot inside the margin", () => {
  it("lets callers wait for the new token", async () => {
    const harness = await filled();
    harness.clock.advance(270_000);
    const caller = watch(harness.slot.get());
    await harness.clock.run(999);
    expect(caller.outcome.state).toBe("pending");
    const renewed = await harness.grant(300_000);
    expect(caller.outcome.token).toBe(renewed);
    expect(harness.clock.pending).toBe(0);
  });

  it("starts waiting at the margin, not before", async () => {
    const harness = await filled();
    harness.clock.advance(269_999);
    expect(harness.slot.get()).toBe(harness.token);
    harness.clock.advance(1);
    expect(harness.slot.get()).toBeInstanceOf(Promise);
    expect(harness.requests).toBe(2);
  });

  it("gives callers the token that is still valid after one second", async () => {
    const harness = await filled();
    harness.clock.advance(270_000);
    const patient = watch(harness.slot.get());
    const withDeadline = watch(harness.slot.get({ deadline: harness.clock.now() + 60_000 }));
    await harness.clock.run(999);
    expect([patient.outcome.state, withDeadline.outcome.state]).toEqual(["pending", "pending"]);
    await harness.clock.run(1);
    expect(patient.outcome.token).toBe(harness.token);
    expect(withDeadline.outcome.token).toBe(harness.token);
    expect(harness.requests).toBe(2);
  });

  it("gives callers the token that is still valid after half of what their deadline leaves", async () => {
    const harness = await filled();
    harness.clock.advance(270_000);
    const caller = watch(harness.slot.get({ deadline: harness.clock.now() + 500 }));
    await harness.clock.run(249);
    expect(caller.outcome.state).toBe("pending");
    await harness.clock.run(1);
    expect(caller.outcome.token).toBe(harness.token);
  });

  it("does not hold up a caller whose deadline has passed", async () => {
    const harness = await filled();
    harness.clock.advance(270_000);
    const caller = watch(harness.slot.get({ deadline: harness.clock.now() - 500 }));
    await harness.clock.run(0);
    expect(caller.outcome.token).toBe(harness.token);
  });

  it("gives a caller the valid token when it is cancelled, while the others go on waiting", async () => {
    const harness = await filled();
    harness.clock.advance(270_000);
    const controller = new AbortController();
    const cancelled = watch(harness.slot.get({ signal: controller.signal }));
    const other = watch(harness.slot.get());
    controller.abort();
    await settle();
    expect(cancelled.outcome.token).toBe(harness.token);
    expect(other.outcome.state).toBe("pending");
    const renewed = await harness.grant(300_000);
    expect(other.outcome.token).toBe(renewed);
  });

  it("does not hold up a caller that was cancelled before it asked", async () => {
    const harness = await filled();
    harness.clock.advance(270_000);
    const caller = watch(harness.slot.get({ signal: AbortSignal.abort() }));
    await settle();
    expect(caller.outcome.token).toBe(harness.token);
    expect(harness.clock.pending).toBe(0);
  });

  it("leaves neither timer nor listener behind, however the wait ends", async () => {
    const harness = await filled();
    const controllers = [0, 1, 2].map(() => new AbortController());
    const [timedOut, answered, aborted] = controllers.map(({ signal }) => signal);
    harness.clock.advance(270_000);
    harness.ask({ signal: timedOut, deadline: harness.clock.now() + 2 });
    harness.ask({ signal: answered });
    harness.ask({ signal: aborted });
    expect(harness.clock.pending).toBe(3);
    await harness.clock.run(1);
    controllers[2]?.abort();
    await harness.grant(300_000);
    expect(harness.clock.pending).toBe(0);
    for (const { signal } of controllers) expect(getEventListeners(signal, "abort")).toEqual([]);
  });

  it("gives callers the token that is still valid as soon as the refresh fails, and at once during the back-off", async () => {
    const harness = await filled({ random: () => 0.5 });
    harness.clock.advance(270_000);
    const caller = watch(harness.slot.get());
    await harness.fail(unwell());
    expect(caller.outcome.token).toBe(harness.token);
    expect(harness.clock.pending).toBe(0);
    expect(harness.slot.get()).toBe(harness.token);
    expect(harness.requests).toBe(2);
  });

  it("waits for a refresh that began in the soft window instead of a second one", async () => {
    const harness = await filled();
    harness.clock.advance(240_000);
    harness.ask();
    harness.clock.advance(30_000);
    const caller = watch(harness.slot.get());
    expect(harness.requests).toBe(2);
    const renewed = await harness.grant(300_000);
    expect(caller.outcome.token).toBe(renewed);
  });
});

describe("a token slot in the last moments of its token", () => {
  it("lets nobody wait so long that the token expires meanwhile", async () => {
    const harness = await filled();
    harness.clock.advance(299_500);
    const caller = watch(harness.slot.get());
    await harness.clock.run(249);
    expect(caller.outcome.state).toBe("pending");
    await harness.clock.run(1);
    expect(caller.outcome.token).toBe(harness.token);
  });
});

describe("a token slot in the last 20 ms of its token", () => {
  it("hands it out at once: timers are no finer than that", async () => {
    const harness = await filled();
    harness.clock.advance(299_980);
    expect(harness.slot.get()).toBeInstanceOf(Promise);
    harness.clock.advance(1);
    expect(harness.slot.get()).toBe(harness.token);
    harness.clock.advance(18);
    expect(harness.slot.get()).toBe(harness.token);
    harness.clock.advance(1);
    expect(harness.slot.get()).toBeInstanceOf(Promise);
  });
});

describe("a token slot whose token expires while callers wait inside the margin, because a clock was set", () => {
  async function waiting(wait: { signal?: AbortSignal } = {}) {
    const harness = await filled();
    harness.clock.advance(299_500);
    const caller = watch(harness.slot.get({ signal: wait.signal }));
    harness.clock.jump(3_600_000);
    return { harness, caller };
  }

  it("does not hand out the expired token, but waits for the new one", async () => {
    const { harness, caller } = await waiting();
    await harness.clock.run(1000);
    expect(caller.outcome.state).toBe("pending");
    await harness.clock.run(5000);
    const renewed = await harness.grantUntil(harness.clock.now() + 300_000);
    expect(caller.outcome.token).toBe(renewed);
    expect(harness.requests).toBe(2);
  });

  it("survives a refresh that fails after everybody has stopped waiting for it", async () => {
    const unhandled: unknown[] = [];
    const note = (reason: unknown): void => void unhandled.push(reason);
    process.on("unhandledRejection", note);
    const controller = new AbortController();
    const harness = await filled();
    harness.clock.advance(299_500);
    const callers = [{ deadline: harness.clock.now() + 100 }, { signal: controller.signal }, {}].map((wait) =>
      watch(harness.slot.get(wait)),
    );
    await harness.clock.run(100);
    controller.abort();
    await harness.clock.run(1000);
    await harness.fail(unwell());
    await settle();
    process.off("unhandledRejection", note);
    expect(callers.map(({ outcome }) => outcome.state)).toEqual(["token", "token", "token"]);
    expect(unhandled).toEqual([]);
  });

  it("reports why the refresh failed", async () => {
    const { harness, caller } = await waiting();
    await harness.clock.run(800);
    await harness.fail(unwell());
    expect(caller.outcome.error).toMatchObject({ kind: "unavailable", attempt: 1 });
  });

  it("ends with an error for a caller that is cancelled after the expiry", async () => {
    const controller = new AbortController();
    const { harness, caller } = await waiting({ signal: controller.signal });
    await harness.clock.run(800);
    controller.abort();
    await settle();
    expect(caller.outcome.error).toMatchObject({ kind: "cancelled" });
    expect(harness.open).toBe(1);
  });

  it.each([
    ["to its expiry", 29_000],
    ["far beyond", 3_600_000],
  ])("does not hand it out after the wall clock was set forward %s", async (_, jump) => {
    const harness = await filled();
    harness.clock.advance(270_000);
    const caller = watch(harness.slot.get());
    harness.clock.jump(jump);
    await harness.clock.run(1000);
    expect(caller.outcome.state).toBe("pending");
    const renewed = await harness.grantUntil(harness.clock.now() + 300_000);
    expect(caller.outcome.token).toBe(renewed);
  });
});

describe("a token slot without a valid token", () => {
  it("makes one request for a thousand callers", async () => {
    const harness = createSlotHarness();
    const callers = Array.from({ length: 1000 }, () => watch(harness.slot.get()));
    expect(harness.requests).toBe(1);
    const token = await harness.grant(300_000);
    expect(callers.every(({ outcome }) => outcome.token === token)).toBe(true);
    expect(harness.requests).toBe(1);
  });

  it("lets a thousand callers fail with one request", async () => {
    const harness = createSlotHarness();
    const callers = Array.from({ length: 1000 }, () => watch(harness.slot.get()));
    await harness.fail(unwell());
    expect(callers.every(({ outcome }) => outcome.error?.attempt === 1)).toBe(true);
    expect(harness.requests).toBe(1);
  });

  it("does not hand out a token from the very moment of its expiry", async () => {
    const harness = await filled();
    harness.clock.advance(299_999);
    const inTime = watch(harness.slot.get({ deadline: harness.clock.now() }));
    await harness.clock.run(0);
    expect(inTime.outcome.token).toBe(harness.token);
    await harness.clock.run(1);
    const late = watch(harness.slot.get());
    await harness.clock.run(1_000_000);
    expect(late.outcome.state).toBe("pending");
  });

  it("ends the wait of the caller that is cancelled, and only that", async () => {
    const harness = createSlotHarness();
    const controller = new AbortController();
    const cancelled = watch(harness.slot.get({ signal: controller.signal }));
    const other = watch(harness.slot.get({ signal: new AbortController().signal }));
    controller.abort();
    await settle();
    expect(cancelled.outcome.error).toBeInstanceOf(TokenError);
    expect(cancelled.outcome.error?.kind).toBe("cancelled");
    expect(other.outcome.state).toBe("pending");
    const token = await harness.grant(300_000);
    expect(other.outcome.token).toBe(token);
    expect(harness.slot.get()).toBe(token);
    expect(harness.requests).toBe(1);
  });

  it("ends the wait of the caller whose deadline passes, and only that", async () => {
    const harness = createSlotHarness();
    const hurried = watch(harness.slot.get({ deadline: harness.clock.now() + 100 }));
    const other = watch(harness.slot.get({ deadline: harness.clock.now() + 200 }));
    await harness.clock.run(99);
    expect(hurried.outcome.state).toBe("pending");
    await harness.clock.run(1);
    expect(hurried.outcome.error).toMatchObject({ kind: "cancelled", code: "ERR_MESHAUTH_TOKEN" });
    expect(hurried.outcome.error?.message).toContain("the deadline passed");
    expect(other.outcome.state).toBe("pending");
    const token = await harness.grant(300_000);
    expect(other.outcome.token).toBe(token);
  });

  it("fails for a caller that was cancelled before it asked", async () => {
    const harness = createSlotHarness();
    const caller = watch(harness.slot.get({ signal: AbortSignal.abort(), deadline: harness.clock.now() + 5000 }));
    await settle();
    expect(caller.outcome.error?.kind).toBe("cancelled");
    expect(harness.clock.pending).toBe(0);
  });

  it("says in the error of a cancelled wait what was asked for, of whom, how often, and what went wrong before", async () => {
    const harness = createSlotHarness();
    harness.ask();
    await harness.fail(unwell());
    harness.clock.advance(1);
    const controller = new AbortController();
    const caller = watch(harness.slot.get({ signal: controller.signal }));
    controller.abort(new Error("the reason of the caller"));
    await settle();
    const { error } = caller.outcome;
    expect(error).toMatchObject({
      kind: "cancelled",
      issuer: "https://login.test",
      clientId: "order-service",
      audience: "payments",
      scopes: ["payments:read", "payments:write"],
      attempt: 2,
    });
    for (const part of ["https://login.test", "payments", "payments:read payments:write", "attempt 2", "HTTP 503"]) {
      expect(error?.message).toContain(part);
    }
    expect(error?.message).toContain("cancelled or ran out of time");
  });

  it("mentions no failure from before a success", async () => {
    const harness = createSlotHarness();
    harness.ask();
    await harness.fail(unwell());
    harness.clock.advance(1);
    harness.ask();
    await harness.grant(1000);
    harness.clock.advance(1000);
    const caller = watch(harness.slot.get({ signal: AbortSignal.abort() }));
    await settle();
    expect(caller.outcome.error?.message).toMatch(/\(attempt 1\): .* while the token was requested$/);
  });

  it("knows no deadline for a caller that has only a signal", async () => {
    const harness = createSlotHarness();
    const caller = watch(harness.slot.get({ signal: new AbortController().signal }));
    expect(harness.clock.pending).toBe(0);
    await harness.clock.run(1_000_000);
    expect(caller.outcome.state).toBe("pending");
  });

  it("mentions no earlier failure where there was none", async () => {
    const harness = createSlotHarness();
    const caller = watch(harness.slot.get({ signal: AbortSignal.abort() }));
    await settle();
    expect(caller.outcome.error?.message).toMatch(/\(attempt 1\): .* while the token was requested$/);
  });

  it("leaves neither timer nor listener behind, however the wait ends", async () => {
    for (const end of ["token", "failure", "abort", "deadline"]) {
      const harness = createSlotHarness();
      const controller = new AbortController();
      const deadline = harness.clock.now() + 1000;
      const caller = watch(harness.slot.get({ signal: controller.signal, deadline }));
      expect(getEventListeners(controller.signal, "abort")).toHaveLength(1);
      expect(harness.clock.pending).toBe(1);
      if (end === "token") await harness.grant(300_000);
      if (end === "failure") await harness.fail(unwell());
      if (end === "abort") controller.abort();
      if (end === "deadline") await harness.clock.run(1000);
      await settle();
      expect(caller.outcome.state).toBe(end === "token" ? "token" : "error");
      expect(getEventListeners(controller.signal, "abort")).toEqual([]);
      expect(harness.clock.pending).toBe(0);
    }
  });

  it("goes on with a request that all of its callers have given up on", async () => {
    const harness = createSlotHarness();
    harness.ask({ deadline: harness.clock.now() + 1 });
    await harness.clock.run(1);
    const token = await harness.grant(300_000);
    expect(harness.slot.get()).toBe(token);
  });

  it("asks again after a request that nobody waited for has failed", async () => {
    const harness = createSlotHarness();
    harness.ask({ deadline: harness.clock.now() + 1 });
    await harness.clock.run(1);
    await harness.fail(unwell());
    const caller = watch(harness.slot.get());
    await harness.grant(300_000);
    expect(caller.outcome.state).toBe("token");
  });
});

describe("a token slot after a failure", () => {
  it("fails at once with what it knows until the back-off is over, then asks again", async () => {
    const harness = createSlotHarness({ random: () => 0.5 });
    const first = watch(harness.slot.get());
    await harness.fail(unwell());
    expect(first.outcome.error).toMatchObject({ kind: "unavailable", attempt: 1, oauthError: undefined });
    await harness.clock.run(999);
    const second = watch(harness.slot.get({ deadline: harness.clock.now() + 60_000 }));
    await settle();
    expect(second.outcome.error).toBe(first.outcome.error);
    expect(harness.requests).toBe(1);
    await harness.clock.run(1);
    const third = watch(harness.slot.get());
    expect(harness.requests).toBe(2);
    await harness.fail(unwell());
    expect(third.outcome.error).toMatchObject({ attempt: 2 });
  });

  it("backs off longer with each failure in a row, and starts over after a success", async () => {
    const harness = createSlotHarness({ random: () => 0.5 });
    const failAgain = async (): Promise<number | undefined> => {
      const caller = watch(harness.slot.get());
      await harness.fail(unwell());
      return caller.outcome.error?.attempt;
    };
    for (const [index, pause] of [1000, 2000, 4000, 8000, 16_000, 30_000, 30_000].entries()) {
      expect(await failAgain()).toBe(index + 1);
      const requests = harness.requests;
      await harness.clock.run(pause - 1);
      harness.ask();
      expect(harness.requests).toBe(requests);
      await harness.clock.run(1);
    }
    harness.ask();
    await harness.grant(300_000);
    harness.clock.advance(300_000);
    const caller = watch(harness.slot.get());
    await harness.fail(unwell());
    expect(caller.outcome.error?.attempt).toBe(1);
  });

  it("backs off for half of the token's lifetime at most", async () => {
    const harness = createSlotHarness({ random: () => 0.999_999 });
    harness.ask();
    await harness.grant(2000);
    harness.clock.advance(2000);
    harness.ask();
    await harness.fail(unwell());
    harness.ask();
    expect(harness.requests).toBe(2);
    harness.clock.advance(1000);
    harness.ask();
    expect(harness.requests).toBe(3);
  });

  it("waits as long as the server's Retry-After says", async () => {
    const harness = createSlotHarness({ random: () => 0.999 });
    harness.ask();
    await harness.fail(unwell(120_000));
    harness.clock.advance(119_999);
    harness.ask();
    expect(harness.requests).toBe(1);
    harness.clock.advance(1);
    harness.ask();
    expect(harness.requests).toBe(2);
  });

  it("hands out a valid token all through a Retry-After", async () => {
    const harness = await filled();
    harness.clock.advance(240_000);
    harness.ask();
    await harness.fail(unwell(300_000));
    harness.clock.advance(59_999);
    expect(harness.slot.get()).toBe(harness.token);
    harness.clock.advance(1);
    const caller = watch(harness.slot.get());
    await settle();
    expect(caller.outcome.error?.kind).toBe("unavailable");
    expect(harness.requests).toBe(2);
  });

  it("passes on the OAuth error of a refusal", async () => {
    const harness = createSlotHarness();
    const caller = watch(harness.slot.get());
    await harness.fail(
      new ClientRequestFailure("refused", "the token endpoint refused: invalid_scope", { oauthError: "invalid_scope" }),
    );
    expect(caller.outcome.error).toMatchObject({ kind: "refused", oauthError: "invalid_scope", attempt: 1 });
    expect(caller.outcome.error?.message).toContain("invalid_scope");
  });

  it("shows nothing of an error that it does not know", async () => {
    const harness = createSlotHarness();
    const caller = watch(harness.slot.get());
    await harness.fail(new TypeError("s3cr3t", { cause: new Error("s3cr3t") }));
    expect(caller.outcome.error).toBeInstanceOf(TokenError);
    expect(caller.outcome.error).toMatchObject({ kind: "refused" });
    expect(caller.outcome.error?.message).toContain("check the credential");
    expect(caller.outcome.error?.stack).not.toContain("s3cr3t");
    expect("cause" in (caller.outcome.error ?? {})).toBe(false);
  });

  it("asks again when the wall clock is set back further than any back-off", async () => {
    const harness = createSlotHarness({ random: () => 0.5 });
    harness.ask();
    await harness.fail(unwell());
    harness.clock.jump(-3_600_000);
    harness.ask();
    expect(harness.requests).toBe(2);
  });

  it("holds out a Retry-After of five minutes, the longest there is, to its end", async () => {
    const harness = createSlotHarness();
    harness.ask();
    await harness.fail(unwell(300_000));
    harness.ask();
    expect(harness.requests).toBe(1);
    harness.clock.advance(299_999);
    harness.ask();
    expect(harness.requests).toBe(1);
  });
});

describe("a token slot whose authorization server hands out the same token again", () => {
  it("asks again at half of the remaining life, each time", async () => {
    const harness = await filled();
    const { expiresAt } = harness.token;
    harness.clock.advance(240_000);
    harness.ask();
    await harness.grantUntil(expiresAt); // 60 s left
    for (const rest of [60_000, 30_000]) {
      const { requests } = harness;
      harness.clock.advance(rest / 2 - 1);
      expect((harness.slot.get() as AccessToken).expiresAt).toBe(expiresAt);
      expect(harness.requests).toBe(requests);
      harness.clock.advance(1);
      harness.ask();
      expect(harness.requests).toBe(requests + 1);
      await harness.grantUntil(expiresAt);
    }
  });

  it("does the same if the new token expires even earlier", async () => {
    const harness = await filled();
    harness.clock.advance(240_000);
    harness.ask();
    await harness.grantUntil(harness.token.expiresAt - 20_000); // 40 s left
    harness.clock.advance(19_999);
    harness.ask();
    expect(harness.requests).toBe(2);
    harness.clock.advance(1);
    harness.ask();
    expect(harness.requests).toBe(3);
  });

  it("takes an expiry that advances by less than a second for the same one", async () => {
    const harness = await filled();
    harness.clock.advance(240_000);
    harness.ask();
    await harness.grantUntil(harness.token.expiresAt + 999);
    harness.clock.advance(30_498);
    harness.ask();
    expect(harness.requests).toBe(2);
    harness.clock.advance(2);
    harness.ask();
    expect(harness.requests).toBe(3);
  });

  it("goes back to the ordinary schedule when the expiry advances by a second", async () => {
    const harness = await filled();
    harness.clock.advance(240_000);
    harness.ask();
    await harness.grantUntil(harness.token.expiresAt + 1000); // 61 s left: soft refresh 12.2 s before the expiry
    harness.clock.advance(48_799);
    harness.ask();
    expect(harness.requests).toBe(2);
    harness.clock.advance(1);
    harness.ask();
    expect(harness.requests).toBe(3);
  });
});

describe("a token that has expired on arrival", () => {
  it("is refused", async () => {
    const harness = createSlotHarness();
    const caller = watch(harness.slot.get());
    await harness.grant(0);
    expect(caller.outcome.error).toMatchObject({ kind: "refused", attempt: 1 });
    expect(caller.outcome.error?.message).toContain("has expired already");
  });

  it("is refused if it expired while it was on its way", async () => {
    const harness = createSlotHarness();
    const caller = watch(harness.slot.get());
    harness.clock.advance(5000);
    await harness.grant(5000);
    expect(caller.outcome.error?.kind).toBe("refused");
  });

  it("does not take the place of one that is valid", async () => {
    const harness = await filled();
    harness.clock.advance(240_000);
    harness.ask();
    await harness.grant(-1);
    expect(harness.slot.get()).toBe(harness.token);
  });

  it("is not refused with its last millisecond left", async () => {
    const harness = createSlotHarness();
    const caller = watch(harness.slot.get());
    harness.clock.advance(4999);
    const token = await harness.grant(5000);
    expect(caller.outcome.token).toBe(token);
  });
});

describe("a token that a server refuses", () => {
  /** Lets a slot whose token was dropped get a new one. */
  async function replace(harness: SlotHarness): Promise<AccessToken> {
    const caller = watch(harness.slot.get());
    const token = await harness.grant(300_000);
    expect(caller.outcome.token).toBe(token);
    return token;
  }

  it("is dropped, and replaced with one request", async () => {
    const harness = await filled();
    expect(harness.slot.refused(harness.token)).toBe(true);
    const renewed = await replace(harness);
    expect(renewed).not.toBe(harness.token);
    expect(harness.slot.get()).toBe(renewed);
    expect(harness.requests).toBe(2);
  });

  it("is not dropped if it is no longer the cached one, and the caller may try again", async () => {
    const harness = await filled();
    harness.clock.advance(240_000);
    harness.ask();
    const renewed = await harness.grant(300_000);
    expect(harness.slot.refused(harness.token)).toBe(true);
    expect(harness.slot.get()).toBe(renewed);
    expect(harness.requests).toBe(2);
  });

  it("is dropped once by many calls that used it", async () => {
    const harness = await filled({ random: () => 0.999 });
    const answers = Array.from({ length: 100 }, () => harness.slot.refused(harness.token));
    expect(answers.every((again) => again)).toBe(true);
    const renewed = await replace(harness);
    expect(harness.slot.refused(harness.token)).toBe(true);
    expect(harness.slot.get()).toBe(renewed);
    expect(harness.requests).toBe(2);
  });

  it("stays if another one was refused just before", async () => {
    const harness = await filled({ random: () => 0.5 });
    harness.slot.refused(harness.token);
    const second = await replace(harness);
    harness.clock.advance(999);
    expect(harness.slot.refused(second)).toBe(false);
    expect(harness.slot.get()).toBe(second);
    expect(harness.requests).toBe(2);
  });

  it("is dropped again after a pause, which grows from refusal to refusal up to a minute", async () => {
    const harness = await filled({ random: () => 0.5 });
    let { token } = harness;
    for (const pause of [1000, 2000, 4000, 8000, 16_000, 30_000, 30_000]) {
      expect(harness.slot.refused(token)).toBe(true);
      token = await replace(harness);
      harness.clock.advance(pause - 1);
      expect(harness.slot.refused(token)).toBe(false);
      harness.clock.advance(1);
    }
  });

  it("starts with a short pause again after a quiet minute", async () => {
    const harness = await filled({ random: () => 0.5 });
    harness.slot.refused(harness.token);
    const second = await replace(harness);
    harness.clock.advance(1000 + 60_000);
    expect(harness.slot.refused(second)).toBe(true);
    const third = await replace(harness);
    harness.clock.advance(1000);
    expect(harness.slot.refused(third)).toBe(true);
  });

  it("goes on with the longer pause after less than a quiet minute", async () => {
    const harness = await filled({ random: () => 0.5 });
    harness.slot.refused(harness.token);
    const second = await replace(harness);
    harness.clock.advance(1000 + 59_999);
    expect(harness.slot.refused(second)).toBe(true);
    const third = await replace(harness);
    harness.clock.advance(1000);
    expect(harness.slot.refused(third)).toBe(false);
  });

  it("is dropped after the wall clock was set back further than any pause", async () => {
    const harness = await filled({ random: () => 0.5 });
    harness.slot.refused(harness.token);
    const second = await replace(harness);
    harness.clock.jump(-3_600_000);
    expect(harness.slot.refused(second)).toBe(true);
  });

  it("is not asked for again during the back-off of a failed request", async () => {
    const harness = await filled({ random: () => 0.5 });
    harness.clock.advance(255_000);
    harness.ask();
    await harness.fail(unwell());
    expect(harness.slot.refused(harness.token)).toBe(true);
    const caller = watch(harness.slot.get({ otherThan: harness.token }));
    await settle();
    expect(caller.outcome.error).toMatchObject({ kind: "unavailable" });
    expect(harness.requests).toBe(2);
  });

  it("is still handed out while there is no other one: a server that is wrong does not cost the calls of others", async () => {
    const harness = await filled({ random: () => 0.5 });
    harness.slot.refused(harness.token);
    const retry = watch(harness.slot.get({ otherThan: harness.token }));
    const other = watch(harness.slot.get());
    expect(harness.requests).toBe(2);
    await harness.fail(unwell());
    expect(retry.outcome.error).toMatchObject({ kind: "unavailable" });
    expect(other.outcome.token).toBe(harness.token);
    expect(harness.slot.get()).toBe(harness.token);
  });

  it("makes others wait for the next one, but for a moment only", async () => {
    const harness = await filled({ random: () => 0.5 });
    harness.slot.refused(harness.token);
    const other = watch(harness.slot.get());
    await harness.clock.run(999);
    expect(other.outcome.state).toBe("pending");
    await harness.clock.run(1);
    expect(other.outcome.token).toBe(harness.token);
    const renewed = await harness.grant(300_000);
    expect(harness.slot.get()).toBe(renewed);
  });

  it("is asked for again at half of what is left when the server hands it out again", async () => {
    const harness = await filled();
    harness.clock.advance(10_000);
    harness.slot.refused(harness.token);
    harness.ask();
    await harness.grantUntil(harness.token.expiresAt); // 290 s left
    harness.clock.advance(144_999);
    harness.ask();
    expect(harness.requests).toBe(2);
    harness.clock.advance(1);
    harness.ask();
    expect(harness.requests).toBe(3);
  });
});

describe("a token in which a server misses a scope", () => {
  it("is due for one refresh behind the callers", async () => {
    const harness = await filled();
    harness.clock.advance(1000);
    harness.slot.scopeMissed(harness.token);
    for (let call = 0; call < 10; call += 1) expect(harness.slot.get()).toBe(harness.token);
    expect(harness.requests).toBe(2);
    const renewed = await harness.grant(300_000);
    expect(harness.slot.get()).toBe(renewed);
    expect(harness.requests).toBe(2);
  });

  it("is none of the slot's business if it was replaced meanwhile", async () => {
    const harness = await filled();
    harness.slot.refused(harness.token);
    harness.ask();
    await harness.grant(300_000);
    harness.clock.advance(120_000);
    harness.slot.scopeMissed(harness.token);
    harness.ask();
    expect(harness.requests).toBe(2);
  });

  it("does not use up the next refusal if it was replaced meanwhile", async () => {
    const harness = await filled({ random: () => 0.5 });
    harness.clock.advance(255_000);
    harness.ask();
    const renewed = await harness.grant(300_000);
    harness.slot.scopeMissed(harness.token);
    expect(harness.slot.refused(renewed)).toBe(true);
  });

  it("is not due again just after, nor just after a refusal", async () => {
    for (const first of ["scope", "refusal"]) {
      const harness = await filled({ random: () => 0.5 });
      if (first === "scope") harness.slot.scopeMissed(harness.token);
      else harness.slot.refused(harness.token);
      harness.ask();
      const second = await harness.grant(300_000);
      harness.clock.advance(999);
      harness.slot.scopeMissed(second);
      harness.ask();
      expect(harness.requests).toBe(2);
      expect(harness.slot.refused(second)).toBe(false);
      harness.clock.advance(1);
      harness.slot.scopeMissed(second);
      harness.ask();
      expect(harness.requests).toBe(3);
    }
  });

  it("stays due since when it was", async () => {
    const harness = await filled();
    harness.clock.advance(250_000);
    harness.slot.scopeMissed(harness.token);
    harness.ask();
    await harness.grant(300_000);
    expect(harness.events.at(-1)).toMatchObject({ outcome: "issued", refreshLagMs: 10_000 });
  });
});

describe("what a token slot tells", () => {
  it("counts the callers who wait, with no token and inside the margin, and not those who do not", async () => {
    const harness = createSlotHarness();
    for (let call = 0; call < 3; call += 1) harness.ask();
    await harness.grant(300_000);
    harness.clock.advance(240_000);
    for (let call = 0; call < 5; call += 1) harness.ask();
    await harness.grant(300_000);
    harness.clock.advance(230_000);
    harness.ask();
    harness.clock.advance(60_000);
    for (let call = 0; call < 4; call += 1) harness.ask();
    await harness.grant(300_000);
    const waiters = harness.events.map((event) => (event.kind === "request" ? event.waiters : event.kind));
    expect(waiters).toEqual([3, 0, 4]);
  });

  it("has the failures before a request, how long it took, and how late a refresh was", async () => {
    const harness = createSlotHarness();
    for (const failure of [
      unwell(),
      new ClientRequestFailure("refused", "no", { oauthError: "invalid_scope" }),
      new Error("s3cr3t"),
    ]) {
      harness.ask();
      harness.clock.advance(20);
      await harness.fail(failure);
      harness.clock.advance(1);
    }
    harness.ask();
    harness.clock.advance(30);
    await harness.grant(300_000);
    harness.clock.advance(240_000); // due since 30 ms: the lifetime counts from when the request was sent
    harness.ask();
    harness.clock.advance(70);
    await harness.grant(60_000);
    const rest = { kind: "request", waiters: 1, lifetimeMs: undefined, refreshLagMs: undefined, durationMs: 20 };
    expect(harness.events).toEqual([
      { ...rest, outcome: "unavailable", oauthError: undefined, previousFailures: 0 },
      { ...rest, outcome: "refused", oauthError: "invalid_scope", previousFailures: 1 },
      { ...rest, outcome: "refused", oauthError: undefined, previousFailures: 2 },
      { ...rest, outcome: "issued", oauthError: undefined, previousFailures: 3, durationMs: 30, lifetimeMs: 300_000 },
      {
        ...rest,
        outcome: "issued",
        oauthError: undefined,
        previousFailures: 0,
        waiters: 0,
        durationMs: 70,
        lifetimeMs: 60_000,
        refreshLagMs: 100,
      },
    ]);
  });

  it("counts lateness in time that has passed, and never below zero where the clock does not tell that", async () => {
    for (const [monotonic, refreshLagMs] of [[true, 10_000] as const, [false, 0] as const]) {
      const harness = await filled({ monotonic });
      harness.clock.advance(250_000);
      harness.ask();
      harness.clock.jump(-60_000);
      await harness.grant(300_000);
      expect(harness.events.at(-1)).toMatchObject({ refreshLagMs });
    }
  });

  it("names the rest of a token that is handed out although its refresh is overdue", async () => {
    const harness = await filled({ random: () => 0.5 });
    harness.clock.advance(270_000);
    harness.ask();
    await harness.clock.run(1000);
    await harness.fail(unwell());
    expect(harness.slot.get()).toBe(harness.token);
    harness.clock.advance(500);
    expect(harness.slot.get()).toBe(harness.token);
    const stale = harness.events.filter(({ kind }) => kind === "stale");
    expect(stale).toEqual([29_000, 29_000, 28_500].map((remainingMs) => ({ kind: "stale", remainingMs })));
  });

  it("says of each refusal whether the call may be tried again", async () => {
    const harness = await filled({ random: () => 0.5 });
    harness.slot.refused(harness.token);
    harness.ask();
    const second = await harness.grant(300_000);
    harness.slot.refused(second);
    harness.slot.refused(harness.token);
    const refusals = harness.events.flatMap((event) => (event.kind === "refused" ? [event.retried] : []));
    expect(refusals).toEqual([true, false, true]);
  });
});

describe("a token slot and the wall clock", () => {
  it("asks for a new token when the clock is set forward beyond the expiry", async () => {
    const harness = await filled();
    harness.clock.jump(3_600_000);
    const caller = watch(harness.slot.get());
    expect(harness.requests).toBe(2);
    const renewed = await harness.grantUntil(harness.clock.now() + 300_000);
    expect(caller.outcome.token).toBe(renewed);
  });

  it("lets the token expire when its time has passed, though the clock was set back", async () => {
    const harness = await filled();
    harness.clock.jump(-3_600_000);
    harness.clock.advance(239_999);
    expect(harness.slot.get()).toBe(harness.token);
    expect(harness.requests).toBe(1);
    harness.clock.advance(1);
    expect(harness.slot.get()).toBe(harness.token);
    expect(harness.requests).toBe(2);
    harness.clock.advance(59_999);
    const hurried = watch(harness.slot.get({ deadline: harness.clock.now() }));
    await harness.clock.run(0);
    expect(hurried.outcome.token).toBe(harness.token);
    await harness.clock.run(1);
    const late = watch(harness.slot.get());
    await harness.clock.run(1000);
    expect(late.outcome.state).toBe("pending");
  });

  it("counts the age of a token from when it was asked for, though the clock was set back meanwhile", async () => {
    const harness = createSlotHarness();
    const first = watch(harness.slot.get());
    harness.clock.advance(10_000);
    harness.clock.jump(-3_600_000);
    const token = await harness.grant(300_000);
    expect(first.outcome.token).toBe(token);
    harness.clock.advance(289_999);
    const hurried = watch(harness.slot.get({ deadline: harness.clock.now() }));
    await harness.clock.run(0);
    expect(hurried.outcome.token).toBe(token);
    await harness.clock.run(1);
    const late = watch(harness.slot.get());
    await harness.clock.run(1000);
    expect(late.outcome.state).toBe("pending");
  });

  it("takes a clock at its word that tells nothing but the time of day", async () => {
    const harness = await filled({ monotonic: false });
    harness.clock.advance(239_999);
    expect(harness.slot.get()).toBe(harness.token);
    harness.clock.advance(60_001);
    harness.clock.jump(-60_001);
    expect(harness.slot.get()).toBe(harness.token);
    expect(harness.requests).toBe(1);
    harness.clock.jump(60_001);
    expect(harness.slot.get()).toBeInstanceOf(Promise);
  });

  it("keeps the token when the clock is set back", async () => {
    const harness = await filled();
    harness.clock.jump(-3_600_000);
    expect(harness.slot.get()).toBe(harness.token);
    expect(harness.requests).toBe(1);
  });
});
