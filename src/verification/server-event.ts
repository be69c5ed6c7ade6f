// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import type { RefusalReason } from "./refusal.js";

/** What a resource server does besides deciding, for metrics and logs. Holds no token and no part of one. */
export type ServerEvent = VerificationEvent | KeysEvent | IntrospectionEvent;

/** A token was verified; one that the cache knows is not verified again. */
export interface VerificationEvent {
  readonly kind: "verification";
  /** The issuer whose rules the token was held against; `undefined` if it names none of the trusted ones. */
  readonly issuer: string | undefined;
  readonly outcome: "valid" | RefusalReason;
  readonly durationMs: number;
}

/** The keys of an issuer were fetched, or could not be. */
export interface KeysEvent {
  readonly kind: "keys";
  readonly issuer: string;
  readonly outcome: "refreshed" | "failed";
  readonly durationMs: number;
  /** How many keys can be used now. */
  readonly keys: number;
  /** Why they could not be fetched. */
  readonly cause: string | undefined;
}

/** An authorization server was asked about a token (RFC 7662). */
export interface IntrospectionEvent {
  readonly kind: "introspection";
  readonly issuer: string;
  readonly outcome: "active" | "inactive" | "unavailable";
  readonly durationMs: number;
}
