// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import type { DescService } from "@bufbuild/protobuf";
import { checkTimeout, defaultTimeoutMs, parseIssuer } from "../discovery/discovery.js";
import { type Clock, systemClock } from "../platform/clock.js";
import { createHarmlessListener } from "../platform/listener.js";
import { type Provider, standardProvider } from "../providers/provider.js";
import { validateProvider } from "../providers/validate-provider.js";
import { evaluate } from "../rules/evaluate.js";
import type { Rule } from "../rules/rule.js";
import { type ConfiguredRule, createRuleSet, type RpcRule, type RuleSet } from "../rules/rule-set.js";
import { readBearerToken } from "./bearer.js";
import type { Decision, DecisionEvent } from "./decision.js";
import type { IncomingCall } from "./incoming-call.js";
import type { Principal } from "./principal.js";
import type { Refusal, RefusalReason, TokenRefusal } from "./refusal.js";
import { createVerifier, type Verifier } from "./verifier.js";

/** Decides who may call which RPC of some services. The transports' guards ask it. */
export interface ResourceServer {
  /** The rules that it decides by. */
  readonly rules: RuleSet;
  /** The time that it decides by. */
  readonly clock: Clock;
  /** How far clocks may be apart, in milliseconds. */
  readonly clockToleranceMs: number;
  /**
   * Fetches the issuer's metadata and keys now, so that the first call need not wait and a wrong issuer shows at start.
   * Throws a DiscoveryError.
   */
  ready(): Promise<void>;
  /** Decides a call. Never throws for what a caller sends. */
  authorize(call: IncomingCall): Promise<Decision>;
}

/** Options of createResourceServer(). */
export interface ResourceServerOptions {
  /** The services that are served. Their protos say who may call, and for which audience tokens must be. */
  readonly services: readonly DescService[];
  /** Rules for services whose protos cannot declare any, such as health and reflection. By default, none. */
  readonly rules?: readonly ConfiguredRule[];
  /** The issuer, exactly as `iss` has it; compared byte for byte. Plain http is for loopback only. */
  readonly issuer: string;
  /** The signature algorithms that are accepted (RFC 7518 §3.1). By default, the asymmetric ones. */
  readonly algorithms?: readonly string[];
  /** Where the claims of this issuer's tokens are. By default, where RFC 9068 says. */
  readonly provider?: Provider;
  /** How far clocks may be apart, in seconds. By default, 5. */
  readonly clockToleranceSeconds?: number;
  /** Time-out of requests to the authorization server in milliseconds. By default, 10,000. */
  readonly timeoutMs?: number;
  /** Is told of every decision. By default, nobody is. Must not throw. */
  readonly onDecision?: (event: DecisionEvent) => void;
  /** Replaces the global fetch, for a proxy or a certificate authority of your own. */
  readonly fetch?: typeof fetch;
  /** The time. By default, the machine's. */
  readonly clock?: Clock;
}

/** Algorithms whose keys an authorization server can publish. */
export const asymmetricAlgorithms: readonly string[] = [
  "ES256",
  "ES384",
  "ES512",
  "PS256",
  "PS384",
  "PS512",
  "RS256",
  "RS384",
  "RS512",
  "EdDSA",
  "Ed25519",
];

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
  const clock = options.clock ?? systemClock;
  const verifier = createVerifier(verifierOptions(options, clock));
  const report = createReporter(options.onDecision, clock);

  return {
    rules,
    clock,
    clockToleranceMs: toleranceMs(options),
    ready: () => verifier.load(),
    async authorize(call) {
      const rule = call.method === undefined ? undefined : rules.forMethod(call.method);
      const verify = (audience: string) => verifyToken(verifier, call.authorization, audience);
      const verdict = rule !== undefined && demandsToken(rule.rule) ? await verify(rule.audience) : undefined;
      const decision = decide(call, rule, verdict);
      if (report === undefined) return decision;
      if (rule?.rule.next === undefined || demandsToken(rule.rule) || !demandsToken(rule.rule.next)) {
        report(call, rule, verdict, decision);
        return decision;
      }
      // A public call waits for nothing: what its next rule would say is found out behind it.
      verify(rule.audience).then(
        (tried) => report(call, rule, tried, decision),
        () => report(call, rule, undefined, decision),
      );
      return decision;
    },
  };
}

type Verdict = Principal | TokenRefusal | undefined;

function demandsToken({ requirement }: Rule): boolean {
  return requirement.kind !== "public";
}

async function verifyToken(
  verifier: Verifier,
  authorization: string | null | undefined,
  audience: string,
): Promise<Principal | TokenRefusal> {
  const token = readBearerToken(authorization);
  return typeof token === "string" ? await verifier.verify(token, audience) : token;
}

function decide({ rpc }: IncomingCall, rule: RpcRule | undefined, verdict: Verdict): Decision {
  if (rule === undefined) {
    return refuse({ reason: "RULE_MISSING", cause: `${rpc} has no rule`, audience: "" });
  }
  if (rule.rule.requirement.kind === "public") return { allowed: true, rule, principal: undefined };
  const refusal = refusalOf(rule.rule, rule.audience, verdict);
  if (refusal !== undefined) return refuse(refusal);
  return { allowed: true, rule, principal: isPrincipal(verdict) ? verdict : undefined };
}

function refuse(refusal: Refusal): Decision {
  return { allowed: false, refusal };
}

function isPrincipal(verdict: Verdict): verdict is Principal {
  return verdict !== undefined && "clientId" in verdict;
}

/** Why a rule that demands a token refuses; `undefined` if it does not. */
function refusalOf(rule: Rule, audience: string, verdict: Verdict): Refusal | undefined {
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

type Reporter = (call: IncomingCall, rule: RpcRule | undefined, verdict: Verdict, decision: Decision) => void;

function createReporter(onDecision: ResourceServerOptions["onDecision"], clock: Clock): Reporter | undefined {
  if (onDecision === undefined) return undefined;
  // An audit sink that fails must neither open nor close the door.
  const tell = createHarmlessListener(onDecision, "onDecision", "MESHAUTH_ON_DECISION");
  return ({ rpc, protocol }, rule, verdict, decision) => {
    const principal = isPrincipal(verdict) ? verdict : undefined;
    const event: DecisionEvent = {
      time: new Date(clock.now()),
      rpc,
      protocol,
      decision: decision.allowed ? "allow" : "refuse",
      reason: decision.allowed ? undefined : decision.refusal.reason,
      cause: decision.allowed ? undefined : decision.refusal.cause,
      audience: rule?.audience ?? "",
      required: rule?.rule.requirement.kind === "scopes" ? rule.rule.requirement.anyOf : [],
      granted: principal === undefined ? undefined : [...principal.scopes].sort(),
      clientId: principal?.clientId,
      issuer: principal?.issuer,
      tokenId: principal?.tokenId,
      next: nextVerdict(rule, verdict),
    };
    tell(event);
  };
}

function nextVerdict(rule: RpcRule | undefined, verdict: Verdict): "allow" | RefusalReason | undefined {
  const next = rule?.rule.next;
  if (rule === undefined || next === undefined) return undefined;
  if (next.requirement.kind === "public") return "allow";
  return refusalOf(next, rule.audience, verdict)?.reason ?? "allow";
}

function verifierOptions(options: ResourceServerOptions, clock: Clock): Parameters<typeof createVerifier>[0] {
  parseIssuer(options.issuer);
  if (options.provider !== undefined) validateProvider(options.provider);
  const { algorithms = asymmetricAlgorithms, timeoutMs = defaultTimeoutMs } = options;
  const foreign = algorithms.filter((algorithm) => !asymmetricAlgorithms.includes(algorithm));
  if (algorithms.length === 0) throw new TypeError("algorithms is empty; leave it out for the default");
  if (foreign.length > 0) {
    throw new TypeError(`algorithms has ${foreign.join(", ")}; use some of ${asymmetricAlgorithms.join(", ")}`);
  }
  checkTimeout(timeoutMs);
  return {
    issuer: options.issuer,
    algorithms,
    provider: options.provider ?? standardProvider,
    clockToleranceMs: toleranceMs(options),
    timeoutMs,
    fetch: options.fetch ?? ((input, init) => fetch(input, init)),
    clock,
  };
}

function toleranceMs({ clockToleranceSeconds = 5 }: ResourceServerOptions): number {
  if (!(clockToleranceSeconds >= 0 && clockToleranceSeconds <= 300)) {
    throw new TypeError(`clockToleranceSeconds is ${clockToleranceSeconds}; give a number of seconds from 0 to 300`);
  }
  return clockToleranceSeconds * 1000;
}
