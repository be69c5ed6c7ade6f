// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import type { DecisionEvent } from "../verification/decision.js";

/** How the token of a call was checked: not at all, by the cache of verified tokens, or by its signature. */
export type TokenCheck = "none" | "cached" | "verified";

/** A decision as telemetry takes it. */
export type ReportedDecision = DecisionEvent & {
  /** The address of the other end; `undefined` if unknown. */
  readonly peer?: string | undefined;
  /** `false` where a refusal was only reported, and the call went through. By default, `true`. */
  readonly enforced?: boolean;
  readonly tokenCheck?: TokenCheck;
};

/** Whether somebody should look at it: a call that was refused, or would be by the rule's `next`. */
export function isRefusal({ decision, next }: Pick<ReportedDecision, "decision" | "next">): boolean {
  return decision === "refuse" || (next !== undefined && next !== "allow");
}
