// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { defaultTimeoutMs, parseIssuer } from "../discovery/discovery.js";
import { type Clock, systemClock } from "../platform/clock.js";
import { type Provider, standardProvider } from "../providers/provider.js";
import { identifierProblem } from "../rules/parse-rule.js";
import type { TokenRequirement } from "../rules/token-requirement.js";
import type { AccessToken } from "./access-token.js";
import type { Credential } from "./credential.js";
import { createTokenEndpoint } from "./token-endpoint.js";
import { TokenError } from "./token-error.js";
import { TokenSlot, type WaitOptions } from "./token-slot.js";

/** Hands out valid access tokens of one client (RFC 6749 §4.4), one for each audience and set of scopes. */
export interface TokenSource {
  /**
   * Returns a valid token: at once while one is cached, as a promise otherwise. The promise rejects with a TokenError.
   */
  get(requirement: TokenRequirement, wait?: WaitOptions): AccessToken | Promise<AccessToken>;
  /**
   * Says that a server refused a token. Returns whether to try once more, with what get() returns then.
   */
  refused(requirement: TokenRequirement, token: AccessToken): boolean;
}

/** Options of createTokenSource(). */
export interface TokenSourceOptions {
  /** The issuer, exactly as the authorization server writes it. Plain http is for loopback only. */
  readonly issuer: string;
  /** Who asks: a client id, or clientIdOf(Service) for the one that a proto declares. */
  readonly clientId: string;
  /** What proves it: clientSecret() or privateKeyJwt(). */
  readonly credential: Credential;
  /** How the authorization server wants to be asked. By default, by RFC 8707. */
  readonly provider?: Provider;
  /**
   * How long before it expires a token is refreshed, in seconds; never more than half of its lifetime. By default, 20 %
   * of its lifetime, at most 15 minutes.
   */
  readonly refreshBeforeSeconds?: number;
  /** Time-out of a request to the authorization server in milliseconds. By default, 10,000. */
  readonly timeoutMs?: number;
  /** Replaces the global fetch, for a proxy or a certificate authority of your own. */
  readonly fetch?: typeof fetch;
  /** The time. By default, the machine's. */
  readonly clock?: Clock;
  /** Randomness in [0, 1) for jitter. By default, Math.random. */
  readonly random?: () => number;
}

/**
 * Creates a token source. It asks for a token when one is needed first, never twice at a time for the same one, and
 * refreshes it before it expires, behind the callers.
 *
 * Throws a TypeError if an option is wrong.
 *
 * ```ts
 * const tokens = createTokenSource({
 *   issuer: "https://login.example.com",
 *   clientId: clientIdOf(OrderService),
 *   credential: clientSecret(process.env.CLIENT_SECRET ?? ""),
 * });
 * ```
 */
export function createTokenSource(options: TokenSourceOptions): TokenSource {
  const settings = validateOptions(options);
  const endpoint = createTokenEndpoint(settings);
  const slots = new Map<string, TokenSlot>();
  // A requirement object stands for itself once it was seen: the hot path builds no string.
  const known = new WeakMap<TokenRequirement, TokenSlot>();

  function createSlot(requirement: TokenRequirement): TokenSlot {
    const { issuer, clientId, clock, random, refreshBeforeMs } = settings;
    return new TokenSlot({
      request: () => endpoint.request(requirement),
      clock,
      random,
      refreshBeforeMs,
      toError: (kind, reason, attempt, oauthError) =>
        new TokenError(kind, reason, { issuer, clientId, requirement, attempt }, oauthError),
    });
  }

  function slotOf(requirement: TokenRequirement): TokenSlot {
    let slot = known.get(requirement);
    if (slot === undefined) {
      const key = JSON.stringify([requirement.audience, ...[...requirement.scopes].sort()]);
      slot = slots.get(key) ?? createSlot(requirement);
      slots.set(key, slot);
      known.set(requirement, slot);
    }
    return slot;
  }

  return {
    get: (requirement, wait) => slotOf(requirement).get(wait),
    refused: (requirement, token) => slotOf(requirement).refused(token),
  };
}

interface Settings {
  readonly issuer: string;
  readonly clientId: string;
  readonly credential: Credential;
  readonly provider: Provider;
  readonly refreshBeforeMs: number | undefined;
  readonly timeoutMs: number;
  readonly fetch: typeof fetch;
  readonly clock: Clock;
  readonly random: () => number;
}

function validateOptions(options: TokenSourceOptions): Settings {
  const { issuer, clientId, credential, refreshBeforeSeconds, timeoutMs = defaultTimeoutMs } = options;
  parseIssuer(issuer);
  const problem = typeof clientId === "string" ? identifierProblem(clientId) : "is missing";
  if (problem !== undefined) throw new TypeError(`clientId ${problem}`);
  if (credential === undefined) throw new TypeError("credential is missing; give clientSecret() or privateKeyJwt()");
  if (refreshBeforeSeconds !== undefined && !(refreshBeforeSeconds >= 0 && Number.isFinite(refreshBeforeSeconds))) {
    throw new TypeError(`refreshBeforeSeconds is ${refreshBeforeSeconds}; give a number of seconds, 0 or more`);
  }
  if (!(timeoutMs > 0 && Number.isFinite(timeoutMs))) {
    throw new TypeError(`timeoutMs is ${timeoutMs}; give a number of milliseconds above 0`);
  }
  return {
    issuer,
    clientId,
    credential,
    provider: options.provider ?? standardProvider,
    refreshBeforeMs: refreshBeforeSeconds === undefined ? undefined : refreshBeforeSeconds * 1000,
    timeoutMs,
    fetch: options.fetch ?? ((input, init) => fetch(input, init)),
    clock: options.clock ?? systemClock,
    random: options.random ?? Math.random,
  };
}
