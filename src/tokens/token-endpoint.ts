// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { decodeJwt } from "jose";
import type { ServerMetadata } from "openid-client";
import {
  configureRequest,
  DiscoveryError,
  discover,
  isConfidential,
  isTransientStatus,
  networkReason,
} from "../discovery/discovery.js";
import type { Clock } from "../platform/clock.js";
import type { Provider } from "../providers/provider.js";
import type { TokenRequirement } from "../rules/token-requirement.js";
import { AccessToken } from "./access-token.js";
import { type Credential, quotes } from "./credential.js";
import { maxPauseMs } from "./schedule.js";

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
const lastDateMs = 8.64e15;

/** Creates a token endpoint. Discovery runs with the first request, once; after a failure, with the next one. */
export function createTokenEndpoint(options: TokenEndpointOptions): TokenEndpoint {
  let metadata: Promise<ServerMetadata> | undefined;
  return {
    async request(requirement) {
      metadata ??= discoverTokenEndpoint(options).catch((error: unknown) => {
        metadata = undefined;
        throw error;
      });
      return await requestToken(options, await metadata, requirement);
    },
  };
}

async function discoverTokenEndpoint(options: TokenEndpointOptions): Promise<ServerMetadata> {
  try {
    const metadata = await discover(options);
    const { token_endpoint: location } = metadata;
    if (location === undefined || !URL.canParse(location)) {
      throw new DiscoveryError("refused", `the metadata of ${options.issuer} names no token_endpoint`);
    }
    if (!isConfidential(new URL(location))) {
      throw new DiscoveryError("refused", `the metadata of ${options.issuer} names a token_endpoint without TLS`);
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
  const exchange: Exchange = {};
  const configuration = await configureRequest({
    server,
    clientId: options.clientId,
    authentication: await options.credential.authenticate(),
    timeoutMs: options.timeoutMs,
    fetch: async (input, init) => {
      exchange.request = init as SentRequest;
      exchange.response = await options.fetch(input, init);
      return exchange.response;
    },
  });
  const sentAt = options.clock.now();
  try {
    const answer = await client.clientCredentialsGrant(configuration, parameters(options.provider, requirement));
    if (answer.token_type !== "bearer") {
      throw new TokenRequestFailure("refused", "the token endpoint answered with a token that is no bearer token");
    }
    if (!visibleAscii.test(answer.access_token)) {
      throw new TokenRequestFailure("refused", "the token endpoint answered with a token that no header can carry");
    }
    return new AccessToken(answer.access_token, sentAt, expiry(answer, sentAt, options.clock));
  } catch (error) {
    if (error instanceof TokenRequestFailure) throw error;
    throw toFailure(error, exchange, options);
  }
}

// Headers and gRPC metadata quote a value that they do not take in their errors.
const visibleAscii = /^[\x21-\x7e]+$/;

/** What was sent, and what came back. */
interface Exchange {
  request?: SentRequest;
  response?: Response;
}

/** A request as openid-client makes it. */
interface SentRequest {
  readonly headers: Record<string, string>;
  readonly body: URLSearchParams;
}

function parameters(provider: Provider, { audience, scopes }: TokenRequirement): URLSearchParams {
  const form = new URLSearchParams();
  if (provider.audienceParameter !== "none") form.set(provider.audienceParameter, audience);
  if (scopes.length > 0) form.set("scope", scopes.join(" "));
  return form;
}

// Without expires_in (RFC 6749 §5.1 only recommends it) the token may tell itself; never forever.
function expiry(answer: TokenAnswer, sentAt: number, clock: Clock): number {
  return Math.min(sentAt + lifetimeMs(answer, clock), lastDateMs);
}

function lifetimeMs(answer: TokenAnswer, clock: Clock): number {
  if (answer.expires_in !== undefined) return answer.expires_in * 1000;
  const { exp, iat } = readTimes(answer.access_token);
  if (exp === undefined) return fallbackLifetimeMs;
  return Math.max(0, Math.min(exp * 1000 - clock.now(), iat === undefined ? Infinity : (exp - iat) * 1000));
}

interface TokenAnswer {
  readonly access_token: string;
  readonly expires_in?: number;
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

// openid-client's errors can carry the request's secret and the answer's token in their causes: none of them is kept.
function toFailure(error: unknown, exchange: Exchange, options: TokenEndpointOptions): TokenRequestFailure {
  const { request, response } = exchange;
  if (request === undefined) {
    return new TokenRequestFailure("refused", "the token request could not be made; check the credential");
  }
  if (response === undefined) {
    return new TokenRequestFailure("unavailable", `the token endpoint cannot be reached (${networkReason(error)})`);
  }
  const { status } = response;
  const retryAfterMs = parseRetryAfter(response.headers.get("retry-after"), options.clock);
  if (isTransientStatus(status)) {
    return new TokenRequestFailure(
      "unavailable",
      `the token endpoint answered with HTTP ${status}`,
      undefined,
      retryAfterMs,
    );
  }
  if ((error as { code?: unknown }).code === "OAUTH_UNSUPPORTED_OPERATION") {
    return new TokenRequestFailure("refused", "the token endpoint answered with a token that is no bearer token");
  }
  const refusal = readRefusal(error, status, (text) => quotesCredential(text, request, options.credential));
  if (refusal !== undefined) {
    return new TokenRequestFailure("refused", `the token endpoint refused${refusal.text}`, refusal.error, retryAfterMs);
  }
  return new TokenRequestFailure(
    "unavailable",
    `the token endpoint answered with HTTP ${status}, but not as RFC 6749 says`,
    undefined,
    retryAfterMs,
  );
}

const oauthErrorCode = /^[\x20\x21\x23-\x5b\x5d-\x7e]{1,64}$/;
const wellKnownCode = /^(invalid_(request|client|grant|scope|target)|unauthorized_client|unsupported_grant_type)$/;
const maxDescription = 200;

/** A refusal in the words of RFC 6749 §5.2, as far as they can be shown; `undefined` if the answer is none. */
function readRefusal(
  error: unknown,
  status: number,
  isSecret: (text: string) => boolean,
): { readonly error?: string; readonly text: string } | undefined {
  const { error: code, error_description: description, cause } = error as Record<string, unknown>;
  if (typeof code === "string" && oauthErrorCode.test(code)) {
    // A code of the RFC gives nothing away, even if a poor secret is a part of it.
    if (!wellKnownCode.test(code) && isSecret(code)) return { text: ", and quoted the credential" };
    if (typeof description !== "string" || isSecret(description)) return { error: code, text: `: ${code}` };
    const shown = description.replace(/\p{Cc}+/gu, " ").slice(0, maxDescription);
    return { error: code, text: `: ${code} (${shown})` };
  }
  // A wrong secret is answered with 401 and a challenge (RFC 6749 §5.2), which openid-client reports instead of the body.
  const isChallenge = Array.isArray(cause) && status === 401;
  return isChallenge ? { error: "invalid_client", text: ": invalid_client" } : undefined;
}

// An answer may quote the request: whatever holds a part of the credential, in any form in which it was sent, is not
// shown.
function quotesCredential(text: string, { headers, body }: SentRequest, credential: Credential): boolean {
  const basic = headers["authorization"]?.replace("Basic ", "");
  const sent = [basic, body.get("client_secret"), body.get("client_assertion")];
  return credential.isIn(text) || sent.some((part) => typeof part === "string" && quotes(text, part));
}

// A delay of 0 and a date in the past say nothing: the ordinary back-off is what keeps the server from being hammered.
function parseRetryAfter(value: string | null, clock: Clock): number | undefined {
  if (value === null) return undefined;
  const ms = /^\d+$/.test(value) ? Number(value) * 1000 : Date.parse(value) - clock.now();
  return ms > 0 ? Math.min(ms, maxPauseMs) : undefined;
}
