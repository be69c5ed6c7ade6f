// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { getEventListeners } from "node:events";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ClientRequestFailure } from "../../../src/credentials/client-request-failure.js";
import type { AccessToken } from "../../../src/tokens/access-token.js";
import { TokenError } from "../../../src/tokens/token-error.js";
import { settle } from "../../support/fake-clock.js";
import { createSlotHarness, type SlotHarness } from "./slot-harness.js";

type Step =
  | { readonly do: "get"; readonly deadlineIn: number | undefined }
  | { readonly do: "advance"; readonly ms: number }
  | { readonly do: "approach the expiry"; readonly upTo: number }
  | { readonly do: "jump"; readonly ms: number }
  | { readonly do: "grant"; readonly lifetimeMs: number }
  | { readonly do: "grant the same expiry" }
  | { readonly do: "fail"; readonly error: Error }
  | { readonly do: "abort"; readonly caller: number }
  | { readonly do: "refuse"; readonly token: number };

const lifetimes = fc.constantFrom(-1000, 0, 1, 800, 5000, 30_000, 60_000, 300_000, 3_600_000);
const failures = fc.oneof(
  fc.constant(new TypeError("not a failure of the token endpoint")),
  fc
    .record({
      kind: fc.constantFrom("unavailable" as const, "refused" as const),
      retryAfterMs: fc.option(fc.integer({ min: 1, max: 300_000 }), { nil: undefined }),
    })
    .map(({ kind, retryAfterMs }) => new ClientRequestFailure(kind, "it failed", { retryAfterMs })),
);
const delays = fc.oneof(fc.integer({ min: 0, max: 1500 }), fc.integer({ min: 0, max: 400_000 }));

const steps: fc.Arbitrary<Step> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ do: fc.constant("get"), deadlineIn: fc.option(delays, { nil: undefined }) }) },
  { weight: 5, arbitrary: fc.record({ do: fc.constant("advance"), ms: delays }) },
  {
    weight: 3,
    arbitrary: fc.record({ do: fc.constant("approach the expiry"), upTo: fc.integer({ min: 0, max: 2000 }) }),
  },
  { weight: 4, arbitrary: fc.record({ do: fc.constant("grant"), lifetimeMs: lifetimes }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("grant the same expiry") }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("fail"), error: failures }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("abort"), caller: fc.nat(20) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("refuse"), token: fc.nat(3) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("jump"), ms: fc.integer({ min: -4e6, max: 4e6 }) }) },
) as fc.Arbitrary<Step>;

interface Caller {
  readonly controller: AbortController;
  settled: boolean;
}

/** Runs steps against a slot, and keeps a simple model of what it must hold. */
class Run {
  readonly harness: SlotHarness;
  readonly callers: Caller[] = [];
  /** Tokens that were handed out or stored, the newest first. */
  readonly tokens: AccessToken[] = [];
  cached: AccessToken | undefined;
  jumps = 0;
  readonly violations: string[] = [];

  constructor(random: () => number, refreshBeforeMs: number | undefined) {
    this.harness = createSlotHarness(refreshBeforeMs === undefined ? { random } : { random, refreshBeforeMs });
  }

  async take(step: Step): Promise<void> {
    const { harness } = this;
    const { clock } = harness;
    switch (step.do) {
      case "get":
        this.get(step.deadlineIn);
        break;
      case "advance":
        await clock.run(step.ms);
        break;
      case "approach the expiry":
        await clock.run(Math.max(0, (this.cached?.expiresAt ?? 0) - step.upTo - clock.now()));
        break;
      case "jump":
        clock.jump(step.ms);
        this.jumps += 1;
        break;
      case "grant":
        if (harness.open > 0) this.store(await harness.grant(step.lifetimeMs));
        break;
      case "grant the same expiry":
        if (harness.open > 0) this.store(await harness.grantUntil(this.cached?.expiresAt ?? 0));
        break;
      case "fail":
        if (harness.open > 0) await harness.fail(step.error);
        break;
      case "abort":
        this.callers[step.caller]?.controller.abort();
        break;
      case "refuse":
        this.refuse(this.tokens[step.token]);
    }
    await settle();
    expect(this.violations).toEqual([]);
    expect(harness.open).toBeLessThanOrEqual(1);
    // A caller waits for nothing but a request.
    if (harness.open === 0) expect(this.callers.every(({ settled }) => settled)).toBe(true);
  }

  get(deadlineIn: number | undefined): void {
    const { clock, slot } = this.harness;
    const { jumps } = this;
    const caller: Caller = { controller: new AbortController(), settled: false };
    this.callers.push(caller);
    const deadline = deadlineIn === undefined ? undefined : clock.now() + deadlineIn;
    const onToken = (token: AccessToken): void => {
      caller.settled = true;
      if (!this.harness.isValid(token)) this.violations.push("handed out an expired token");
    };
    const onError = (error: unknown): void => {
      caller.settled = true;
      if (!(error instanceof TokenError)) this.violations.push("failed with something else than a TokenError");
      // A clock set back makes a token valid again, which a call that waits already does not notice.
      const valid = this.cached !== undefined && this.harness.isValid(this.cached) && this.jumps === jumps;
      if (valid) this.violations.push("failed in spite of a valid token");
    };
    const result = slot.get({ signal: caller.controller.signal, deadline });
    if (result instanceof Promise) result.then(onToken, onError);
    else onToken(result);
  }

  store(token: AccessToken): void {
    if (!this.harness.isValid(token)) return;
    this.cached = token;
    this.tokens.unshift(token);
  }

  refuse(token: AccessToken | undefined): void {
    if (token === undefined) return;
    const again = this.harness.slot.refused(token);
    if (token !== this.cached) expect(again).toBe(true);
    else if (again) this.cached = undefined;
  }

  async end(): Promise<void> {
    const { harness, callers } = this;
    if (harness.open > 0) await harness.fail(new ClientRequestFailure("unavailable", "the end"));
    await settle();
    expect(this.violations).toEqual([]);
    expect(callers.every(({ settled }) => settled)).toBe(true);
    expect(harness.clock.pending).toBe(0);
    for (const { controller } of callers) expect(getEventListeners(controller.signal, "abort")).toEqual([]);
  }
}

describe("a token slot under any schedule of calls, answers, refusals and time", () => {
  it("never hands out an expired token or withholds a valid one, asks once at a time, and always settles", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(steps, { minLength: 1, maxLength: 80, size: "max" }),
        fc.double({ min: 0, max: 0.999_999, noNaN: true }),
        fc.option(fc.constantFrom(0, 1000, 60_000, 1e9), { nil: undefined }),
        async (schedule, random, refreshBeforeMs) => {
          const run = new Run(() => random, refreshBeforeMs);
          for (const step of schedule) await run.take(step);
          await run.end();
        },
      ),
      { numRuns: 300 },
    );
  });
});
