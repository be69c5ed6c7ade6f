// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import type { TokenRequirement } from "../../src/rules/token-requirement.js";
import { AccessToken } from "../../src/tokens/access-token.js";
import type { TokenBinder } from "../../src/tokens/dpop/token-binding.js";
import { TokenError, type TokenFailure } from "../../src/tokens/token-error.js";
import type { TokenSource } from "../../src/tokens/token-source.js";
import type { GetOptions } from "../../src/tokens/wait.js";

/** What the stub was asked for, and by whom. */
export interface TokenRequest {
  readonly requirement: TokenRequirement;
  readonly wait: GetOptions<AccessToken>;
}

/** One answer of the stub: a token that it has, or what it does to get one. */
export type Supply = string | ((request: TokenRequest) => AccessToken | Promise<AccessToken>);

/** A token source that follows a script, and remembers what it was asked. */
export interface StubTokenSource extends TokenSource {
  /** Every request, in order. */
  readonly requests: readonly TokenRequest[];
  /** Every token that was reported as refused, in order, with what it was for. */
  readonly refusals: readonly { readonly requirement: TokenRequirement; readonly token: string }[];
  /** Every token that was reported to lack a scope, in order, with what it was for. */
  readonly scopeMisses: readonly { readonly requirement: TokenRequirement; readonly token: string }[];
  /** What refused() returns. By default, true. */
  mayRetry: boolean;
}

/** Creates a stub. Each request takes the next answer; more requests than answers are a mistake. */
export function createStubTokenSource(...script: readonly Supply[]): StubTokenSource {
  const requests: TokenRequest[] = [];
  const refusals: { requirement: TokenRequirement; token: string }[] = [];
  const scopeMisses: { requirement: TokenRequirement; token: string }[] = [];
  const source: StubTokenSource = {
    requests,
    refusals,
    scopeMisses,
    mayRetry: true,
    get(requirement, wait = {}) {
      const supply = script[requests.length];
      const request = { requirement, wait };
      requests.push(request);
      if (supply === undefined) throw new Error(`nobody expected token request ${requests.length}`);
      return typeof supply === "string" ? accessToken(supply) : supply(request);
    },
    refused(requirement, token) {
      refusals.push({ requirement, token: token.value });
      return source.mayRetry;
    },
    scopeMissed(requirement, token) {
      scopeMisses.push({ requirement, token: token.value });
    },
  };
  return source;
}

/** An access token with this text. */
export function accessToken(value: string): AccessToken {
  return new AccessToken(value, Date.UTC(2026, 0, 1), Date.UTC(2026, 0, 1, 0, 5));
}

/** Answers with a token, but not at once. */
export function later(value: string): Supply {
  return async () => accessToken(value);
}

/** Has no token, for some reason. */
export function fails(kind: TokenFailure, oauthError?: string): Supply {
  return async ({ requirement }) => {
    throw tokenError(kind, requirement, oauthError);
  };
}

/** A token that is handed out once the test says so. A caller that gives up gets the error that a real source has. */
export interface HeldToken {
  readonly supply: Supply;
  /** Resolves when somebody waits for the token. */
  readonly asked: Promise<void>;
  release(value: string): void;
  fail(error: unknown): void;
}

/** Holds a token back. */
export function hold(): HeldToken {
  let ask = (): void => {};
  let release: HeldToken["release"] = () => {};
  let fail: HeldToken["fail"] = () => {};
  const asked = new Promise<void>((resolve) => {
    ask = resolve;
  });
  const token = new Promise<AccessToken>((resolve, reject) => {
    release = (value) => resolve(accessToken(value));
    fail = reject;
  });
  return {
    supply: ({ requirement, wait }) => {
      wait.signal?.addEventListener("abort", () => fail(tokenError("cancelled", requirement)), { once: true });
      ask();
      return token;
    },
    asked,
    release,
    fail,
  };
}

/** The error of a token source. */
export function tokenError(kind: TokenFailure, requirement: TokenRequirement, oauthError?: string): TokenError {
  const context = { issuer: "https://login.test", clientId: "order-service", requirement, attempt: 3 };
  return new TokenError(kind, "the stub has none", context, oauthError);
}

/** A source of tokens that are bound to a key (RFC 9449). */
export function bindSource(source: StubTokenSource, binder: TokenBinder): StubTokenSource {
  return Object.assign(source, { dpopThumbprint: binder.key.thumbprint });
}

/** Answers with a token that is bound to a key, at once or later. */
export function bound(binder: TokenBinder, value: string): Supply {
  const token = new AccessToken(value, Date.UTC(2026, 0, 1), Date.UTC(2026, 0, 1, 0, 5), { dpop: binder.bind(value) });
  return () => token;
}
