// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { isTimeout, isTransientStatus, networkReason } from "../discovery/discovery-failure.js";
import { parseRetryAfter } from "../discovery/retry-after.js";
import type { Clock } from "../platform/clock.js";
import type { Credential } from "./credentials/credential.js";
import { quotes } from "./credentials/quotes.js";

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

/** What was sent, and what came back. */
export interface Exchange {
  request?: SentRequest;
  response?: Response;
}

/** A request as openid-client makes it. */
interface SentRequest {
  readonly headers: Record<string, string>;
  readonly body: URLSearchParams;
}

// openid-client's errors can carry the request's secret and the answer's token in their causes: none of them is kept.
export function toTokenRequestFailure(
  error: unknown,
  exchange: Exchange,
  credential: Credential,
  clock: Clock,
): TokenRequestFailure {
  const { request, response } = exchange;
  if (request === undefined) {
    return new TokenRequestFailure("refused", "the token request could not be made; check the credential");
  }
  if (response === undefined) {
    return new TokenRequestFailure("unavailable", `the token endpoint cannot be reached (${networkReason(error)})`);
  }
  if (isTimeout(error)) {
    return new TokenRequestFailure("unavailable", "the token endpoint's answer timed out");
  }
  const { status } = response;
  const retryAfterMs = parseRetryAfter(response.headers.get("retry-after"), clock);
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
  const refusal = readRefusal(error, status, (text) => quotesCredential(text, request, credential));
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
  const sent = [basic, body.get("client_secret"), body.get("client_assertion"), headers["dpop"]];
  return credential.isIn(text) || sent.some((part) => typeof part === "string" && quotes(text, part));
}
