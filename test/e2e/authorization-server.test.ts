// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { exportJWK, generateKeyPair } from "jose";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type AuthorizationServer, startAuthorizationServer } from "../../services/authorization-server/server.js";
import { readExampleMesh } from "../../services/shared/example-mesh.js";
import { type Credential, clientSecret, createTokenSource, privateKeyJwt, TokenError } from "../../src/index.js";

const audience = "https://payment-service.internal";
const secret = "a secret with + % : and &";

let server: AuthorizationServer;
let key: CryptoKey;
beforeAll(async () => {
  const { privateKey, publicKey } = await generateKeyPair("ES256");
  key = privateKey;
  server = await startAuthorizationServer({
    mesh: readExampleMesh(),
    port: 0,
    lifetimeSeconds: 60,
    clients: new Map([
      ["order-service", { method: "client_secret_basic", secret }],
      ["back-office", { method: "client_secret_post", secret }],
      ["inventory-service", { method: "private_key_jwt", publicKey: { ...(await exportJWK(publicKey)), kid: "1" } }],
    ]),
  });
});
afterAll(async () => {
  await server.close();
});

async function tokenOf(clientId: string, credential: Credential, scopes: string[]): Promise<string> {
  const source = createTokenSource({ issuer: server.issuer, clientId, credential });
  return (await source.get({ audience, scopes })).value;
}

function decode(token: string): { header: Record<string, unknown>; claims: Record<string, unknown> } {
  const [header = "", claims = ""] = token.split(".").map((part) => Buffer.from(part, "base64url").toString());
  return { header: JSON.parse(header), claims: JSON.parse(claims) };
}

describe("the embedded authorization server", () => {
  it("issues RFC 9068 access tokens signed with ES256", async () => {
    const { header, claims } = decode(await tokenOf("order-service", clientSecret(secret), ["payments:write"]));
    expect(header).toMatchObject({ alg: "ES256", typ: "at+jwt", kid: expect.any(String) });
    expect(claims).toMatchObject({
      iss: server.issuer,
      aud: audience,
      client_id: "order-service",
      sub: "order-service",
      scope: "payments:write",
      jti: expect.any(String),
    });
    expect((claims["exp"] as number) - (claims["iat"] as number)).toBe(60);
  });

  it("authenticates clients by client_secret_basic, client_secret_post and private_key_jwt", async () => {
    const tokens = [
      await tokenOf("order-service", clientSecret(secret), []),
      await tokenOf("back-office", clientSecret(secret, { method: "client_secret_post" }), []),
      await tokenOf("inventory-service", privateKeyJwt(key, { keyId: "1" }), []),
    ];
    expect(tokens.map((token) => decode(token).claims["client_id"])).toEqual([
      "order-service",
      "back-office",
      "inventory-service",
    ]);
  });

  it.each([
    ["a wrong secret", "order-service", () => clientSecret("wrong"), audience, "invalid_client"],
    ["an unknown client", "nobody", () => clientSecret(secret), audience, "invalid_client"],
    ["a key that is not registered", "inventory-service", () => clientSecret(secret), audience, "invalid_client"],
    ["an unknown audience", "order-service", () => clientSecret(secret), "https://elsewhere", "invalid_target"],
  ])("refuses %s", async (_, clientId, credential, resource, oauthError) => {
    const source = createTokenSource({ issuer: server.issuer, clientId, credential: credential() });
    const failure = Promise.resolve(source.get({ audience: resource, scopes: [] }));
    await expect(failure).rejects.toThrow(TokenError);
    await expect(failure).rejects.toMatchObject({ kind: "refused", oauthError });
  });

  it("refuses a scope that the client's calls do not need", async () => {
    await expect(tokenOf("order-service", clientSecret(secret), ["payments:admin"])).rejects.toMatchObject({
      kind: "refused",
      oauthError: "invalid_scope",
    });
  });

  it("issues an opaque token without a resource, and introspects it", async () => {
    const authorization = `Basic ${Buffer.from(`order-service:${encodeURIComponent(secret)}`).toString("base64")}`;
    const post = async (path: string, form: Record<string, string>): Promise<Record<string, unknown>> => {
      const response = await fetch(`${server.issuer}${path}`, {
        method: "POST",
        headers: { authorization },
        body: new URLSearchParams(form),
      });
      return (await response.json()) as Record<string, unknown>;
    };
    const { access_token: token } = await post("/token", { grant_type: "client_credentials" });
    expect(token).toMatch(/^[^.]+$/);
    expect(await post("/token/introspection", { token: String(token) })).toMatchObject({
      active: true,
      client_id: "order-service",
    });
    expect(await post("/token/introspection", { token: "unknown" })).toEqual({ active: false });
  });
});
