// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

/** What a token must prove for a call to be allowed. */
export type Requirement =
  | { readonly kind: "public" }
  | { readonly kind: "authenticated" }
  /** Every scope of at least one alternative. There is at least one alternative, and each has at least one scope. */
  | { readonly kind: "scopes"; readonly anyOf: readonly ScopeSet[] };

/** Scopes that are needed together, as written in the proto. */
export type ScopeSet = readonly [string, ...string[]];

/** What one RPC demands of its caller: the annotation `meshauth.v1.rule`, checked. */
export interface Rule {
  readonly requirement: Requirement;
  /** Client ids that may call; `undefined` means every client that meets the requirement. */
  readonly callers: ReadonlySet<string> | undefined;
  /** What happens to a stream whose token expires. By default, "keep". */
  readonly onTokenExpiry: "keep" | "close";
  /** Evaluated and reported, not enforced. */
  readonly next: Rule | undefined;
}
