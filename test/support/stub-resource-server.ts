// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import type { DescMethod, DescService } from "@bufbuild/protobuf";
import { type ConfiguredRule, createRuleSet, type RpcRule } from "../../src/rules/rule-set.js";
import { readCredentials } from "../../src/verification/bearer.js";
import type { Decision } from "../../src/verification/decision/decision.js";
import type { IncomingCall } from "../../src/verification/incoming-call.js";
import type { Principal } from "../../src/verification/principal.js";
import type { Refusal, RefusalReason, TokenRefusal } from "../../src/verification/refusal.js";
import type { ResourceServer } from "../../src/verification/resource-server.js";
import { createFakeClock, type FakeClock } from "./fake-clock.js";

/** A token that the stub takes for good. It is not in any text but by mistake. */
export const goodToken = "good.c8a1f0d7e5b2496d";

/** How long the good token lasts from each decision on, in milliseconds. */
export const lifetimeMs = 300_000;

/** A token that the stub refuses for a reason. */
export function refusedToken(reason: RefusalReason): string {
  return `refused.${reason}.3b7e9a42d6c81f05`;
}

/** The header that carries a token. */
export function bearer(token: string): string {
  return `Bearer ${token}`;
}

/** A resource server that decides by the text of a token, and remembers what it was asked. */
export interface StubResourceServer extends ResourceServer {
  readonly clock: FakeClock;
  /** Every call that it was asked about, in order. */
  readonly calls: readonly IncomingCall[];
  /** Runs before each decision: may wait, or throw. */
  before: (call: IncomingCall) => Promise<void> | void;
}

/** How the stub is set up. */
export interface StubResourceServerOptions {
  readonly services: readonly DescService[];
  readonly rules?: readonly ConfiguredRule[];
  /** More tokens that are refused, and how. */
  readonly refusals?: Readonly<Record<string, Omit<Refusal, "audience">>>;
  /** RPCs whose streams end with their token, whatever their protos say. */
  readonly closing?: readonly DescMethod[];
  /** RPCs whose streams outlive their token, whatever their protos say. */
  readonly keeping?: readonly DescMethod[];
  /** By default, 5,000. */
  readonly clockToleranceMs?: number;
  /** Whether refusals count. By default, they do. */
  readonly enforces?: boolean;
}

/** Creates a stub. Rules are real ones; what is not the good token or one that is known to be refused is invalid. */
export function createStubResourceServer(options: StubResourceServerOptions): StubResourceServer {
  const { clockToleranceMs = 5_000, refusals = {}, closing = [], keeping = [] } = options;
  const rules = createRuleSet(options);
  const clock = createFakeClock();
  const calls: IncomingCall[] = [];

  function verify(authorization: string | null | undefined): Principal | Omit<Refusal, "audience"> {
    const credentials = readCredentials(authorization);
    if ("reason" in credentials) return credentials;
    const { token } = credentials;
    if (token === goodToken) return principalOf(clock.now() + lifetimeMs);
    return refusals[token] ?? refusedFor(token);
  }

  function withExpiry(rule: RpcRule): RpcRule {
    if (closing.includes(rule.method)) return { ...rule, rule: { ...rule.rule, onTokenExpiry: "close" } };
    if (keeping.includes(rule.method)) return { ...rule, rule: { ...rule.rule, onTokenExpiry: "keep" } };
    return rule;
  }

  const stub: StubResourceServer = {
    rules,
    clock,
    clockToleranceMs,
    enforces: options.enforces ?? true,
    calls,
    before() {},
    ready: async () => {},
    unreadyIssuers: () => [],
    async authorize(call): Promise<Decision> {
      calls.push(call);
      await stub.before(call);
      const rule = call.method === undefined ? undefined : rules.forMethod(call.method);
      if (rule === undefined) {
        return { allowed: false, refusal: { reason: "RULE_MISSING", cause: `${call.rpc} has no rule`, audience: "" } };
      }
      if (rule.rule.requirement.kind === "public") return { allowed: true, rule, principal: undefined };
      const verdict = verify(call.authorization);
      if ("clientId" in verdict) return { allowed: true, rule: withExpiry(rule), principal: verdict };
      return { allowed: false, refusal: { ...verdict, audience: rule.audience } };
    },
  };
  return stub;
}

// The cause holds the token: whoever shows causes to callers is found out by tests that look for it.
function refusedFor(token: string): TokenRefusal {
  const reason = /^refused\.([A-Z_]+)\./.exec(token)?.[1] as RefusalReason | undefined;
  return { reason: reason ?? "TOKEN_INVALID", cause: `refused ${token}` };
}

function principalOf(expiresAt: number): Principal {
  return {
    clientId: "order-service",
    subject: "order-service",
    issuer: "https://login.test",
    audience: ["https://payment-service.internal"],
    scopes: new Set(["payments:write"]),
    expiresAt,
    tokenId: "token-7",
    confirmation: undefined,
    claims: {},
  };
}
