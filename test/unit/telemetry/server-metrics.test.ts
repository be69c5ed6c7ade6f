// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { AggregationTemporality } from "@opentelemetry/sdk-metrics";
import { describe, expect, it } from "vitest";
import { createServerMetrics } from "../../../src/opentelemetry.js";
import { createDecisionCounts } from "../../../src/telemetry/decision-counts.js";
import type { DecisionEvent } from "../../../src/verification/decision/decision.js";
import type { RefusalReason } from "../../../src/verification/refusal.js";
import type { ServerEvent } from "../../../src/verification/server-event.js";
import { type Collected, createCollector } from "./collected.js";
import { allowedCall, refusedCall } from "./decisions.js";

const prefix = "meshauth.server.";

async function count(...decisions: DecisionEvent[]): Promise<Record<string, Collected>> {
  const { meterProvider, collect } = createCollector();
  const { onDecision } = createServerMetrics({ meterProvider });
  for (const decision of decisions) onDecision(decision);
  return await collect(prefix);
}

async function record(...events: ServerEvent[]): Promise<Record<string, Collected>> {
  const { meterProvider, collect } = createCollector();
  const { onEvent } = createServerMetrics({ meterProvider });
  for (const event of events) onEvent(event);
  return await collect(prefix);
}

const allowedAttributes = {
  "rpc.method": "payment.v1.PaymentService/Charge",
  "rpc.system.name": "connectrpc",
  "meshauth.decision": "allow",
  "meshauth.enforced": true,
};

describe("metrics of decisions", () => {
  it("count by decision and reason", async () => {
    const { decisions } = await count(allowedCall(), refusedCall(), allowedCall());
    expect(decisions).toEqual({
      unit: "{decision}",
      points: [
        { attributes: allowedAttributes, value: 2 },
        {
          attributes: { ...allowedAttributes, "meshauth.decision": "refuse", "error.type": "SCOPE_INSUFFICIENT" },
          value: 1,
        },
      ],
    });
  });

  const distinctions: { name: string; change: Partial<DecisionEvent>; attributes: object }[] = [
    { name: "RPC", change: { rpc: "a.v1.A/B" }, attributes: { "rpc.method": "a.v1.A/B" } },
    { name: "system", change: { protocol: "grpc" }, attributes: { "rpc.system.name": "grpc" } },
    { name: "reason", change: { reason: "TOKEN_EXPIRED" }, attributes: { "error.type": "TOKEN_EXPIRED" } },
    { name: "decision", change: { decision: "refuse" }, attributes: { "meshauth.decision": "refuse" } },
    { name: "enforcement", change: { enforced: false }, attributes: { "meshauth.enforced": false } },
    { name: "what next says", change: { next: "allow" }, attributes: { "meshauth.next": "allow" } },
  ];
  it.each(distinctions)("tell apart by $name", async ({ change, attributes }) => {
    const { decisions } = await count(allowedCall(), allowedCall(change), allowedCall());
    expect(decisions?.points).toEqual([
      { attributes: allowedAttributes, value: 2 },
      { attributes: { ...allowedAttributes, ...attributes }, value: 1 },
    ]);
  });

  it("keep their numbers, whichever kind of decision is frequent", async () => {
    const kinds = [allowedCall(), refusedCall(), refusedCall({ reason: "TOKEN_EXPIRED" })] as const;
    const order = [0, 1, 2, 2, 2, 1, 0, 1, 1, 2, 0, 2];
    const { decisions } = await count(...order.map((kind) => kinds[kind as 0 | 1 | 2]));
    const byReason = decisions?.points.map(({ attributes, value }) => [
      (attributes as Record<string, unknown>)["error.type"] ?? "none",
      value,
    ]);
    expect(byReason).toHaveLength(3);
    expect(Object.fromEntries(byReason ?? [])).toEqual({ none: 3, SCOPE_INSUFFICIENT: 4, TOKEN_EXPIRED: 5 });
  });

  it.each([
    ["connect", "connectrpc"],
    ["grpc", "grpc"],
    ["grpc-web", "grpc"],
    ["grpc-js", "grpc"],
    ["h3-of-tomorrow", "_OTHER"],
  ])("call the system of %s %s", async (protocol, system) => {
    const { decisions } = await count(allowedCall({ protocol }));
    expect(decisions?.points[0]?.attributes).toMatchObject({ "rpc.system.name": system });
  });

  it("count cached and verified tokens, from zero on, and calls without a checked token as neither", async () => {
    const checksOf = async (...decisions: DecisionEvent[]) => (await count(...decisions))["token.checks"];
    const points = (cached: number, verified: number) => ({
      unit: "{token}",
      points: [
        { attributes: { "meshauth.token.check": "cached" }, value: cached },
        { attributes: { "meshauth.token.check": "verified" }, value: verified },
      ],
    });
    expect(await checksOf(allowedCall({ tokenCheck: "none" }))).toEqual(points(0, 0));
    expect(
      await checksOf(allowedCall(), allowedCall(), refusedCall({ tokenCheck: "verified" }), allowedCall()),
    ).toEqual(points(3, 1));
  });

  it("go on counting between collections, as increments if the collector wants those", async () => {
    const { meterProvider, collect } = createCollector(AggregationTemporality.DELTA);
    const { onDecision } = createServerMetrics({ meterProvider });
    onDecision(allowedCall());
    onDecision(allowedCall());
    expect((await collect(prefix))["decisions"]?.points[0]?.value).toBe(2);
    onDecision(allowedCall());
    expect((await collect(prefix))["decisions"]?.points[0]?.value).toBe(1);
  });

  it("add up what several resource servers of a process count", async () => {
    const { meterProvider, collect } = createCollector();
    createServerMetrics({ meterProvider }).onDecision(allowedCall());
    createServerMetrics({ meterProvider }).onDecision(allowedCall());
    expect((await collect(prefix))["decisions"]?.points).toEqual([{ attributes: allowedAttributes, value: 2 }]);
  });

  it("go to the global meter provider by default, which may be none", () => {
    const { onDecision, onEvent } = createServerMetrics();
    onDecision(allowedCall());
    onEvent({ kind: "verification", issuer: undefined, outcome: "valid", durationMs: 1 });
  });
});

describe("the number of series", () => {
  const reasons: RefusalReason[] = [
    "CREDENTIALS_MISSING",
    "TOKEN_EXPIRED",
    "TOKEN_NOT_YET_VALID",
    "TOKEN_INVALID",
    "SCOPE_INSUFFICIENT",
    "CALLER_NOT_ALLOWED",
    "AUTHORIZATION_SERVER_UNAVAILABLE",
  ];

  it("does not grow with what callers make up: names of RPCs, protocols, clients, causes", async () => {
    const invented = Array.from({ length: 10_000 }, (_, index) => [
      refusedCall({
        rpc: `made.up.v${index}.Service/Call${index}`,
        protocol: `protocol-${index}`,
        reason: "RULE_MISSING",
        cause: `made.up.v${index}.Service/Call${index} has no rule`,
        peer: `10.0.0.1:${index}`,
      }),
      refusedCall({
        reason: reasons[index % reasons.length],
        clientId: `client-${index}`,
        issuer: `https://${index}.example.com`,
        tokenId: `token-${index}`,
        granted: [`scope-${index}`],
        protocol: `protocol-${index}`,
      }),
    ]).flat();
    const { decisions, "token.checks": checks } = await count(...invented);
    expect(decisions?.points).toHaveLength(1 + reasons.length);
    expect(decisions?.points[0]).toEqual({
      attributes: {
        "rpc.method": "_OTHER",
        "rpc.system.name": "_OTHER",
        "meshauth.decision": "refuse",
        "meshauth.enforced": true,
        "error.type": "RULE_MISSING",
      },
      value: 10_000,
    });
    expect(checks?.points).toHaveLength(2);
  });

  it("ends at 2,000 RPCs, whatever goes wrong; those that are known are still told apart", () => {
    const counts = createDecisionCounts();
    for (let index = 0; index < 3_000; index++) counts.add(allowedCall({ rpc: `a.v1.A/B${index}` }));
    counts.add(allowedCall({ rpc: "a.v1.A/B0" }));
    const byRpc = new Map([...counts.decisions()].map(({ attributes, value }) => [attributes["rpc.method"], value]));
    expect(byRpc.size).toBe(2_001);
    expect(byRpc.get("a.v1.A/B0")).toBe(2);
    expect(byRpc.get("_OTHER")).toBe(1_000);
  });

  it("ends at 100 issuers", async () => {
    const events = Array.from({ length: 150 }, (_, index): ServerEvent => {
      return { kind: "verification", issuer: `https://${index}.example.com`, outcome: "valid", durationMs: 1 };
    });
    const { "token.verification.duration": duration } = await record(...events, ...events.slice(0, 1));
    expect(duration?.points).toHaveLength(101);
    expect(duration?.points[0]?.value).toMatchObject({ count: 2 });
    expect(duration?.points[100]).toEqual({
      attributes: { "meshauth.issuer": "_OTHER", outcome: "valid" },
      value: { count: 50, sum: expect.closeTo(0.05) },
    });
  });
});

describe("metrics of verification, keys and introspection", () => {
  const issuer = "https://login.example.com:8443/realms/one";
  const common = { "server.address": "login.example.com", "meshauth.issuer": issuer };

  it("time verifications in seconds, by outcome", async () => {
    const { "token.verification.duration": duration } = await record(
      { kind: "verification", issuer, outcome: "valid", durationMs: 0.25 },
      { kind: "verification", issuer, outcome: "TOKEN_EXPIRED", durationMs: 1 },
      { kind: "verification", issuer: undefined, outcome: "TOKEN_INVALID", durationMs: 2 },
    );
    expect(duration).toEqual({
      unit: "s",
      points: [
        { attributes: { ...common, outcome: "valid" }, value: { count: 1, sum: 0.00025 } },
        {
          attributes: { ...common, outcome: "refused", "error.type": "TOKEN_EXPIRED" },
          value: { count: 1, sum: 0.001 },
        },
        { attributes: { outcome: "refused", "error.type": "TOKEN_INVALID" }, value: { count: 1, sum: 0.002 } },
      ],
    });
  });

  it("count and time refreshes of keys by outcome, and say how many keys are in use", async () => {
    const {
      "key.refreshes": refreshes,
      "key.refresh.duration": duration,
      "key.count": keys,
    } = await record(
      { kind: "keys", issuer, outcome: "refreshed", durationMs: 40, keys: 3, unusable: [] },
      { kind: "keys", issuer, outcome: "failed", durationMs: 10_000, keys: 2, unusable: [], cause: "timed out" },
    );
    const refreshed = { ...common, outcome: "refreshed" };
    const failed = { ...common, outcome: "failed" };
    expect(refreshes).toEqual({
      unit: "{request}",
      points: [
        { attributes: refreshed, value: 1 },
        { attributes: failed, value: 1 },
      ],
    });
    expect(duration?.points).toEqual([
      { attributes: refreshed, value: { count: 1, sum: 0.04 } },
      { attributes: failed, value: { count: 1, sum: 10 } },
    ]);
    expect(keys).toEqual({ unit: "{key}", points: [{ attributes: common, value: 2 }] });
  });

  it("keep the keys of two issuers on one host apart", async () => {
    const { "key.count": keys } = await record(
      { kind: "keys", issuer, outcome: "refreshed", durationMs: 40, keys: 3, unusable: [] },
      { kind: "keys", issuer: `${issuer}-more`, outcome: "refreshed", durationMs: 40, keys: 1, unusable: [] },
    );
    expect(keys?.points.map(({ value }) => value)).toEqual([3, 1]);
  });

  it("count and time introspection by outcome", async () => {
    const { "introspection.requests": requests, "introspection.request.duration": duration } = await record(
      { kind: "introspection", issuer, outcome: "active", durationMs: 20 },
      { kind: "introspection", issuer, outcome: "inactive", durationMs: 30 },
      { kind: "introspection", issuer, outcome: "active", durationMs: 20 },
    );
    expect(requests).toEqual({
      unit: "{request}",
      points: [
        { attributes: { ...common, outcome: "active" }, value: 2 },
        { attributes: { ...common, outcome: "inactive" }, value: 1 },
      ],
    });
    expect(duration?.unit).toBe("s");
    expect(duration?.points[0]?.value).toEqual({ count: 2, sum: 0.04 });
  });
});
