// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import type { Rule, ScopeSet } from "./rule.js";

/** Who calls, as far as a rule looks. */
export interface Caller {
  readonly clientId: string;
  readonly scopes: ReadonlySet<string>;
}

/** Whether a rule lets a caller in, and if not, why. */
export type Evaluation =
  | { readonly allowed: true }
  | { readonly allowed: false; readonly reason: "CALLER_NOT_ALLOWED" }
  | {
      readonly allowed: false;
      readonly reason: "SCOPE_INSUFFICIENT";
      /** The alternative of which the caller lacks the fewest scopes; of several, the first. */
      readonly required: ScopeSet;
      /** The scopes of it that the caller lacks. */
      readonly missing: readonly string[];
    };

const allowed: Evaluation = { allowed: true };
const callerNotAllowed: Evaluation = { allowed: false, reason: "CALLER_NOT_ALLOWED" };

/**
 * Evaluates a rule that demands a token. Who may call is decided before what they may do: a caller that is not listed
 * does not learn which scopes would be needed.
 */
export function evaluate({ callers, requirement }: Rule, caller: Caller): Evaluation {
  if (callers !== undefined && !callers.has(caller.clientId)) return callerNotAllowed;
  if (requirement.kind !== "scopes") return allowed;
  let nearest: { required: ScopeSet; missing: readonly string[] } | undefined;
  for (const required of requirement.anyOf) {
    const missing = required.filter((scope) => !caller.scopes.has(scope));
    if (missing.length === 0) return allowed;
    if (nearest === undefined || missing.length < nearest.missing.length) nearest = { required, missing };
  }
  // A rule without an alternative is refused when it is read; were there one, nobody would get in.
  return nearest === undefined ? callerNotAllowed : { allowed: false, reason: "SCOPE_INSUFFICIENT", ...nearest };
}
