// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import type { DescMethod } from "@bufbuild/protobuf";
import type { Clock } from "../platform/clock.js";
import { createRuleSet, type RpcRule, type RuleSet } from "../rules/rule-set.js";
import { type CallerVerdict, demandsToken, findRefusal, isPrincipal } from "./decision/decide.js";
import type { Decision, TokenCheck } from "./decision/decision.js";
import { createDecisionReport, type Judgement } from "./decision/decision-report.js";
import type { DpopVerifier } from "./dpop/dpop-verifier.js";
import type { IncomingCall } from "./incoming-call.js";
import type { TokenRefusal } from "./refusal.js";
import { type ResourceServerOptions, validateServerOptions } from "./resource-server-options.js";
import { checkSender, nonceFor, withScheme } from "./sender.js";
import { createVerifiers, type Verdict, type Verifier, type Verifiers } from "./verifier.js";

/** Decides who may call which RPC of some services. The transports' guards ask it. */
export interface ResourceServer {
  /** The rules that it decides by. */
  readonly rules: RuleSet;
  /** The time that it decides by. */
  readonly clock: Clock;
  /** How far clocks may be apart, in milliseconds. */
  readonly clockToleranceMs: number;
  /** Whether refusals count; otherwise calls are let through, and streams go on. */
  readonly enforces: boolean;
  /**
   * Fetches the issuers' metadata and keys now, so that the first call need not wait and a wrong issuer shows at start.
   * Throws a DiscoveryError.
   */
  ready(): Promise<void>;
  /**
   * The issuers whose JWTs cannot be verified at the moment, because their keys are not there: for a readiness check. Empty
   * once all is well. Does not wait, but has keys that are missing or old fetched.
   */
  unreadyIssuers(): readonly string[];
  /** Decides a call; at once if its token is known. Never throws for what a caller sends. */
  authorize(call: IncomingCall): Decision | Promise<Decision>;
}

/**
 * Creates a resource server (RFC 6749 §1.1) for some services.
 *
 * Throws a RuleError that lists every RPC without a rule and every rule that cannot be used, and a TypeError if another
 * option is wrong.
 *
 * ```ts
 * const resourceServer = createResourceServer({
 *   services: [PaymentService],
 *   issuer: "https://login.example.com",
 * });
 * await resourceServer.ready();
 * ```
 */
export function createResourceServer(options: ResourceServerOptions): ResourceServer {
  const rules = createRuleSet(options);
  const settings = validateServerOptions(options);
  const { clock, clockToleranceMs, enforces, dpop } = settings;
  const verifiers = createVerifiers(settings);
  const plans = createPlans(rules, verifiers);
  const report = createDecisionReport(settings);
  if (!enforces)
    process.emitWarning("refused calls are let through: enforcement is off", { code: "MESHAUTH_REPORT_ONLY" });

  function conclude(call: IncomingCall, rule: RpcRule, verdict: CallerVerdict, tokenCheck: TokenCheck): Decision {
    const refusal = findRefusal(rule, verdict);
    report?.({ call, rule, verdict, tokenCheck, refusal });
    if (refusal !== undefined && enforces) return { allowed: false, refusal: withScheme(refusal, call, dpop) };
    const principal = isPrincipal(verdict) ? verdict : undefined;
    const dpopNonce = refusal?.dpopNonce ?? nonceFor(principal, dpop);
    return dpopNonce === undefined ? { allowed: true, rule, principal } : { allowed: true, rule, principal, dpopNonce };
  }

  function judge(
    call: IncomingCall,
    rule: RpcRule,
    verdict: Verdict,
    tokenCheck: TokenCheck,
  ): Decision | Promise<Decision> {
    const proven = checkSender(verdict, call, dpop);
    return proven instanceof Promise
      ? proven.then((result) => conclude(call, rule, result, tokenCheck))
      : conclude(call, rule, proven, tokenCheck);
  }

  return {
    rules,
    clock,
    clockToleranceMs,
    enforces,
    ready: () => verifiers.load(),
    unreadyIssuers: () => verifiers.unready(),
    authorize(call) {
      const plan = call.method === undefined ? undefined : plans.get(call.method);
      if (plan === undefined) return refuseWithoutRule(call, report);
      const { rule, verifier } = plan;
      if (!demandsToken(rule.rule)) return admitPublic(call, plan, report, dpop);
      const verdict = verifier.verify(call.authorization);
      return verdict instanceof Promise
        ? verdict.then((verified) => judge(call, rule, verified, "verified"))
        : judge(call, rule, verdict, "reason" in verdict ? checkOf(verdict) : "cached");
    },
  };
}

/** An RPC's rule, and what verifies tokens for its audience. */
interface Plan {
  readonly rule: RpcRule;
  readonly verifier: Verifier;
}

function createPlans(rules: RuleSet, verifiers: Verifiers): ReadonlyMap<DescMethod, Plan> {
  const byAudience = new Map<string, Verifier>();
  return new Map(
    rules.all.map((rule) => {
      const verifier = byAudience.get(rule.audience) ?? verifiers.forAudience(rule.audience);
      byAudience.set(rule.audience, verifier);
      return [rule.method, { rule, verifier }];
    }),
  );
}

type Report = ((judgement: Judgement) => void) | undefined;

function refuseWithoutRule(call: IncomingCall, report: Report): Decision {
  const refusal = { reason: "RULE_MISSING", cause: `${call.rpc} has no rule`, audience: "" } as const;
  report?.({ call, rule: undefined, verdict: undefined, tokenCheck: "none", refusal });
  return { allowed: false, refusal };
}

function admitPublic(
  call: IncomingCall,
  { rule, verifier }: Plan,
  report: Report,
  dpop: DpopVerifier | undefined,
): Decision {
  const decision: Decision = { allowed: true, rule, principal: undefined };
  if (report === undefined) return decision;
  const tell = (verdict: CallerVerdict, tokenCheck: TokenCheck): void =>
    report({ call, rule, verdict, tokenCheck, refusal: undefined });
  const { next } = rule.rule;
  if (next === undefined || !demandsToken(next)) {
    tell(undefined, "none");
    return decision;
  }
  // A public call waits for nothing: what its next rule would say is found out behind it.
  Promise.resolve()
    .then(() => verifier.verify(call.authorization))
    .then((verdict) => checkSender(verdict, call, dpop))
    .then(
      (verdict) => tell(verdict, "verified"),
      () => tell(undefined, "none"),
    );
  return decision;
}

function checkOf({ reason }: TokenRefusal): TokenCheck {
  return reason === "CREDENTIALS_MISSING" ? "none" : "verified";
}
