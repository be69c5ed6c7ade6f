// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import type { RpcRule } from "../rules/rule-set.js";
import { type CallerVerdict, isPrincipal, judgeNext } from "./decide.js";
import type { DecisionEvent, TokenCheck } from "./decision.js";
import type { IncomingCall } from "./incoming-call.js";
import type { Refusal } from "./refusal.js";
import type { ServerSettings } from "./resource-server-options.js";

/** What was decided of a call, and by what. */
export interface Judgement {
  readonly call: IncomingCall;
  /** `undefined` if the RPC has none. */
  readonly rule: RpcRule | undefined;
  readonly verdict: CallerVerdict;
  readonly tokenCheck: TokenCheck;
  /** Why it is refused; `undefined` if it is not. */
  readonly refusal: Refusal | undefined;
}

/** Tells `onDecision` of a judgement; `undefined` if nobody listens. */
export function createDecisionReport({
  onDecision,
  enforces,
  clock,
}: ServerSettings): ((judgement: Judgement) => void) | undefined {
  if (onDecision === undefined) return undefined;
  return (judgement) => onDecision(toEvent(judgement, enforces, clock.now()));
}

function toEvent(
  { call, rule, verdict, tokenCheck, refusal }: Judgement,
  enforces: boolean,
  now: number,
): DecisionEvent {
  const principal = isPrincipal(verdict) ? verdict : undefined;
  return {
    time: new Date(now),
    rpc: call.rpc,
    protocol: call.protocol,
    peer: call.transport?.peer,
    decision: refusal === undefined ? "allow" : "refuse",
    enforced: enforces || rule === undefined,
    reason: refusal?.reason,
    cause: refusal?.cause,
    audience: rule?.audience ?? "",
    required: rule?.rule.requirement.kind === "scopes" ? rule.rule.requirement.anyOf : [],
    granted: principal === undefined ? undefined : sorted(principal.scopes),
    clientId: principal?.clientId,
    issuer: principal?.issuer,
    tokenId: principal?.tokenId,
    tokenCheck,
    next: rule === undefined ? undefined : judgeNext(rule, verdict),
  };
}

// Tokens with the same scopes share one set.
const sortedScopes = new WeakMap<ReadonlySet<string>, readonly string[]>();

function sorted(scopes: ReadonlySet<string>): readonly string[] {
  const known = sortedScopes.get(scopes);
  if (known !== undefined) return known;
  const list = Object.freeze([...scopes].sort());
  sortedScopes.set(scopes, list);
  return list;
}
