// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import type { TokenRefusal } from "../refusal.js";

/** An active token. What the answer says of it is not checked yet. */
export interface Introspected {
  /** The members of the answer (RFC 7662 §2.2). */
  readonly claims: Readonly<Record<string, unknown>>;
  /**
   * Until when the answer may be used, in milliseconds since the Unix epoch. It may have passed already: then for this one
   * call only.
   */
  readonly usableUntil: number;
}

/** What introspection says of a token. */
export type Verdict = Introspected | TokenRefusal;

const shortestRetryMs = 1000;

/** Says that nobody can tell now whether a token is good. */
export function unavailable(cause: string, retryAfterMs: number = shortestRetryMs): TokenRefusal {
  return {
    reason: "AUTHORIZATION_SERVER_UNAVAILABLE",
    cause,
    retryAfterMs: Math.max(Math.ceil(retryAfterMs), shortestRetryMs),
  };
}
