// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { evaluate } from "../../rules/evaluate.js";
import type { Rule } from "../../rules/rule.js";
import type { RpcRule } from "../../rules/rule-set.js";
import type { Principal } from "../principal.js";
import type { Refusal, RefusalReason, TokenRefusal } from "../refusal.js";

/** What is known of the caller: a principal, why its token is refused, or nothing, because nobody looked. */
export type CallerVerdict = Principal | TokenRefusal | undefined;

/** Whether a verdict says who calls. */
export function isPrincipal(verdict: CallerVerdict): verdict is Principal {
  return verdict !== undefined && "clientId" in verdict;
}

/** Whether a rule looks at a token. */
export function demandsToken({ requirement }: Rule): boolean {
  return requirement.kind !== "public";
}

/** Why an RPC's rule refuses a call; `undefined` if it does not. */
export function findRefusal({ rule, audience }: RpcRule, verdict: CallerVerdict): Refusal | undefined {
  return demandsToken(rule) ? refusalOf(rule, audience, verdict) : undefined;
}

/** What the rule's `next` would say: "allow", or the reason of its refusal. `undefined` without a `next`. */
export function judgeNext({ rule, audience }: RpcRule, verdict: CallerVerdict): "allow" | RefusalReason | undefined {
  const { next } = rule;
  if (next === undefined) return undefined;
  return (demandsToken(next) ? refusalOf(next, audience, verdict)?.reason : undefined) ?? "allow";
}

function refusalOf(rule: Rule, audience: string, verdict: CallerVerdict): Refusal | undefined {
  if (!isPrincipal(verdict)) {
    const missing: TokenRefusal = { reason: "CREDENTIALS_MISSING", cause: "no token was looked at" };
    return { ...(verdict ?? missing), audience };
  }
  const evaluation = evaluate(rule, verdict);
  if (evaluation.allowed) return undefined;
  if (evaluation.reason === "CALLER_NOT_ALLOWED") {
    return { reason: evaluation.reason, cause: `client ${verdict.clientId} is not in callers`, audience };
  }
  const { reason, required, missing } = evaluation;
  return { reason, cause: `the token lacks ${missing.join(" ")}`, audience, required, missing };
}
