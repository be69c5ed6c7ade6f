// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { describe, expect, it, vi } from "vitest";
import { clientSecret } from "../../../src/credentials/client-secret.js";
import { PaymentService } from "../../../src/gen/payment/v1/payment_pb.js";
import { rpcName } from "../../../src/rules/problem.js";
import type { DecisionEvent } from "../../../src/verification/decision/decision.js";
import type { CallTransport, IncomingCall } from "../../../src/verification/incoming-call.js";
import { createResourceServer, type ResourceServer } from "../../../src/verification/resource-server.js";
import {
  type CommonServerOptions,
  letRefusedCallsThrough,
  type ResourceServerOptions,
} from "../../../src/verification/resource-server-options.js";
import { mintProof, mintProofKey } from "../../support/dpop.js";
import { createFakeClock } from "../../support/fake-clock.js";
import { createIssuer } from "../../support/issuer.js";
import { audience, claimsWith, issuerUrl, key, mint, start } from "./harness.js";

const { charge } = PaymentService.method;

function createBench(options: Partial<CommonServerOptions> = {}) {
  const issuer = createIssuer(issuerUrl, key);
  const events: DecisionEvent[] = [];
  const resourceServer = createResourceServer({
    services: [PaymentService],
    issuer: issuer.url,
    fetch: issuer.fetch,
    clock: createFakeClock(start * 1000),
    onDecision: (event) => events.push(event),
    ...options,
  });
  return { issuer, events, resourceServer };
}

const transportWith = (changes: Partial<CallTransport> = {}): CallTransport => ({
  peer: "10.0.0.7:53312",
  certificateThumbprint: undefined,
  httpMethod: "POST",
  path: "/payment.v1.PaymentService/Charge",
  dpopProofs: [],
  ...changes,
});

function callWith(authorization: string | undefined, transport?: CallTransport): IncomingCall {
  return { method: charge, rpc: rpcName(charge), authorization, protocol: "connect", transport };
}

const bearer = (claims = {}): string => `Bearer ${mint(claimsWith(claims))}`;

describe("a resource server that knows a token", () => {
  it("decides at once, and tells how it looked at the token", async () => {
    const { resourceServer, events } = createBench();
    const call = callWith(bearer(), transportWith());
    const first = resourceServer.authorize(call);
    expect(first).toBeInstanceOf(Promise);
    await first;
    expect(resourceServer.authorize(call)).toMatchObject({ allowed: true, principal: { clientId: "order-service" } });
    expect(resourceServer.authorize(callWith(undefined))).toMatchObject({ allowed: false });
    expect(resourceServer.authorize(callWith("Bearer a.b.c"))).toMatchObject({ allowed: false });
    expect(events.map(({ tokenCheck, peer, enforced }) => [tokenCheck, peer, enforced])).toEqual([
      ["verified", "10.0.0.7:53312", true],
      ["cached", "10.0.0.7:53312", true],
      ["none", undefined, true],
      ["verified", undefined, true],
    ]);
  });

  it("evaluates the rule of every call anew", async () => {
    const { resourceServer } = createBench();
    const authorization = bearer();
    await resourceServer.authorize(callWith(authorization));
    const { refund } = PaymentService.method;
    expect(resourceServer.authorize({ ...callWith(authorization), method: refund })).toMatchObject({
      allowed: false,
      refusal: { reason: "SCOPE_INSUFFICIENT" },
    });
  });

  it("says when it can verify tokens", async () => {
    const { resourceServer } = createBench();
    expect(resourceServer.unreadyIssuers()).toEqual([issuerUrl]);
    await resourceServer.ready();
    expect(resourceServer.unreadyIssuers()).toEqual([]);
  });
});

describe("a token that is bound to a certificate", () => {
  const thumbprint = "bwcK0esc3ACC3DB2Y5_lESsXE8o9ltc05O89jdN-dg2";
  const authorization = bearer({ cnf: { "x5t#S256": thumbprint } });

  it("is good on a connection with that certificate only, however often it comes", async () => {
    const { resourceServer, events } = createBench();
    const withCertificate = (certificateThumbprint: string | undefined) =>
      callWith(authorization, transportWith({ certificateThumbprint }));
    for (const _ of [1, 2]) {
      expect(await resourceServer.authorize(withCertificate(thumbprint))).toMatchObject({ allowed: true });
      const others = [`${thumbprint.slice(0, -1)}3`, thumbprint.slice(1), "", undefined].map(withCertificate);
      for (const call of [...others, callWith(authorization)]) {
        expect(await resourceServer.authorize(call)).toMatchObject({
          allowed: false,
          refusal: { reason: "TOKEN_INVALID", audience },
        });
      }
    }
    expect(new Set(events.map(({ cause }) => cause))).toEqual(
      new Set([
        undefined,
        "the token is bound to another certificate",
        "the token is bound to a certificate, and none came with the call",
      ]),
    );
    // Whose token it is stands in no event of a call that did not prove to be theirs.
    expect(events.filter(({ decision, clientId }) => decision === "refuse" && clientId !== undefined)).toEqual([]);
  });
});

describe("a token that is bound to a key", () => {
  const jkt = "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I";
  const bound = mint(claimsWith({ cnf: { jkt } }));
  const dpop = { origin: "https://payments.internal", algorithms: ["ES256"] };
  const refusalOf = async (resourceServer: ResourceServer, authorization: string | undefined) => {
    const decision = await resourceServer.authorize(callWith(authorization, transportWith()));
    return decision.allowed ? undefined : decision.refusal;
  };

  it("is refused where proofs are not looked at", async () => {
    const { resourceServer } = createBench();
    expect(await refusalOf(resourceServer, `DPoP ${bound}`)).toEqual({
      reason: "TOKEN_INVALID",
      cause: "the token is bound to a key (DPoP), and proofs are not looked at here",
      audience,
    });
  });

  it.each([
    ["as a bearer token", `Bearer ${bound}`, "TOKEN_INVALID"],
    ["without a proof", `DPoP ${bound}`, "DPOP_PROOF_INVALID"],
    ["once it has expired", `dpop ${mint(claimsWith({ cnf: { jkt }, exp: start - 60 }))}`, "TOKEN_EXPIRED"],
    ["without the token itself", "DPoP", "TOKEN_INVALID"],
  ])("is refused with what a proof has to be like, %s", async (_, authorization, reason) => {
    const { resourceServer } = createBench({ dpop });
    expect(await refusalOf(resourceServer, authorization)).toMatchObject({
      reason,
      scheme: "DPoP",
      dpopAlgorithms: ["ES256"],
    });
  });

  it.each([undefined, bearer({ exp: start - 60 }), "DPoPx a"])(
    "leaves other callers their scheme: %s",
    async (header) => {
      const { resourceServer } = createBench({ dpop });
      const refusal = await refusalOf(resourceServer, header);
      expect(refusal).toBeDefined();
      expect(refusal).not.toHaveProperty("scheme");
      expect(refusal).not.toHaveProperty("dpopAlgorithms");
    },
  );
});

describe("an event of a decision", () => {
  it("shows the other end of the call, in copies of it as well", async () => {
    const { resourceServer, events } = createBench();
    await resourceServer.authorize(callWith(bearer(), transportWith()));
    const [event] = events;
    expect([{ ...event }.peer, (JSON.parse(JSON.stringify(event)) as DecisionEvent).peer]).toEqual([
      "10.0.0.7:53312",
      "10.0.0.7:53312",
    ]);
  });

  it("has the same list of scopes for tokens that have the same", async () => {
    const { resourceServer, events } = createBench();
    for (const jti of ["a", "b"]) await resourceServer.authorize(callWith(bearer({ jti })));
    expect(events[1]?.granted).toBe(events[0]?.granted);
    expect(Object.isFrozen(events[0]?.granted)).toBe(true);
  });
});

describe("a resource server that lets refused calls through", () => {
  function createReporting(): { resourceServer: ResourceServer; events: readonly DecisionEvent[] } {
    vi.spyOn(process, "emitWarning").mockReturnValue();
    return createBench({ enforcement: letRefusedCallsThrough });
  }

  it("warns when it is created", () => {
    createReporting();
    expect(process.emitWarning).toHaveBeenCalledWith("refused calls are let through: enforcement is off", {
      code: "MESHAUTH_REPORT_ONLY",
    });
    vi.mocked(process.emitWarning).mockClear();
    createBench();
    expect(process.emitWarning).not.toHaveBeenCalled();
  });

  it("lets every call in that has a rule, with a principal where there is one, and tells what it would have said", async () => {
    const { resourceServer, events } = createReporting();
    const decisions = [];
    for (const authorization of [undefined, "Bearer a.b.c", bearer({ scope: "payments:read" }), bearer()]) {
      decisions.push(await resourceServer.authorize(callWith(authorization)));
    }
    expect(decisions).toMatchObject([
      { allowed: true, principal: undefined },
      { allowed: true, principal: undefined },
      { allowed: true, principal: { clientId: "order-service" } },
      { allowed: true, principal: { clientId: "order-service" } },
    ]);
    expect(events.map(({ decision, reason, enforced }) => [decision, reason, enforced])).toEqual([
      ["refuse", "CREDENTIALS_MISSING", false],
      ["refuse", "TOKEN_INVALID", false],
      ["refuse", "SCOPE_INSUFFICIENT", false],
      ["allow", undefined, false],
    ]);
  });

  it("hands out the nonce that a call should have had, so that the next one has it", async () => {
    vi.spyOn(process, "emitWarning").mockReturnValue();
    const proofKey = await mintProofKey();
    const nonce = { current: () => "nonce-1", accepts: (value: string) => value === "nonce-1" };
    const origin = "https://payments.internal";
    const { resourceServer, events } = createBench({ enforcement: letRefusedCallsThrough, dpop: { origin, nonce } });
    const token = mint(claimsWith({ cnf: { jkt: proofKey.jkt } }));
    const callWithNonce = (claims: object) => {
      const { path } = transportWith();
      const proof = mintProof(proofKey, { token, htu: origin + path, iat: start }, { claims: { ...claims } });
      return callWith(`DPoP ${token}`, transportWith({ dpopProofs: [proof] }));
    };
    expect(await resourceServer.authorize(callWithNonce({}))).toMatchObject({ allowed: true, dpopNonce: "nonce-1" });
    expect(await resourceServer.authorize(callWithNonce({ nonce: "nonce-1" }))).toMatchObject({
      allowed: true,
      principal: { clientId: "order-service" },
      dpopNonce: "nonce-1",
    });
    expect(events.map(({ reason }) => reason)).toEqual(["DPOP_NONCE_REQUIRED", undefined]);
  });

  it("still refuses an RPC that has no rule", () => {
    const { resourceServer, events } = createReporting();
    const call = { ...callWith(bearer()), method: undefined, rpc: "foreign.v1.Service/Method" };
    expect(resourceServer.authorize(call)).toMatchObject({ allowed: false, refusal: { reason: "RULE_MISSING" } });
    expect(events).toMatchObject([{ decision: "refuse", enforced: true, tokenCheck: "none" }]);
  });
});

describe("options of a resource server", () => {
  const create = (options: object) =>
    createResourceServer({ services: [PaymentService], ...options } as unknown as ResourceServerOptions);

  it.each([
    [{ issuer: issuerUrl, enforcement: "off" }, "enforcement is neither left out nor letRefusedCallsThrough"],
    [{ issuer: issuerUrl, enforcement: null }, "enforcement is neither left out nor letRefusedCallsThrough"],
    [{ issuer: issuerUrl, enforcement: Symbol("meshauth.letRefusedCallsThrough") }, "enforcement is neither"],
    [{ issuer: issuerUrl, maxCachedTokens: -1 }, "maxCachedTokens is -1; give a whole number, 0 or more"],
    [{ issuer: issuerUrl, maxCachedTokens: 1.5 }, "maxCachedTokens is 1.5; "],
    [{ issuer: issuerUrl, issuers: [{ issuer: issuerUrl }] }, "give issuer or issuers, not both"],
    [{ issuers: [] }, "issuers is empty; list at least one"],
    [{ issuers: [{ issuer: issuerUrl }, { issuer: issuerUrl }] }, `issuers has ${issuerUrl} twice`],
  ])("have to make sense: %o", (options, message) => {
    expect(() => create(options)).toThrow(TypeError);
    expect(() => create(options)).toThrow(message);
  });

  it("may say that no token is remembered, and that one issuer of several is asked about opaque tokens", () => {
    expect(() => create({ issuer: issuerUrl, maxCachedTokens: 0 })).not.toThrow();
    const introspection = { clientId: "payment-service", credential: clientSecret("a-secret") };
    const other = "https://other.example.com";
    expect(() => create({ issuers: [{ issuer: issuerUrl, introspection }, { issuer: other }] })).not.toThrow();
    expect(() =>
      create({
        issuers: [
          { issuer: issuerUrl, introspection },
          { issuer: other, introspection },
        ],
      }),
    ).toThrow(
      new TypeError("issuers has introspection twice; an opaque token names no issuer, so only one can be asked"),
    );
  });

  it("may name several issuers", async () => {
    const issuer = createIssuer(issuerUrl, key);
    const clock = createFakeClock(start * 1000);
    const issuers = [{ issuer: "https://other.example.com" }, { issuer: issuerUrl }];
    const resourceServer = create({ issuers, fetch: issuer.fetch, clock });
    expect(await resourceServer.authorize(callWith(bearer()))).toMatchObject({ allowed: true });
    expect(resourceServer.unreadyIssuers()).toEqual(["https://other.example.com"]);
  });
});
