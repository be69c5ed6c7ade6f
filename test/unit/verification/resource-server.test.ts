// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import type { DescMethod } from "@bufbuild/protobuf";
import { describe, expect, it, vi } from "vitest";
import { DiscoveryError } from "../../../src/discovery/discovery-failure.js";
import { Health } from "../../../src/gen/health/v1/health_pb.js";
import { InventoryService } from "../../../src/gen/inventory/v1/inventory_pb.js";
import type { RuleJson } from "../../../src/gen/meshauth/v1/options_pb.js";
import { PaymentService } from "../../../src/gen/payment/v1/payment_pb.js";
import { systemClock } from "../../../src/platform/clock.js";
import { standardProvider } from "../../../src/providers/provider.js";
import { RuleError, rpcName } from "../../../src/rules/problem.js";
import type { Decision, DecisionEvent } from "../../../src/verification/decision/decision.js";
import type { Refusal } from "../../../src/verification/refusal.js";
import { createResourceServer, type ResourceServer } from "../../../src/verification/resource-server.js";
import type { CommonServerOptions, SingleIssuerOptions } from "../../../src/verification/resource-server-options.js";
import { createFakeClock, type FakeClock, settle } from "../../support/fake-clock.js";
import { createIssuer, down, hold, mintKey, signToken, type TestIssuer } from "../../support/issuer.js";
import { audience, claimsWith, expectNothingOf, headerWith, issuerUrl, key, mint, start, until } from "./harness.js";

const { charge, refund } = PaymentService.method;

interface Bench {
  readonly resourceServer: ResourceServer;
  readonly issuer: TestIssuer;
  readonly clock: FakeClock;
  readonly events: readonly DecisionEvent[];
  /** Authorizes a call and makes sure that neither the decision nor its event gives anything of the token away. */
  call(method: DescMethod, authorization?: string | null): Promise<Decision>;
}

/** The payment service, with a rule for the RPCs of health; public, unless a test needs another. */
function createBench(
  options: Partial<CommonServerOptions & SingleIssuerOptions> = {},
  health: RuleJson = { public: {} },
): Bench {
  const issuer = createIssuer(issuerUrl, key);
  const clock = createFakeClock(start * 1000);
  const events: DecisionEvent[] = [];
  const resourceServer = createResourceServer({
    services: [PaymentService],
    rules: [{ target: Health, rule: health }],
    issuer: issuer.url,
    fetch: issuer.fetch,
    clock,
    onDecision: (event) => events.push(event),
    ...options,
  });
  return {
    resourceServer,
    issuer,
    clock,
    events,
    async call(method, authorization) {
      const told = events.length;
      const decision = await resourceServer.authorize({
        method,
        rpc: rpcName(method),
        authorization,
        protocol: "grpc",
      });
      const token = authorization?.split(" ").at(-1) ?? "";
      if (!decision.allowed) expectNothingOf(token, decision);
      if (options.onDecision === undefined) {
        // Under a public rule with a next one, the event comes after the decision.
        await until(() => events.length > told);
        expectNothingOf(token, events.at(-1));
      }
      return decision;
    },
  };
}

function bearer(claims: Readonly<Record<string, unknown>> = {}): string {
  return `Bearer ${mint(claimsWith(claims))}`;
}

function refused(refusal: Partial<Refusal>): unknown {
  return { allowed: false, refusal: { audience, ...refusal } };
}

const missingCredentials = refused({ reason: "CREDENTIALS_MISSING", cause: "no authorization header" });
const forgedToken = signToken(await mintKey("ES256", key.kid), headerWith(), claimsWith());
const badSignature = refused({ reason: "TOKEN_INVALID", cause: "the signature does not verify" });

const brokenHeaders = [
  "Basic b3JkZXItc2VydmljZTpzZWNyZXQ=",
  "Bearer",
  "Bearer not a token",
  `Bearer ${forgedToken}`,
  bearer({ exp: start - 60 }),
  bearer({ aud: "https://order-service.internal" }),
];

describe("createResourceServer", () => {
  it("shows its rules, its clock and its tolerance", () => {
    const { resourceServer, clock } = createBench({ clockToleranceSeconds: 7 });
    expect(resourceServer.rules.forMethod(charge)).toMatchObject({ rpc: "payment.v1.PaymentService/Charge", audience });
    expect(resourceServer.rules.all).toHaveLength(7);
    expect(resourceServer.clock).toBe(clock);
    expect(resourceServer.clockToleranceMs).toBe(7_000);
  });

  it("takes the machine's clock, a tolerance of 5 seconds and the global fetch by default", async () => {
    const resourceServer = createResourceServer({ services: [PaymentService], issuer: issuerUrl });
    expect(resourceServer.clock).toBe(systemClock);
    expect(resourceServer.clockToleranceMs).toBe(5_000);
    const issuer = createIssuer(issuerUrl, key);
    vi.stubGlobal("fetch", issuer.fetch);
    try {
      await resourceServer.ready();
    } finally {
      vi.unstubAllGlobals();
    }
    expect(issuer.counts).toEqual({ discovery: 1, jwks: 1, other: 0 });
  });

  it("does without anybody who wants to know of its decisions", async () => {
    const emitWarning = vi.spyOn(process, "emitWarning").mockReturnValue();
    const { resourceServer, issuer, clock } = createBench();
    const quiet = createResourceServer({
      services: [PaymentService],
      issuer: issuer.url,
      fetch: issuer.fetch,
      clock,
    });
    const call = { method: charge, rpc: rpcName(charge), protocol: "grpc", authorization: bearer() };
    expect(await quiet.authorize(call)).toEqual(await resourceServer.authorize(call));
    expect(emitWarning).not.toHaveBeenCalled();
  });

  it("asks the issuer for nothing when it is created", () => {
    expect(createBench().issuer.requests).toEqual([]);
  });

  describe("the options", () => {
    const create = (options: Partial<CommonServerOptions & SingleIssuerOptions>): (() => ResourceServer) => {
      return () => createBench(options).resourceServer;
    };

    it("must have a rule for every RPC", () => {
      expect(create({ rules: [], services: [PaymentService, Health] })).toThrow(RuleError);
      expect(create({ rules: [], services: [PaymentService, Health] })).toThrow(
        /grpc\.health\.v1\.Health\/Check: has no rule/,
      );
    });

    it.each<readonly [unknown, string]>([
      ["", 'issuer "" is not a URL; write it as the authorization server does'],
      ["login.example.com", 'issuer "login.example.com" is not a URL; write it as the authorization server does'],
      ["ftp://a.example.com", 'issuer "ftp://a.example.com" is not a URL; write it as the authorization server does'],
      [undefined, "issuer undefined is not a URL; write it as the authorization server does"],
      ["http://login.example.com", "issuer http://login.example.com is plain http; that is allowed for loopback only"],
      [`${issuerUrl}?a=b`, "issuer has a query, a fragment or credentials in it; an issuer has none of them"],
    ])("must have an issuer that can be used: %j", (issuer, message) => {
      expect(create({ issuer: issuer as string })).toThrow(new TypeError(message));
    });

    it.each(["https://login.example.com/", "https://a.example.com/realms/mesh", "http://localhost:8080"])(
      "may have the issuer %s",
      (issuer) => {
        expect(create({ issuer })).not.toThrow();
      },
    );

    const known = "ES256, ES384, ES512, PS256, PS384, PS512, RS256, RS384, RS512, EdDSA, Ed25519";

    it.each<readonly [readonly string[], string]>([
      [[], "algorithms is empty; leave it out for the default"],
      [["HS256"], `algorithms has HS256; use some of ${known}`],
      [["none"], `algorithms has none; use some of ${known}`],
      [["rs256"], `algorithms has rs256; use some of ${known}`],
      [["RS256", "HS256", "ES256", "HS512"], `algorithms has HS256, HS512; use some of ${known}`],
    ])("must have asymmetric algorithms: %j", (algorithms, message) => {
      expect(create({ algorithms })).toThrow(new TypeError(message));
    });

    it.each([-1, -0.001, 300.001, Number.POSITIVE_INFINITY, Number.NaN])(
      "must have a tolerance that can be meant: %d",
      (clockToleranceSeconds) => {
        expect(create({ clockToleranceSeconds })).toThrow(
          new TypeError(`clockToleranceSeconds is ${clockToleranceSeconds}; give a number of seconds from 0 to 300`),
        );
      },
    );

    it.each([0, 0.5, 300])("may have a tolerance of %d seconds", (clockToleranceSeconds) => {
      expect(createBench({ clockToleranceSeconds }).resourceServer.clockToleranceMs).toBe(clockToleranceSeconds * 1000);
    });

    it.each([0, -1, Number.POSITIVE_INFINITY, Number.NaN])(
      "must have a time-out that can be meant: %d",
      (timeoutMs) => {
        expect(create({ timeoutMs })).toThrow(
          new TypeError(`timeoutMs is ${timeoutMs}; give a number of milliseconds above 0`),
        );
      },
    );

    it.each<readonly [number | undefined, number]>([
      [undefined, 10_000],
      [2_000, 2_000],
    ])("with a time-out of %s have requests end after %d ms", async (timeoutMs, expected) => {
      const timeout = vi.spyOn(AbortSignal, "timeout");
      const { resourceServer } = createBench(timeoutMs === undefined ? {} : { timeoutMs });
      await resourceServer.ready();
      expect(timeout.mock.calls).toEqual([[expected], [expected]]);
    });

    it("can allow fewer algorithms", async () => {
      const { call } = createBench({ algorithms: ["RS256"] });
      expect(await call(charge, bearer())).toEqual(
        refused({ reason: "TOKEN_INVALID", cause: "alg is not one of RS256" }),
      );
    });

    it("can move the claims", async () => {
      const { call } = createBench({ provider: { ...standardProvider, scopeClaims: ["scp"] } });
      expect(await call(charge, bearer())).toMatchObject(refused({ reason: "SCOPE_INSUFFICIENT" }) as object);
      expect(await call(charge, bearer({ scp: ["payments:write"] }))).toMatchObject({ allowed: true });
    });

    it("can make clocks be further apart", async () => {
      const { call } = createBench({ clockToleranceSeconds: 60 });
      expect(await call(charge, bearer({ exp: start - 59 }))).toMatchObject({ allowed: true });
      expect(await call(charge, bearer({ exp: start - 60 }))).toMatchObject(
        refused({ reason: "TOKEN_EXPIRED" }) as object,
      );
    });
  });

  describe("ready", () => {
    it("fetches metadata and keys", async () => {
      const { resourceServer, issuer } = createBench();
      await resourceServer.ready();
      expect(issuer.counts).toEqual({ discovery: 1, jwks: 1, other: 0 });
    });

    it("throws a DiscoveryError if that fails", async () => {
      const { resourceServer, issuer } = createBench();
      issuer.discovery = down;
      await expect(resourceServer.ready()).rejects.toThrow(DiscoveryError);
    });
  });

  describe("a public RPC", () => {
    it.each([undefined, null, "", bearer(), ...brokenHeaders])(
      "is for everybody, whatever they send: %j",
      async (header) => {
        const { call, resourceServer, issuer, events } = createBench();
        expect(await call(Health.method.check, header)).toEqual({
          allowed: true,
          rule: resourceServer.rules.forMethod(Health.method.check),
          principal: undefined,
        });
        expect(issuer.requests).toEqual([]);
        expect(events).toMatchObject([{ decision: "allow", clientId: undefined, granted: undefined }]);
      },
    );
  });

  describe("an RPC for any valid token", () => {
    const authenticated: RuleJson = { authenticated: {} };

    it("lets a token without scopes in", async () => {
      const { call, resourceServer } = createBench({}, authenticated);
      expect(await call(Health.method.check, bearer({ scope: undefined }))).toEqual({
        allowed: true,
        rule: resourceServer.rules.forMethod(Health.method.check),
        principal: expect.objectContaining({ clientId: "order-service", scopes: new Set() }),
      });
    });

    it.each([undefined, null, "", " "])("refuses a call without a token: %j", async (header) => {
      const { call, issuer } = createBench({}, authenticated);
      expect(await call(Health.method.check, header)).toEqual(missingCredentials);
      expect(issuer.requests).toEqual([]);
    });

    it.each(brokenHeaders)("refuses %s", async (header) => {
      const { call } = createBench({}, authenticated);
      expect((await call(Health.method.check, header)).allowed).toBe(false);
    });

    it("takes the audience of its own rule before that of the services", async () => {
      const rules = [{ target: Health, rule: authenticated, audience: "https://health.internal" }];
      const { call } = createBench({ rules });
      expect(await call(Health.method.check, bearer({ aud: "https://health.internal" }))).toMatchObject({
        allowed: true,
      });
      expect(await call(Health.method.check, bearer())).toEqual(
        refused({
          reason: "TOKEN_INVALID",
          cause: "aud does not include https://health.internal",
          audience: "https://health.internal",
        }),
      );
    });

    it("does not take a token of another service of the same server", async () => {
      const { call } = createBench({ services: [PaymentService, InventoryService] });
      const { checkStock } = InventoryService.method;
      const both = "payments:write inventory:read";
      const inventory = "https://inventory-service.internal";
      expect(await call(charge, bearer({ scope: both }))).toMatchObject({ allowed: true });
      expect(await call(checkStock, bearer({ scope: both }))).toEqual(
        refused({ reason: "TOKEN_INVALID", cause: `aud does not include ${inventory}`, audience: inventory }),
      );
      expect(await call(checkStock, bearer({ scope: both, aud: inventory }))).toMatchObject({ allowed: true });
    });
  });

  describe("an RPC with a scope", () => {
    it("lets a token with the scope in", async () => {
      const { call, resourceServer } = createBench();
      expect(await call(charge, bearer({ scope: "payments:write" }))).toEqual({
        allowed: true,
        rule: resourceServer.rules.forMethod(charge),
        principal: expect.objectContaining({ clientId: "order-service", scopes: new Set(["payments:write"]) }),
      });
    });

    it.each([
      undefined,
      "",
      "payments:read",
      "payments:writ",
      "payments:writes",
      "payments",
      "Payments:write",
      "payments:*",
      "payments:read,payments:write",
      "xpayments:write",
    ])("refuses a token with the scope %j", async (scope) => {
      const { call } = createBench();
      expect(await call(charge, bearer({ scope }))).toEqual(
        refused({
          reason: "SCOPE_INSUFFICIENT",
          cause: "the token lacks payments:write",
          required: ["payments:write"],
          missing: ["payments:write"],
        }),
      );
    });

    it("refuses a token that cannot be trusted before it looks at scopes", async () => {
      const { call } = createBench();
      expect(await call(charge, `Bearer ${forgedToken}`)).toEqual(badSignature);
    });

    it("tells an outage of the issuer from a bad token, and when to try again", async () => {
      const { call, issuer } = createBench();
      issuer.jwks = down;
      expect(await call(charge, bearer())).toEqual(
        refused({
          reason: "AUTHORIZATION_SERVER_UNAVAILABLE",
          cause: `the keys of ${issuerUrl} cannot be fetched (ECONNREFUSED)`,
          retryAfterMs: 5_000,
        }),
      );
    });
  });

  describe("an RPC with alternatives and callers", () => {
    it.each(["payments:admin", "payments:write payments:refund", "payments:refund x payments:write"])(
      "lets a listed caller with %s in",
      async (scope) => {
        const { call } = createBench();
        expect(await call(refund, bearer({ scope }))).toMatchObject({ allowed: true });
        expect(await call(refund, bearer({ scope, client_id: "back-office" }))).toMatchObject({ allowed: true });
      },
    );

    it("refuses a listed caller that has no alternative whole, and names the nearest", async () => {
      const { call } = createBench();
      const insufficient = { reason: "SCOPE_INSUFFICIENT", cause: "the token lacks payments:admin" } as const;
      const nearest = { required: ["payments:admin"], missing: ["payments:admin"] };
      expect(await call(refund, bearer({ scope: "payments:write" }))).toEqual(refused({ ...insufficient, ...nearest }));
      const rule = { scopes: { anyOf: [{ allOf: ["a", "b"] }, { allOf: ["c", "d", "e"] }] } };
      const other = createBench({}, rule);
      expect(await other.call(Health.method.check, bearer({ scope: "d c" }))).toEqual(
        refused({
          reason: "SCOPE_INSUFFICIENT",
          cause: "the token lacks e",
          required: ["c", "d", "e"],
          missing: ["e"],
        }),
      );
    });

    it.each([
      ["with every scope", "payments:admin payments:write payments:refund"],
      ["without a scope, who does not learn which it takes", ""],
    ])("refuses a caller that is not listed, %s", async (_, scope) => {
      const { call } = createBench();
      expect(await call(refund, bearer({ scope, client_id: "storefront", sub: "order-service" }))).toEqual(
        refused({ reason: "CALLER_NOT_ALLOWED", cause: "client storefront is not in callers" }),
      );
    });

    it.each(["order-service2", "order", "Order-Service", "back-office,order-service"])(
      "compares callers exactly: %s",
      async (client_id) => {
        const { call } = createBench();
        expect(await call(refund, bearer({ scope: "payments:admin", client_id }))).toEqual(
          refused({ reason: "CALLER_NOT_ALLOWED", cause: `client ${client_id} is not in callers` }),
        );
      },
    );
  });

  describe("an RPC without a rule", () => {
    const ruleMissing = (rpc: string): unknown =>
      refused({ reason: "RULE_MISSING", cause: `${rpc} has no rule`, audience: "" });

    it("is refused if it is of a service that is not served", async () => {
      const { call, issuer, events } = createBench();
      const { checkStock } = InventoryService.method;
      expect(await call(checkStock, bearer())).toEqual(ruleMissing("inventory.v1.InventoryService/CheckStock"));
      expect(issuer.requests).toEqual([]);
      expect(events).toMatchObject([{ reason: "RULE_MISSING", audience: "", required: [], next: undefined }]);
    });

    it("is refused if the router knows no method, whatever the name says", async () => {
      const { resourceServer } = createBench();
      const call = {
        method: undefined,
        rpc: "grpc.health.v1.Health/Check",
        protocol: "grpc-js",
        authorization: bearer(),
      };
      expect(await resourceServer.authorize(call)).toEqual(ruleMissing("grpc.health.v1.Health/Check"));
    });

    it("is looked up by its descriptor and not by its name", async () => {
      const { resourceServer } = createBench();
      const call = { method: charge, rpc: "grpc.health.v1.Health/Check", protocol: "grpc", authorization: undefined };
      expect(await resourceServer.authorize(call)).toEqual(missingCredentials);
    });
  });

  describe("next", () => {
    const { check } = Health.method;

    it.each<readonly [string, RuleJson, string | undefined]>([
      ["allow", { scope: "payments:write" }, bearer()],
      ["SCOPE_INSUFFICIENT", { scope: "payments:admin" }, bearer()],
      ["CALLER_NOT_ALLOWED", { scope: "payments:admin", callers: ["back-office"] }, bearer()],
      ["allow", { authenticated: {}, callers: ["order-service"] }, bearer()],
      ["allow", { public: {} }, bearer()],
    ])("is reported and not enforced: %s", async (verdict, next, header) => {
      const { call, events } = createBench({}, { scope: "payments:read", next });
      expect(await call(check, header)).toMatchObject({ allowed: true, principal: { clientId: "order-service" } });
      expect(events).toMatchObject([{ decision: "allow", reason: undefined, next: verdict }]);
      expect(events[0]?.required).toEqual([["payments:read"]]);
    });

    it.each<readonly [Refusal["reason"], string, RuleJson, string | undefined]>([
      ["CREDENTIALS_MISSING", "CREDENTIALS_MISSING", { scope: "payments:admin" }, undefined],
      ["CREDENTIALS_MISSING", "allow", { public: {} }, undefined],
      ["TOKEN_INVALID", "TOKEN_INVALID", { scope: "payments:admin" }, `Bearer ${forgedToken}`],
      ["TOKEN_EXPIRED", "TOKEN_EXPIRED", { authenticated: {} }, bearer({ exp: start - 60 })],
      ["SCOPE_INSUFFICIENT", "allow", { scope: "payments:write" }, bearer({ scope: "payments:write" })],
    ])("does not open a closed door: %s, %s", async (reason, verdict, next, header) => {
      const { call, events } = createBench({}, { scope: "payments:read", next });
      expect(await call(check, header)).toMatchObject({ allowed: false, refusal: { reason } });
      expect(events).toMatchObject([{ decision: "refuse", reason, next: verdict }]);
    });

    it.each<readonly [string, string | undefined, object]>([
      ["CREDENTIALS_MISSING", undefined, { clientId: undefined, granted: undefined }],
      ["TOKEN_INVALID", `Bearer ${forgedToken}`, { clientId: undefined, granted: undefined }],
      ["TOKEN_EXPIRED", bearer({ exp: start - 60 }), { clientId: undefined, granted: undefined }],
      ["SCOPE_INSUFFICIENT", bearer({ scope: "x" }), { clientId: "order-service", granted: ["x"] }],
      ["allow", bearer({ scope: "payments:read" }), { clientId: "order-service", granted: ["payments:read"] }],
    ])("leaves a public RPC public, without a principal: %s", async (verdict, header, who) => {
      const { call, events } = createBench({}, { public: {}, next: { scope: "payments:read" } });
      expect(await call(check, header)).toMatchObject({ allowed: true, principal: undefined });
      expect(events).toMatchObject([{ decision: "allow", reason: undefined, cause: undefined, next: verdict, ...who }]);
    });

    it("leaves a public RPC public in an outage of the issuer", async () => {
      const { call, events, issuer } = createBench({}, { public: {}, next: { authenticated: {} } });
      issuer.discovery = down;
      expect(await call(check, bearer())).toMatchObject({ allowed: true, principal: undefined });
      expect(events).toMatchObject([{ decision: "allow", next: "AUTHORIZATION_SERVER_UNAVAILABLE" }]);
    });

    it("has no public call wait for the issuer", async () => {
      const { resourceServer, events, issuer } = createBench({}, { public: {}, next: { authenticated: {} } });
      const held = hold(issuer.discovery);
      issuer.discovery = held.answer;
      const call = { method: check, rpc: rpcName(check), protocol: "grpc", authorization: bearer() };
      expect(await resourceServer.authorize(call)).toMatchObject({ allowed: true, principal: undefined });
      await until(() => issuer.counts.discovery === 1);
      expect(events).toEqual([]);
      held.release();
      await until(() => events.length > 0);
      expect(events).toMatchObject([{ decision: "allow", next: "allow", clientId: "order-service" }]);
    });

    it("looks at what a bound token is bound to, also for a public RPC", async () => {
      const { call, events } = createBench({}, { public: {}, next: { authenticated: {} } });
      const cnf = { "x5t#S256": "bwcK0esc3ACC3DB2Y5_lESsXE8o9ltc05O89jdN-dg2" };
      expect(await call(check, bearer({ cnf }))).toMatchObject({ allowed: true, principal: undefined });
      expect(events).toMatchObject([{ decision: "allow", next: "TOKEN_INVALID", clientId: undefined }]);
    });

    it("has no public call fail for a bug of a transport", async () => {
      const authorization = 7 as unknown as string;
      const { resourceServer, events } = createBench({}, { public: {}, next: { authenticated: {} } });
      const call = { method: check, rpc: rpcName(check), protocol: "grpc", authorization };
      expect(await resourceServer.authorize(call)).toMatchObject({ allowed: true, principal: undefined });
      await until(() => events.length > 0);
      expect(events).toMatchObject([{ decision: "allow", next: "CREDENTIALS_MISSING", clientId: undefined }]);
      expect(() => resourceServer.authorize({ ...call, method: charge })).toThrow(TypeError);
    });

    it("that is public has nobody look at the token of a public RPC", async () => {
      const { call, events, issuer } = createBench({}, { public: {}, next: { public: {} } });
      expect(await call(check, bearer())).toMatchObject({ allowed: true, principal: undefined });
      expect(events).toMatchObject([{ next: "allow", clientId: undefined }]);
      expect(issuer.requests).toEqual([]);
    });
  });

  describe("onDecision", () => {
    it("is told everything of a call that was allowed", async () => {
      const { call, events, clock } = createBench();
      clock.advance(1_234);
      await call(refund, bearer({ scope: "payments:write payments:refund", sub: "user-1" }));
      expect(events).toEqual([
        {
          time: new Date(start * 1000 + 1_234),
          rpc: "payment.v1.PaymentService/Refund",
          protocol: "grpc",
          peer: undefined,
          enforced: true,
          tokenCheck: "verified",
          decision: "allow",
          reason: undefined,
          cause: undefined,
          audience,
          required: [["payments:admin"], ["payments:write", "payments:refund"]],
          granted: ["payments:refund", "payments:write"],
          clientId: "order-service",
          issuer: issuerUrl,
          tokenId: "token-7",
          next: undefined,
        },
      ]);
    });

    it("is told everything of a call that was refused for its scopes", async () => {
      const { call, events } = createBench();
      await call(charge, bearer({ scope: "z a" }));
      expect(events).toEqual([
        {
          time: new Date(start * 1000),
          rpc: "payment.v1.PaymentService/Charge",
          protocol: "grpc",
          peer: undefined,
          enforced: true,
          tokenCheck: "verified",
          decision: "refuse",
          reason: "SCOPE_INSUFFICIENT",
          cause: "the token lacks payments:write",
          audience,
          required: [["payments:write"]],
          granted: ["a", "z"],
          clientId: "order-service",
          issuer: issuerUrl,
          tokenId: "token-7",
          next: undefined,
        },
      ]);
    });

    it("is told nothing of a token that was not verified", async () => {
      const { call, events } = createBench();
      await call(charge, `Bearer ${forgedToken}`);
      expect(events).toEqual([
        {
          time: new Date(start * 1000),
          rpc: "payment.v1.PaymentService/Charge",
          protocol: "grpc",
          peer: undefined,
          enforced: true,
          tokenCheck: "verified",
          decision: "refuse",
          reason: "TOKEN_INVALID",
          cause: "the signature does not verify",
          audience,
          required: [["payments:write"]],
          granted: undefined,
          clientId: undefined,
          issuer: undefined,
          tokenId: undefined,
          next: undefined,
        },
      ]);
    });

    it("is told once a call", async () => {
      const { call, events } = createBench();
      await call(charge, bearer());
      await call(charge, undefined);
      await call(Health.method.check, undefined);
      expect(events.map(({ rpc, decision }) => [rpc, decision])).toEqual([
        ["payment.v1.PaymentService/Charge", "allow"],
        ["payment.v1.PaymentService/Charge", "refuse"],
        ["grpc.health.v1.Health/Check", "allow"],
      ]);
    });

    it.each<readonly [string, () => void, string]>([
      [
        "throws an Error",
        () => {
          throw new Error("the disk is full");
        },
        "onDecision threw: the disk is full",
      ],
      [
        "throws nothing at all",
        () => {
          throw undefined;
        },
        "onDecision threw: something that is no Error",
      ],
      [
        "returns a promise that is rejected",
        () => Promise.reject(new Error("the disk is full")),
        "onDecision threw: the disk is full",
      ],
    ])("changes nothing if it %s, but there is a warning", async (_, onDecision, warning) => {
      const emitWarning = vi.spyOn(process, "emitWarning").mockReturnValue();
      const good = createBench();
      const { call } = createBench({ onDecision });
      for (const [method, header] of [
        [charge, bearer()],
        [charge, undefined],
        [refund, bearer()],
        [Health.method.check, undefined],
      ] as const) {
        emitWarning.mockClear();
        const { allowed } = await good.call(method, header);
        expect(await call(method, header)).toMatchObject({ allowed });
        await settle();
        expect(emitWarning.mock.calls).toEqual([[warning, { code: "MESHAUTH_ON_DECISION" }]]);
      }
    });
  });
});
