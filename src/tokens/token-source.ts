// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import type { Credential } from "../credentials/credential.js";
import { checkTimeout, defaultTimeoutMs, parseIssuer } from "../discovery/discovery.js";
import { type Clock, systemClock } from "../platform/clock.js";
import { createHarmlessListener } from "../platform/listener.js";
import { type Provider, standardProvider } from "../providers/provider.js";
import { validateProvider } from "../providers/validate-provider.js";
import { identifierProblem } from "../rules/parse-rule.js";
import type { TokenRequirement } from "../rules/token-requirement.js";
import type { AccessToken } from "./access-token.js";
import { createDpopSettings, type DpopSettings, type TokenSourceDpopOptions } from "./dpop/dpop-options.js";
import { checkIssuedToken, type Finding } from "./issued-token.js";
import { createSlotStore } from "./slot-store.js";
import { createTokenEndpoint, type TokenEndpoint } from "./token-endpoint.js";
import { TokenError } from "./token-error.js";
import type { TokenEvent } from "./token-event.js";
import { createTokenRequest, mapAudience, validateAudiences } from "./token-request.js";
import { TokenSlot } from "./token-slot.js";
import type { GetOptions } from "./wait.js";

/** Hands out valid access tokens of one client (RFC 6749 §4.4), one for each token request that differs. */
export interface TokenSource {
  /**
   * Returns a valid token: at once while one is cached, as a promise otherwise. The promise rejects with a TokenError.
   */
  get(requirement: TokenRequirement, wait?: GetOptions<AccessToken>): AccessToken | Promise<AccessToken>;
  /**
   * Says that a server refused a token. Returns whether to try once more, with what get() returns then.
   */
  refused(requirement: TokenRequirement, token: AccessToken): boolean;
  /** Says that a server missed a scope in a token: it may have been granted since the token was issued. */
  scopeMissed(requirement: TokenRequirement, token: AccessToken): void;
  /** The thumbprint of the key that its tokens are bound to (RFC 9449). By default, they are bearer tokens. */
  readonly dpopThumbprint?: string;
}

/** Options of createTokenSource(). */
export interface TokenSourceOptions {
  /** The issuer, exactly as the authorization server writes it. Plain http is for loopback only. */
  readonly issuer: string;
  /** Who asks: a client id, or clientIdOf(Service) for the one that a proto declares. */
  readonly clientId: string;
  /** What proves it: clientSecret(), privateKeyJwt(), clientAssertionFromFile() or tlsClientAuth(). */
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
  /**
   * What the authorization server calls an audience of the protos, where that differs: an App ID URI, an API identifier. By
   * default, what the protos call it.
   */
  readonly audiences?: Readonly<Record<string, string>>;
  /**
   * Binds tokens to a key, so that who steals one cannot use it (RFC 9449): `{}` for a new key. By default, tokens are bearer
   * tokens.
   */
  readonly dpop?: TokenSourceDpopOptions;
  /** How many tokens are kept at most; of more, the one that was asked for least recently goes. By default, 1,000. */
  readonly maxTokens?: number;
  /** Is told what happens: requests, refusals, warnings. By default, warnings go to process.emitWarning(). Must not throw. */
  readonly onEvent?: (event: TokenEvent) => void;
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
 *   credential: clientSecret({ env: "CLIENT_SECRET" }),
 * });
 * ```
 */
export function createTokenSource(options: TokenSourceOptions): TokenSource {
  const settings = validateOptions(options);
  const endpoint = createTokenEndpoint(settings);
  const slots = createSlotStore(settings, (requirement) => createSlot(settings, endpoint, requirement));
  return {
    get: (requirement, wait) => slots.of(requirement).get(wait),
    refused: (requirement, token) => slots.of(requirement).refused(token),
    scopeMissed: (requirement, token) => slots.of(requirement).scopeMissed(token),
    ...(settings.dpop === undefined ? {} : { dpopThumbprint: settings.dpop.binder.key.thumbprint }),
  };
}

function createSlot(settings: Settings, endpoint: TokenEndpoint, requirement: TokenRequirement): TokenSlot {
  const { issuer, clientId, clock, random, refreshBeforeMs, provider, audiences, tell } = settings;
  const subject = { issuer, clientId, audience: requirement.audience, scopes: requirement.scopes };
  const form = createTokenRequest(provider, requirement, audiences);
  const warn = createWarner((message) => tell({ ...subject, kind: "warning", message }));
  return new TokenSlot({
    async request() {
      const { token, scope } = await endpoint.request(form);
      warn(checkIssuedToken({ accessToken: token.value, scope }, mapAudience(requirement, audiences), provider));
      return token;
    },
    clock,
    random,
    refreshBeforeMs,
    toError: (kind, reason, attempt, oauthError) =>
      new TokenError(kind, reason, { issuer, clientId, requirement, attempt }, oauthError),
    onEvent: (event) => tell({ ...subject, ...event }),
  });
}

interface Settings {
  readonly issuer: string;
  readonly clientId: string;
  readonly credential: Credential;
  readonly provider: Provider;
  readonly refreshBeforeMs: number | undefined;
  readonly audiences: Readonly<Record<string, string>>;
  readonly dpop: DpopSettings | undefined;
  readonly maxTokens: number;
  readonly timeoutMs: number;
  readonly fetch: typeof fetch;
  readonly clock: Clock;
  readonly random: () => number;
  readonly tell: (event: TokenEvent) => void;
}

function validateOptions(options: TokenSourceOptions): Settings {
  const {
    issuer,
    clientId,
    credential,
    refreshBeforeSeconds,
    timeoutMs = defaultTimeoutMs,
    maxTokens = 1000,
  } = options;
  parseIssuer(issuer);
  if (options.provider !== undefined) validateProvider(options.provider);
  const problem = typeof clientId === "string" ? identifierProblem(clientId) : "is missing";
  if (problem !== undefined) throw new TypeError(`clientId ${problem}`);
  if (credential === undefined)
    throw new TypeError("credential is missing; give clientSecret(), privateKeyJwt() or another one");
  if (refreshBeforeSeconds !== undefined && !(refreshBeforeSeconds >= 0 && Number.isFinite(refreshBeforeSeconds))) {
    throw new TypeError(`refreshBeforeSeconds is ${refreshBeforeSeconds}; give a number of seconds, 0 or more`);
  }
  checkTimeout(timeoutMs);
  validateAudiences(options.audiences ?? {});
  if (!(Number.isInteger(maxTokens) && maxTokens > 0)) {
    throw new TypeError(`maxTokens is ${maxTokens}; give a whole number above 0`);
  }
  const clock = options.clock ?? systemClock;
  return {
    issuer,
    clientId,
    credential,
    dpop: options.dpop === undefined ? undefined : createDpopSettings(options.dpop, clock),
    provider: options.provider ?? standardProvider,
    refreshBeforeMs: refreshBeforeSeconds === undefined ? undefined : refreshBeforeSeconds * 1000,
    audiences: options.audiences ?? {},
    maxTokens,
    timeoutMs,
    tell: createTeller(options.onEvent),
    fetch: options.fetch ?? ((input, init) => fetch(input, init)),
    clock,
    random: options.random ?? Math.random,
  };
}

function createTeller(onEvent: TokenSourceOptions["onEvent"]): (event: TokenEvent) => void {
  if (onEvent === undefined) {
    return (event) => {
      if (event.kind === "warning") process.emitWarning(event.message, { code: "MESHAUTH_TOKEN" });
    };
  }
  return createHarmlessListener(onEvent, "onEvent", "MESHAUTH_ON_EVENT");
}

/** Tells each finding once. */
function createWarner(warn: (message: string) => void): (findings: readonly Finding[]) => void {
  const told = new Set<string>();
  return (findings) => {
    for (const { kind, message } of findings) {
      if (told.has(kind)) continue;
      told.add(kind);
      warn(message);
    }
  };
}
