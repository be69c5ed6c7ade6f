// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import type { RefusalReason } from "./refusal.js";

/** A token was verified: its signature was checked, or it was refused before that. Not told of tokens that were cached. */
export interface VerificationEvent {
  readonly kind: "verification";
  /** The configured issuer whose token it is, or says it is; `undefined` if it is of none of them. */
  readonly issuer: string | undefined;
  readonly outcome: "valid" | RefusalReason;
  /** From taking the token apart to the verdict, waiting for keys included, in milliseconds. */
  readonly durationMs: number;
}

/** The keys of an issuer were fetched, or could not be. */
export interface KeysEvent {
  readonly kind: "keys";
  readonly issuer: string;
  readonly outcome: "refreshed" | "failed";
  /** From the request to the answer, in milliseconds. */
  readonly durationMs: number;
  /** How many keys of the issuer are in use after it. */
  readonly keys: number;
  /** With "failed": why. */
  readonly cause?: string | undefined;
}

/** An authorization server was asked about a token (RFC 7662). Not told of answers that were cached. */
export interface IntrospectionEvent {
  readonly kind: "introspection";
  readonly issuer: string;
  readonly outcome: "active" | "inactive" | "unavailable";
  /** From the request to the answer, in milliseconds. */
  readonly durationMs: number;
}

/** What a resource server tells of its work, decisions aside. Holds no token, no secret and no part of one. */
export type ServerEvent = VerificationEvent | KeysEvent | IntrospectionEvent;
