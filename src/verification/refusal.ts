// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

/** Why a call is refused: the `reason` of google.rpc.ErrorInfo, domain `meshauth`. */
export type RefusalReason =
  | "CREDENTIALS_MISSING"
  | "TOKEN_EXPIRED"
  | "TOKEN_NOT_YET_VALID"
  | "TOKEN_INVALID"
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
}

/** What the verifier says of a token; a refusal as far as it knows, without the RPC. */
export type TokenRefusal = Pick<Refusal, "reason" | "cause" | "retryAfterMs">;

/** A refusal of a token that is not what it should be. */
export function invalid(cause: string): TokenRefusal {
  return { reason: "TOKEN_INVALID", cause };
}
