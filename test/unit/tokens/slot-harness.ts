// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { AccessToken } from "../../../src/tokens/access-token.js";
import { TokenError } from "../../../src/tokens/token-error.js";
import { type SlotEvent, TokenSlot } from "../../../src/tokens/token-slot.js";
import type { WaitOptions } from "../../../src/tokens/wait.js";
import { createFakeClock, type FakeClock, settle } from "../../support/fake-clock.js";

/** A token slot whose token requests are answered by the test. */
export interface SlotHarness {
  readonly slot: TokenSlot;
  readonly clock: FakeClock;
  /** What the slot told of its work. */
  readonly events: readonly SlotEvent[];
  /** Calls get(), and does not care what comes of it. */
  ask(wait?: WaitOptions): void;
  /** Whether a token is valid, by the later of the wall clock and the time that has really passed. */
  isValid(token: AccessToken): boolean;
  /** How many token requests were made. */
  readonly requests: number;
  /** How many of them have not been answered. */
  readonly open: number;
  /** Answers the open request with a token that lives so long, counted from when it was asked for. */
  grant(lifetimeMs: number): Promise<AccessToken>;
  /** Answers the open request with a token that expires then. */
  grantUntil(expiresAt: number): Promise<AccessToken>;
  /** Lets the open request fail. */
  fail(error: unknown): Promise<void>;
}

export interface SlotHarnessOptions {
  readonly random?: () => number;
  readonly refreshBeforeMs?: number;
  /** Whether the clock of the slot knows how much time has really passed. By default, it does. */
  readonly monotonic?: boolean;
}

export function createSlotHarness(options: SlotHarnessOptions = {}): SlotHarness {
  const { random = () => 0, refreshBeforeMs, monotonic = true } = options;
  const clock = createFakeClock();
  const context = { issuer: "https://login.test", clientId: "order-service" };
  const requirement = { audience: "payments", scopes: ["payments:read", "payments:write"] };
  const open: PendingRequest[] = [];
  const events: SlotEvent[] = [];
  const starts = new WeakMap<AccessToken, number>();
  let requests = 0;
  const take = (): PendingRequest => {
    const request = open.shift();
    if (request === undefined) throw new Error("no token request is open");
    return request;
  };
  const grant = async (expiry: (sentAt: number) => number): Promise<AccessToken> => {
    const { sentAt, elapsedAt, resolve } = take();
    const token = new AccessToken(`token-${requests}`, sentAt, expiry(sentAt));
    starts.set(token, elapsedAt);
    resolve(token);
    await settle();
    return token;
  };
  const slot = new TokenSlot({
    request: () =>
      new Promise((resolve, reject) => {
        requests += 1;
        open.push({ sentAt: clock.now(), elapsedAt: clock.monotonic?.() ?? 0, resolve, reject });
      }),
    clock: monotonic ? clock : { now: clock.now, schedule: clock.schedule },
    random,
    refreshBeforeMs,
    toError: (kind, reason, attempt, oauthError) =>
      new TokenError(kind, reason, { ...context, requirement, attempt }, oauthError),
    onEvent: (event) => void events.push(event),
  });
  return {
    slot,
    clock,
    events,
    isValid(token) {
      const elapsed = (clock.monotonic?.() ?? 0) - (starts.get(token) ?? 0);
      return Math.max(clock.now(), token.obtainedAt + elapsed) < token.expiresAt;
    },
    ask: (wait) => void watch(slot.get(wait)),
    get requests() {
      return requests;
    },
    get open() {
      return open.length;
    },
    grant: (lifetimeMs) => grant((sentAt) => sentAt + lifetimeMs),
    grantUntil: (expiresAt) => grant(() => expiresAt),
    async fail(error) {
      take().reject(error);
      await settle();
    },
  };
}

interface PendingRequest {
  readonly sentAt: number;
  readonly elapsedAt: number;
  readonly resolve: (token: AccessToken) => void;
  readonly reject: (error: unknown) => void;
}

/** What became of a call to get(), without waiting for it. */
export interface Outcome {
  readonly state: "pending" | "token" | "error";
  readonly token?: AccessToken;
  readonly error?: TokenError;
}

/** Watches a call to get(). Read it after settle() or the clock's run(). */
export function watch(result: AccessToken | Promise<AccessToken>): { readonly outcome: Outcome } {
  let outcome: Outcome = { state: "pending" };
  const onToken = (token: AccessToken): void => {
    outcome = { state: "token", token };
  };
  if (result instanceof AccessToken) onToken(result);
  else result.then(onToken, (error: TokenError) => (outcome = { state: "error", error }));
  return {
    get outcome() {
      return outcome;
    },
  };
}
