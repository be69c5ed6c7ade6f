// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import type { CheckedClaims } from "./claims.js";
import type { ClaimSource } from "./principal.js";
import type { TokenRefusal } from "./refusal.js";
import type { Proof } from "./token-cache.js";

/** A token that was verified. */
export interface VerifiedToken {
  readonly claims: CheckedClaims;
  /** All of the claims, where the token itself does not have them. */
  readonly source?: ClaimSource;
  /** What proved it, and until when that does if nothing else is heard, in milliseconds since the Unix epoch. */
  readonly proof: Proof;
  readonly usableUntil: number;
}

/** What became of a token. */
export interface TokenVerdict {
  /** The issuer whose rules it was held against; `undefined` if it names none of the trusted ones. */
  readonly issuer: string | undefined;
  /** At once, if nobody has to be asked and no signature to be verified. */
  readonly verdict: VerifiedToken | TokenRefusal | Promise<VerifiedToken | TokenRefusal>;
}
