// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import type { TokenRequirement } from "../rules/token-requirement.js";

/** Why there is no token. */
export type TokenFailure =
  /** The authorization server cannot be reached, or is unwell: may pass by itself. */
  | "unavailable"
  /** It refuses the credential or the request: somebody has to change something. */
  | "refused"
  /** The caller's own deadline or cancellation ended the wait. */
  | "cancelled";

/** What a token error is about. */
export interface TokenErrorContext {
  readonly issuer: string;
  readonly clientId: string;
  readonly requirement: TokenRequirement;
  /** How many requests for this token failed in a row, this one included. */
  readonly attempt: number;
}

/** A client could not get an access token. Never carries a token, a secret, or what the authorization server sent. */
export class TokenError extends Error {
  override readonly name = "TokenError";
  readonly code = "ERR_MESHAUTH_TOKEN";
  readonly kind: TokenFailure;
  /** The `error` of the token endpoint's answer (RFC 6749 §5.2), if it gave one. */
  readonly oauthError: string | undefined;
  readonly issuer: string;
  readonly clientId: string;
  readonly audience: string;
  readonly scopes: readonly string[];
  readonly attempt: number;

  constructor(kind: TokenFailure, reason: string, context: TokenErrorContext, oauthError?: string) {
    const { issuer, clientId, requirement, attempt } = context;
    const scopes = requirement.scopes.length === 0 ? "no scopes" : `scopes ${requirement.scopes.join(" ")}`;
    super(
      `no access token for ${requirement.audience} with ${scopes} from ${issuer} ` +
        `as client ${clientId} (attempt ${attempt}): ${reason}`,
    );
    this.kind = kind;
    this.oauthError = oauthError;
    this.issuer = issuer;
    this.clientId = clientId;
    this.audience = requirement.audience;
    this.scopes = requirement.scopes;
    this.attempt = attempt;
  }
}
