// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

/** Why a call is refused: the `reason` of google.rpc.ErrorInfo, domain `meshauth`. */
export type RefusalReason =
  | "CREDENTIALS_MISSING"
  | "TOKEN_EXPIRED"
  | "TOKEN_NOT_YET_VALID"
  | "TOKEN_INVALID"
  | "DPOP_PROOF_INVALID"
  | "DPOP_NONCE_REQUIRED"
  | "SCOPE_INSUFFICIENT"
  | "CALLER_NOT_ALLOWED"
  | "RULE_MISSING"
  | "AUTHORIZATION_SERVER_UNAVAILABLE";

/** A refusal, with what the caller may know and what only the server's own log may say. */
export interface Refusal {
  readonly reason: RefusalReason;
  /** The exact cause, for the server's log. Never holds a token or a part of one. Not sent to the caller. */
  readonly cause: string;
  /** The audience of the RPC. */
  readonly audience: string;
  /** With SCOPE_INSUFFICIENT: the scopes that would have done. */
  readonly required?: readonly string[];
  /** With SCOPE_INSUFFICIENT: those of them that the token lacks. */
  readonly missing?: readonly string[];
  /** With AUTHORIZATION_SERVER_UNAVAILABLE: when to try again, in milliseconds from now. */
  readonly retryAfterMs?: number;
  /** The stream was open already when its token expired. */
  readonly stream?: boolean;
  /** How the caller has to authenticate, for `www-authenticate`. By default, Bearer, or DPoP where the reason says so. */
  readonly scheme?: "DPoP";
  /** With the scheme DPoP: the algorithms that a proof may be signed with (RFC 9449 §7.1, `algs`). */
  readonly dpopAlgorithms?: readonly string[];
  /** With DPOP_NONCE_REQUIRED: the nonce that the next proof has to have (RFC 9449 §9). */
  readonly dpopNonce?: string;
}

/** What the verifier says of a token or a DPoP proof; a refusal as far as it knows, without the RPC. */
export type TokenRefusal = Pick<
  Refusal,
  "reason" | "cause" | "retryAfterMs" | "scheme" | "dpopAlgorithms" | "dpopNonce"
>;

/** A refusal of a token that is not what it should be. */
export function invalid(cause: string): TokenRefusal {
  return { reason: "TOKEN_INVALID", cause };
}
