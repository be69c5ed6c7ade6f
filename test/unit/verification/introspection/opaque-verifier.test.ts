// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { describe, expect, it } from "vitest";
import { clientSecret } from "../../../../src/credentials/client-secret.js";
import { providers } from "../../../../src/providers/presets.js";
import type { IntrospectionOptions } from "../../../../src/verification/introspection/introspection-options.js";
import { createTrustedIssuer, type IssuerOptions } from "../../../../src/verification/trusted-issuer.js";
import { createVerifiers } from "../../../../src/verification/verifier.js";
import { createFakeClock } from "../../../support/fake-clock.js";
import { createFakeIntrospectionEndpoint } from "../../../support/fake-introspection-endpoint.js";
import { createIssuer } from "../../../support/issuer.js";
import { audience, claimsWith, invalidBecause, issuerUrl, key, mint, start } from "../harness.js";

const opaqueIssuer = "https://opaque.example.com";
const token = "ory_at_7Zk2.pQ9xW";
const introspection: IntrospectionOptions = { clientId: "payment-service", credential: clientSecret("a-secret") };

/** What the authorization server says of a good token. */
const answer = (changes: Readonly<Record<string, unknown>> = {}) => claimsWith({ iss: opaqueIssuer, ...changes });

function createBench(options: Partial<IssuerOptions> = {}) {
  const jwts = createIssuer(issuerUrl, key);
  const opaque = createFakeIntrospectionEndpoint({
    issuer: opaqueIssuer,
    metadata: { jwks_uri: `${opaqueIssuer}/keys` },
  });
  const clock = createFakeClock(start * 1000);
  const verifiers = createVerifiers({
    issuers: [
      createTrustedIssuer({ issuer: issuerUrl }),
      createTrustedIssuer({ issuer: opaqueIssuer, introspection, ...options }),
    ],
    clockToleranceMs: 5_000,
    maxCachedTokens: 100,
    timeoutMs: 10_000,
    fetch: (input, init) => (String(input).startsWith(opaqueIssuer) ? opaque : jwts).fetch(input, init),
    clock,
  });
  const verifier = verifiers.forAudience(audience);
  return { jwts, opaque, clock, verifiers, verifier, verify: (value = token) => verifier.verify(`Bearer ${value}`) };
}

describe("a verifier that asks about opaque tokens", () => {
  it("takes them beside the JWTs of another issuer, and shows neither to the other", async () => {
    const { verify, jwts, opaque } = createBench();
    opaque.active.set(token, answer());
    expect(await verify()).toMatchObject({
      clientId: "order-service",
      issuer: opaqueIssuer,
      scopes: new Set(["payments:read", "payments:write"]),
      claims: { ...answer(), active: true },
    });
    expect(jwts.requests).toEqual([]);
    expect(await verify(mint())).toMatchObject({ issuer: issuerUrl });
    expect(opaque.introspections).toHaveLength(1);
  });

  it("asks nobody about a JWT, whoever's it says it is", async () => {
    const { verify, opaque } = createBench();
    expect(await verify(mint(claimsWith({ iss: "https://stranger.example.com" })))).toMatchObject({
      reason: "TOKEN_INVALID",
    });
    expect(await verify("a.b.c")).toMatchObject({ reason: "TOKEN_INVALID" });
    expect(opaque.requests).toEqual([]);
  });

  it("knows a token at once for a minute, and sees then that it was revoked", async () => {
    const { verify, opaque, clock } = createBench();
    opaque.active.set(token, answer());
    const first = await verify();
    opaque.active.delete(token);
    clock.advance(60_000 - 1);
    expect(verify()).toBe(first);
    expect(opaque.introspections).toHaveLength(1);
    clock.advance(1);
    expect(await verify()).toMatchObject({ reason: "TOKEN_INVALID" });
    expect(opaque.introspections).toHaveLength(2);
  });

  it("sees a revocation in time, also after the clock was set back", async () => {
    const { verify, opaque, clock } = createBench();
    opaque.active.set(token, answer());
    await verify();
    opaque.active.delete(token);
    clock.advance(59_000);
    clock.jump(-58_000);
    clock.advance(1_000);
    expect(await verify()).toMatchObject({ reason: "TOKEN_INVALID" });
  });

  it("never knows a token past its exp and the tolerance", async () => {
    const { verify, opaque, clock } = createBench();
    opaque.active.set(token, answer({ exp: start + 10 }));
    await verify();
    clock.advance(15_000);
    expect(await verify()).toMatchObject({ reason: "TOKEN_EXPIRED" });
  });

  it.each<[string, Readonly<Record<string, unknown>>, string]>([
    ["another issuer", { iss: issuerUrl }, "iss is not the issuer"],
    ["an issuer that is no text", { iss: null }, "iss is not the issuer"],
    ["another audience", { aud: "https://order-service.internal" }, `aud does not include ${audience}`],
    ["no audience", { aud: undefined }, `aud does not include ${audience}`],
    ["no client", { client_id: undefined }, "no client id in client_id"],
    ["no expiry", { exp: undefined }, "exp is missing or no time"],
    ["an expiry that is a text", { exp: `${start + 300}` }, "exp is missing or no time"],
    ["scopes that cannot be read", { scope: 7 }, "the scopes in scope cannot be read"],
    ["a type that is not known", { token_type: "mac" }, "token_type is none that can be used here"],
    ["a type that is no text", { token_type: ["Bearer"] }, "token_type is none that can be used here"],
    ["a type that needs a key, and no key", { token_type: "DPoP" }, "token_type is none that can be used here"],
    ["a refresh token", { token_use: "refresh_token" }, "token_use is not access"],
    ["an ID token", { typ: "ID" }, "the claim typ is not Bearer"],
    [
      "a key that it is bound to",
      { cnf: { jkt: "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I" } },
      "the token is bound to a key (jkt), and came as a bearer token",
    ],
  ])("refuses an answer with %s", async (_, changes, cause) => {
    const { verify, opaque } = createBench();
    opaque.active.set(token, answer(changes));
    expect(await verify()).toMatchObject(invalidBecause(cause));
  });

  it("does without what only JWTs have to say, and takes the client for the subject", async () => {
    const { verify, opaque } = createBench();
    opaque.active.set(token, answer({ iss: undefined, sub: undefined, token_use: "access_token" }));
    expect(await verify()).toMatchObject({ issuer: opaqueIssuer, subject: "order-service" });
  });

  it.each(["Bearer", "bearer", "BEARER"])("takes a token of the type %s", async (type) => {
    const { verify, opaque } = createBench();
    opaque.active.set(token, answer({ token_type: type }));
    expect(await verify()).toMatchObject({ clientId: "order-service" });
  });

  it("takes a token that is bound to a key by its scheme only", async () => {
    const { verify, verifier, opaque } = createBench();
    const jkt = "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I";
    opaque.active.set(token, answer({ token_type: "DPoP", cnf: { jkt } }));
    expect(await verify()).toMatchObject({ reason: "TOKEN_INVALID" });
    expect(await verifier.verify(`DPoP ${token}`)).toMatchObject({ confirmation: { keyThumbprint: jkt } });
  });

  it("finds the client where the provider has it, else where RFC 7662 has it", async () => {
    const { verify, opaque } = createBench({ provider: providers.keycloak });
    opaque.active.set(token, answer({ azp: "batch", client_id: "order-service" }));
    expect(await verify()).toMatchObject({ clientId: "batch" });
    opaque.active.set("other", answer({ client_id: "order-service" }));
    expect(await verify("other")).toMatchObject({ clientId: "order-service" });
    opaque.active.set("third", answer({ azp: 7, client_id: "order-service" }));
    expect(await verify("third")).toEqual(invalidBecause("no client id in azp, client_id"));
  });

  it("asks with the first call, or before, and says if the issuer cannot be asked", async () => {
    const { verifiers, opaque } = createBench();
    opaque.answerDiscovery();
    await expect(verifiers.load()).rejects.toMatchObject({ name: "DiscoveryError" });
    expect(opaque.introspections).toEqual([]);
  });

  it("calls an outage an outage", async () => {
    const { verify, opaque } = createBench();
    opaque.answer(() => {
      throw new TypeError("fetch failed");
    });
    expect(await verify()).toMatchObject({ reason: "AUTHORIZATION_SERVER_UNAVAILABLE" });
  });
});
