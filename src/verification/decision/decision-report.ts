// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import type { RpcRule } from "../../rules/rule-set.js";
import type { CallTransport, IncomingCall } from "../incoming-call.js";
import type { Refusal } from "../refusal.js";
import type { ServerSettings } from "../resource-server-options.js";
import { type CallerVerdict, isPrincipal, judgeNext } from "./decide.js";
import type { DecisionEvent, TokenCheck } from "./decision.js";

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
  return (judgement) => onDecision(new ReportedDecision(judgement, enforces, clock.now()));
}

class ReportedDecision implements DecisionEvent {
  readonly time: Date;
  readonly rpc: string;
  readonly protocol: string;
  declare readonly peer: string | undefined;
  readonly decision: DecisionEvent["decision"];
  readonly enforced: boolean;
  readonly reason: DecisionEvent["reason"];
  readonly cause: string | undefined;
  readonly audience: string;
  readonly required: DecisionEvent["required"];
  readonly granted: readonly string[] | undefined;
  readonly clientId: string | undefined;
  readonly issuer: string | undefined;
  readonly tokenId: string | undefined;
  readonly tokenCheck: TokenCheck;
  readonly next: DecisionEvent["next"];
  readonly #transport: CallTransport | undefined;

  constructor({ call, rule, verdict, tokenCheck, refusal }: Judgement, enforces: boolean, now: number) {
    const principal = isPrincipal(verdict) ? verdict : undefined;
    this.time = new Date(now);
    this.rpc = call.rpc;
    this.protocol = call.protocol;
    this.decision = refusal === undefined ? "allow" : "refuse";
    this.enforced = enforces || rule === undefined;
    this.reason = refusal?.reason;
    this.cause = refusal?.cause;
    this.audience = rule?.audience ?? "";
    this.required = rule?.rule.requirement.kind === "scopes" ? rule.rule.requirement.anyOf : anything;
    this.granted = principal === undefined ? undefined : sorted(principal.scopes);
    this.clientId = principal?.clientId;
    this.issuer = principal?.issuer;
    this.tokenId = principal?.tokenId;
    this.tokenCheck = tokenCheck;
    this.next = rule === undefined ? undefined : judgeNext(rule, verdict);
    this.#transport = call.transport;
    Object.defineProperty(this, "peer", ReportedDecision.#peer);
  }

  // Asking a connection for its other end costs more than the decision. A property of its own, so that copies have it.
  static readonly #peer: PropertyDescriptor = {
    enumerable: true,
    get(this: ReportedDecision) {
      return this.#transport?.peer;
    },
  };
}

const anything: DecisionEvent["required"] = Object.freeze([]);

// Tokens with the same scopes share one set.
const sortedScopes = new WeakMap<ReadonlySet<string>, readonly string[]>();

function sorted(scopes: ReadonlySet<string>): readonly string[] {
  const known = sortedScopes.get(scopes);
  if (known !== undefined) return known;
  const list = Object.freeze([...scopes].sort());
  sortedScopes.set(scopes, list);
  return list;
}
