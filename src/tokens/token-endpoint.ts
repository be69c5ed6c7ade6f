// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { decodeJwt } from "jose";
import type { ServerMetadata } from "openid-client";
import { configureRequest, DiscoveryError, discover, networkReason } from "../discovery/discovery.js";
import type { Clock } from "../platform/clock.js";
import type { Provider } from "../providers/provider.js";
import type { TokenRequirement } from "../rules/token-requirement.js";
import { AccessToken } from "./access-token.js";
import type { Credential } from "./credential.js";

/** Asks one authorization server for tokens, as one client. */
export interface TokenEndpoint {
  /** Sends one token request (RFC 6749 §4.4). Throws a TokenRequestFailure. */
  request(requirement: TokenRequirement): Promise<AccessToken>;
}

/** What a token endpoint needs to know. */
export interface TokenEndpointOptions {
  readonly issuer: string;
  readonly clientId: string;
  readonly credential: Credential;
  readonly provider: Provider;
  readonly timeoutMs: number;
  readonly fetch: typeof fetch;
  readonly clock: Clock;
}

/** Why one token request brought no token. Carries nothing of the request and no more of the answer than its error. */
export class TokenRequestFailure extends Error {
  readonly kind: "unavailable" | "refused";
  readonly oauthError: string | undefined;
  /** The Retry-After header of the answer, in milliseconds from now. */
  readonly retryAfterMs: number | undefined;

  constructor(kind: "unavailable" | "refused", reason: string, oauthError?: string, retryAfterMs?: number) {
    super(reason);
    this.kind = kind;
    this.oauthError = oauthError;
    this.retryAfterMs = retryAfterMs;
  }
}

const fallbackLifetimeMs = 300_000;

/** Creates a token endpoint. Discovery runs with the first request, once. */
export function createTokenEndpoint(options: TokenEndpointOptions): TokenEndpoint {
  let metadata: ServerMetadata | undefined;
  return {
    async request(requirement) {
      metadata ??= await discoverTokenEndpoint(options);
      return await requestToken(options, metadata, requirement);
    },
  };
}

async function discoverTokenEndpoint(options: TokenEndpointOptions): Promise<ServerMetadata> {
  try {
    const metadata = await discover(options);
    if (metadata.token_endpoint === undefined) {
      throw new DiscoveryError("refused", `the metadata of ${options.issuer} names no token_endpoint`);
    }
    return metadata;
  } catch (error) {
    if (!(error instanceof DiscoveryError)) throw error;
    throw new TokenRequestFailure(error.kind === "refused" ? "refused" : "unavailable", error.message);
  }
}

async function requestToken(
  options: TokenEndpointOptions,
  server: ServerMetadata,
  requirement: TokenRequirement,
): Promise<AccessToken> {
  const client = await import("openid-client");
  let response: Response | undefined;
  const configuration = await configureRequest({
    server,
    clientId: options.clientId,
    authentication: await options.credential.authenticate(),
    timeoutMs: options.timeoutMs,
    fetch: async (input, init) => {
      response = await options.fetch(input, init);
      return response;
    },
  });
  const sentAt = options.clock.now();
  try {
    const answer = await client.clientCredentialsGrant(configuration, parameters(options.provider, requirement));
    if (answer.token_type !== "bearer") {
      throw new TokenRequestFailure("refused", "the token endpoint answered with a token that is no bearer token");
    }
    return new AccessToken(answer.access_token, sentAt, expiry(answer, sentAt, options.clock));
  } catch (error) {
    if (error instanceof TokenRequestFailure) throw error;
    throw toFailure(error, response, options);
  }
}

function parameters(provider: Provider, { audience, scopes }: TokenRequirement): URLSearchParams {
  const form = new URLSearchParams();
  if (provider.audienceParameter !== "none") form.set(provider.audienceParameter, audience);
  if (scopes.length > 0) form.set("scope", scopes.join(" "));
  return form;
}

// Without expires_in (RFC 6749 §5.1 only recommends it) the token may tell itself; never forever.
function expiry(answer: { access_token: string; expires_in?: number }, sentAt: number, clock: Clock): number {
  if (answer.expires_in !== undefined) return sentAt + answer.expires_in * 1000;
  const { exp, iat } = readTimes(answer.access_token);
  if (exp === undefined) return sentAt + fallbackLifetimeMs;
  const lifetimes = [exp * 1000 - clock.now(), ...(iat === undefined ? [] : [(exp - iat) * 1000])];
  return sentAt + Math.max(0, Math.min(...lifetimes));
}

function readTimes(token: string): { exp?: number; iat?: number } {
  try {
    const { exp, iat } = decodeJwt(token);
    return {
      ...(Number.isFinite(exp) ? { exp: exp as number } : {}),
      ...(Number.isFinite(iat) ? { iat: iat as number } : {}),
    };
  } catch {
    return {}; // an opaque token
  }
}

const transientStatus = new Set([408, 425, 429]);

// openid-client's errors can carry the request's secret and the answer's token in their causes: none of them is kept.
function toFailure(error: unknown, response: Response | undefined, options: TokenEndpointOptions): TokenRequestFailure {
  if (response === undefined) {
    return new TokenRequestFailure("unavailable", `the token endpoint cannot be reached (${networkReason(error)})`);
  }
  const { status } = response;
  const retryAfterMs = parseRetryAfter(response.headers.get("retry-after"), options.clock);
  if (status >= 500 || transientStatus.has(status)) {
    return new TokenRequestFailure(
      "unavailable",
      `the token endpoint answered with HTTP ${status}`,
      undefined,
      retryAfterMs,
    );
  }
  const { error: code, description } = oauthError(error, status);
  if (code !== undefined) {
    const shown = description === undefined || options.credential.isIn(description) ? "" : ` (${description})`;
    return new TokenRequestFailure("refused", `the token endpoint refused: ${code}${shown}`, code);
  }
  return new TokenRequestFailure(
    "unavailable",
    `the token endpoint answered with HTTP ${status}, but not as RFC 6749 says`,
    undefined,
    retryAfterMs,
  );
}

const oauthErrorCode = /^[\x20\x21\x23-\x5b\x5d-\x7e]{1,64}$/;

function oauthError(error: unknown, status: number): { error?: string; description?: string } {
  const { error: code, error_description: description, cause } = error as Record<string, unknown>;
  if (typeof code === "string" && oauthErrorCode.test(code)) {
    return { error: code, ...(typeof description === "string" ? { description: description.slice(0, 200) } : {}) };
  }
  // A wrong secret is answered with 401 and a challenge (RFC 6749 §5.2), which openid-client reports instead of the body.
  const isChallenge = Array.isArray(cause) && status === 401;
  return isChallenge ? { error: "invalid_client" } : {};
}

function parseRetryAfter(value: string | null, clock: Clock): number | undefined {
  if (value === null) return undefined;
  const ms = /^\d+$/.test(value) ? Number(value) * 1000 : Date.parse(value) - clock.now();
  return Number.isFinite(ms) ? Math.min(Math.max(ms, 0), 300_000) : undefined;
}
