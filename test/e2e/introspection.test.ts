// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import type { DescMethod } from "@bufbuild/protobuf";
import { exportJWK, generateKeyPair } from "jose";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  type AuthorizationServer,
  developmentSecret,
  startAuthorizationServer,
} from "../../services/authorization-server/server.js";
import { readExampleMesh } from "../../services/shared/example-mesh.js";
import { InventoryService } from "../../src/gen/inventory/v1/inventory_pb.js";
import { PaymentService } from "../../src/gen/payment/v1/payment_pb.js";
import {
  type Credential,
  clientSecret,
  createResourceServer,
  createTokenSource,
  privateKeyJwt,
  standardProvider,
} from "../../src/index.js";
import { createTestClock, type TestClock } from "../../src/testing.js";
import { createIntrospector, type Introspector } from "../../src/verification/introspection/introspector.js";
import type { IntrospectionEvent } from "../../src/verification/server-event.js";

const audience = "https://payment-service.internal";

let server: AuthorizationServer;
let key: CryptoKey;
beforeAll(async () => {
  const { privateKey, publicKey } = await generateKeyPair("ES256");
  key = privateKey;
  server = await startAuthorizationServer({
    mesh: readExampleMesh(),
    port: 0,
    opaque: [audience],
    clients: new Map([
      ["payment-service", { method: "private_key_jwt", publicKey: { ...(await exportJWK(publicKey)), kid: "1" } }],
      ["inventory-service", { method: "client_secret_post", secret: "a secret with + % : and &" }],
    ]),
  });
});
afterAll(async () => {
  await server.close();
});

interface Setup {
  readonly introspector: Introspector;
  readonly clock: TestClock;
  readonly events: IntrospectionEvent[];
}

function setUp(clientId = "payment-service", credential: Credential = privateKeyJwt(key, { keyId: "1" })): Setup {
  const clock = createTestClock(Date.now());
  const events: IntrospectionEvent[] = [];
  const introspector = createIntrospector({
    issuer: server.issuer,
    clientId,
    credential,
    provider: standardProvider,
    timeoutMs: 10_000,
    fetch: (input, init) => fetch(input, init),
    clock,
    onEvent: (event) => void events.push(event),
  });
  return { introspector, clock, events };
}

async function obtainToken(resource = audience, scopes = ["payments:write"]): Promise<string> {
  const clientId = "order-service";
  const credential = clientSecret(developmentSecret(clientId));
  const source = createTokenSource({ issuer: server.issuer, clientId, credential, onEvent: () => {} });
  return (await source.get({ audience: resource, scopes })).value;
}

async function revoke(token: string): Promise<number> {
  const authorization = `Basic ${btoa(`order-service:${developmentSecret("order-service")}`)}`;
  const body = new URLSearchParams({ token });
  return (await fetch(`${server.issuer}/token/revocation`, { method: "POST", headers: { authorization }, body }))
    .status;
}

describe("introspection at a real authorization server", () => {
  it("says of an opaque token what a JWT says itself", async () => {
    const { introspector, events } = setUp();
    await introspector.load();
    const token = await obtainToken();
    expect(token).toMatch(/^[^.]+$/);
    const verdict = await introspector.introspect(token);
    expect(verdict).toMatchObject({
      claims: {
        active: true,
        iss: server.issuer,
        aud: audience,
        client_id: "order-service",
        scope: "payments:write",
        exp: expect.any(Number) as number,
        iat: expect.any(Number) as number,
      },
    });
    expect(introspector.introspect(token)).toBe(verdict);
    expect(events).toEqual([
      { kind: "introspection", issuer: server.issuer, outcome: "active", durationMs: expect.any(Number) as number },
    ]);
  });

  it("authenticates by client_secret_post and client_secret_basic as well", async () => {
    const post = clientSecret("a secret with + % : and &", { method: "client_secret_post" });
    const basic = clientSecret(developmentSecret("back-office"));
    const token = await obtainToken();
    for (const { introspector } of [setUp("inventory-service", post), setUp("back-office", basic)]) {
      expect(await introspector.introspect(token)).toHaveProperty("claims");
    }
  });

  it("sees within 60 s that a token was revoked (RFC 7009)", async () => {
    const { introspector, clock } = setUp();
    const [token, other] = [await obtainToken(), await obtainToken()];
    await Promise.all([introspector.introspect(token), introspector.introspect(other)]);
    expect(await revoke(token)).toBe(200);
    await clock.advance(59_999);
    expect(await introspector.introspect(token)).toHaveProperty("claims");
    await clock.advance(1);
    expect(await introspector.introspect(token)).toEqual({
      reason: "TOKEN_INVALID",
      cause: "the authorization server says that the token is not active",
    });
    expect(await introspector.introspect(other)).toHaveProperty("claims");
  });

  it("refuses what is no token of this authorization server", async () => {
    const { introspector, events } = setUp();
    for (const token of ["unknown", "eyJhbGciOiJub25lIn0.e30.", "x".repeat(4000)]) {
      expect(await introspector.introspect(token)).toMatchObject({ reason: "TOKEN_INVALID" });
    }
    expect(events.map(({ outcome }) => outcome)).toEqual(["inactive", "inactive", "inactive"]);
  });

  it("does not call a token bad because the credential is", async () => {
    const { introspector } = setUp("back-office", clientSecret("wrong"));
    expect(await introspector.introspect(await obtainToken())).toMatchObject({
      reason: "AUTHORIZATION_SERVER_UNAVAILABLE",
      cause: "the introspection endpoint refused: invalid_client",
    });
  });

  it("leaves the tokens of other audiences JWTs", async () => {
    const token = await obtainToken("https://inventory-service.internal", ["inventory:read"]);
    expect(token.split(".")).toHaveLength(3);
  });
});

describe("a guarded server that takes JWTs and opaque tokens", () => {
  it("judges both alike, and refuses an opaque token within a minute of its revocation", async () => {
    const clock = createTestClock(Date.now());
    const resourceServer = createResourceServer({
      services: [PaymentService, InventoryService],
      issuer: server.issuer,
      introspection: { clientId: "payment-service", credential: privateKeyJwt(key, { keyId: "1" }) },
      clock,
    });
    await resourceServer.ready();
    const authorize = async (method: DescMethod, token: string) =>
      await resourceServer.authorize({ method, rpc: method.name, authorization: `Bearer ${token}`, protocol: "grpc" });
    const { charge, listPayments } = PaymentService.method;
    const [opaque, jwt] = [
      await obtainToken(),
      await obtainToken("https://inventory-service.internal", ["inventory:read"]),
    ];

    expect(await authorize(charge, opaque)).toMatchObject({
      allowed: true,
      principal: { clientId: "order-service", subject: "order-service", scopes: new Set(["payments:write"]) },
    });
    expect(
      resourceServer.authorize({ method: charge, rpc: "", authorization: `Bearer ${opaque}`, protocol: "grpc" }),
    ).toMatchObject({ allowed: true });
    expect(await authorize(listPayments, opaque)).toMatchObject({ refusal: { reason: "SCOPE_INSUFFICIENT" } });
    expect(await authorize(InventoryService.method.checkStock, jwt)).toMatchObject({ allowed: true });
    expect(await authorize(charge, jwt)).toMatchObject({ refusal: { reason: "TOKEN_INVALID" } });
    expect(await authorize(InventoryService.method.checkStock, opaque)).toMatchObject({
      refusal: { reason: "TOKEN_INVALID", cause: "aud does not include https://inventory-service.internal" },
    });

    await revoke(opaque);
    await clock.advance(60_000);
    expect(await authorize(charge, opaque)).toMatchObject({ refusal: { reason: "TOKEN_INVALID" } });
    expect(await authorize(InventoryService.method.checkStock, jwt)).toMatchObject({ allowed: true });
  });
});

describe("the embedded authorization server", () => {
  it("has no revocation and no opaque tokens unless it was told to", async () => {
    const other = await startAuthorizationServer({ mesh: readExampleMesh(), port: 0 });
    const metadata = await (await fetch(`${other.issuer}/.well-known/openid-configuration`)).json();
    await other.close();
    expect(metadata).not.toHaveProperty("revocation_endpoint");
    expect(metadata).toHaveProperty("introspection_endpoint");
  });
});
