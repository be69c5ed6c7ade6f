// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import type { TokenFailure } from "./token-error.js";

/** Which token an event is about. */
export interface TokenSubject {
  readonly issuer: string;
  readonly clientId: string;
  /** The logical audience. */
  readonly audience: string;
  readonly scopes: readonly string[];
}

/** A token request came to its end. */
export interface TokenRequestEvent extends TokenSubject {
  readonly kind: "request";
  readonly outcome: "issued" | Exclude<TokenFailure, "cancelled">;
  /** The `error` of the token endpoint's answer (RFC 6749 §5.2), if it gave one. */
  readonly oauthError: string | undefined;
  /** From sending to the answer, in milliseconds. */
  readonly durationMs: number;
  /** How many requests for this token failed in a row before this one. */
  readonly previousFailures: number;
  /** How many callers waited for this request; 0 if it ran behind them. */
  readonly waiters: number;
  /** With "issued": the lifetime of the token in milliseconds. */
  readonly lifetimeMs: number | undefined;
  /** With "issued", for a refresh: how long after its due time the new token was there, in milliseconds. */
  readonly refreshLagMs: number | undefined;
}

/** A caller got a token whose refresh is overdue: inside the hard margin, with a request that failed or was too slow. */
export interface StaleTokenEvent extends TokenSubject {
  readonly kind: "stale";
  /** How long the token is still valid, in milliseconds. */
  readonly remainingMs: number;
}

/** A server refused a token. */
export interface TokenRefusedEvent extends TokenSubject {
  readonly kind: "refused";
  /** Whether the call was tried once more with another token. */
  readonly retried: boolean;
}

/** The authorization server issued a token that the resource server will not accept. Told once for each finding. */
export interface TokenWarningEvent extends TokenSubject {
  readonly kind: "warning";
  /** What is wrong, and what to change at the authorization server. */
  readonly message: string;
}

/** What a token source tells of its work. Holds no token, no secret and no part of one. */
export type TokenEvent = TokenRequestEvent | StaleTokenEvent | TokenRefusedEvent | TokenWarningEvent;
