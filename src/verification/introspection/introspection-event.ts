// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

/** The authorization server was asked about a token. Holds nothing of the token. */
export interface IntrospectionEvent {
  readonly kind: "introspection";
  readonly issuer: string;
  /** What it answered; "unavailable" if nothing that can be used. */
  readonly outcome: "active" | "inactive" | "unavailable";
  /** From asking to the answer in milliseconds, with discovery if that came first. */
  readonly durationMs: number;
}
