// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { describe, expect, it } from "vitest";
import { providers } from "../../../src/providers/presets.js";
import { standardProvider } from "../../../src/providers/provider.js";
import {
  asymmetricAlgorithms,
  createTrustedIssuer,
  type IssuerOptions,
} from "../../../src/verification/trusted-issuer.js";
import { createVerifiers } from "../../../src/verification/verifier.js";
import { createFakeClock, settle } from "../../support/fake-clock.js";
import { createIssuer, down, mintKey, signToken, type TestIssuer, type TestKey } from "../../support/issuer.js";
import {
  audience,
  claimsWith,
  createBench,
  headerWith,
  invalidBecause,
  issuerUrl,
  key,
  mint,
  start,
} from "./harness.js";

const firstUrl = "https://a.example.com";
const secondUrl = "https://b.example.com";

// Both issuers call their keys the same.
const firstKey = await mintKey("ES256", "key-1");
const secondKey = await mintKey("ES256", "key-1");

function createTwo(first: Partial<IssuerOptions> = {}, second: Partial<IssuerOptions> = {}) {
  const issuers = [createIssuer(firstUrl, firstKey), createIssuer(secondUrl, secondKey)] as const;
  const verifiers = createVerifiers({
    issuers: [
      createTrustedIssuer({ issuer: firstUrl, ...first }),
      createTrustedIssuer({ issuer: secondUrl, ...second }),
    ],
    clockToleranceMs: 5_000,
    maxCachedTokens: 100,
    timeoutMs: 10_000,
    fetch: (input, init) => issuerAt(issuers, String(input)).fetch(input, init),
    clock: createFakeClock(start * 1000),
  });
  const verifier = verifiers.forAudience(audience);
  return { issuers, verifiers, verify: async (token: string) => await verifier.verify(`Bearer ${token}`) };
}

function issuerAt(issuers: readonly TestIssuer[], url: string): TestIssuer {
  const issuer = issuers.find((each) => url.startsWith(each.url));
  if (issuer === undefined) throw new Error(`nobody is at ${url}`);
  return issuer;
}

function from(iss: unknown, signer: TestKey, changes: Readonly<Record<string, unknown>> = {}): string {
  return signToken(signer, headerWith({ alg: signer.alg, kid: signer.kid }), claimsWith({ iss, ...changes }));
}

describe("a verifier of several issuers", () => {
  it("takes tokens of each, and asks only the one that a token is of", async () => {
    const { verify, issuers } = createTwo();
    expect(await verify(from(firstUrl, firstKey))).toMatchObject({ issuer: firstUrl });
    expect(issuers[1].requests).toEqual([]);
    expect(await verify(from(secondUrl, secondKey))).toMatchObject({ issuer: secondUrl });
    expect(issuers.map(({ counts }) => counts.jwks)).toEqual([1, 1]);
  });

  it("never takes one issuer's key for another's, although they are called the same", async () => {
    const { verify } = createTwo();
    const badSignature = invalidBecause("the signature does not verify");
    expect(await verify(from(firstUrl, secondKey))).toEqual(badSignature);
    expect(await verify(from(secondUrl, firstKey))).toEqual(badSignature);
    expect(await verify(from(firstUrl, firstKey))).toMatchObject({ issuer: firstUrl });
  });

  it.each([
    "https://c.example.com",
    `${firstUrl}/`,
    "https://A.example.com",
    "https://a.example.com:443",
    "http://a.example.com",
    ` ${firstUrl}`,
    "",
    undefined,
    null,
    7,
    [firstUrl],
    { url: firstUrl },
    "__proto__",
  ])("refuses the issuer %j without asking anybody", async (iss) => {
    const { verify, issuers } = createTwo();
    expect(await verify(from(iss, firstKey))).toEqual(invalidBecause("iss is not an issuer that is trusted"));
    expect(issuers.flatMap(({ requests }) => requests)).toEqual([]);
  });

  it("holds a token against the rules of its own issuer", async () => {
    const { verify } = createTwo(
      { algorithms: ["RS256"] },
      { clientIds: ["order-service"], audiences: { [audience]: "b" } },
    );
    expect(await verify(from(firstUrl, firstKey))).toEqual(invalidBecause("alg is not one of RS256"));
    expect(await verify(from(secondUrl, secondKey))).toEqual(invalidBecause("aud does not include b"));
    expect(await verify(from(secondUrl, secondKey, { aud: "b" }))).toMatchObject({ issuer: secondUrl });
    expect(await verify(from(secondUrl, secondKey, { aud: "b", client_id: "batch" }))).toEqual(
      invalidBecause("the client is not in clientIds"),
    );
  });

  it("goes on with one while another is down", async () => {
    const { verify, issuers } = createTwo();
    issuers[0].discovery = down;
    expect(await verify(from(firstUrl, firstKey))).toMatchObject({ reason: "AUTHORIZATION_SERVER_UNAVAILABLE" });
    expect(await verify(from(secondUrl, secondKey))).toMatchObject({ issuer: secondUrl });
  });

  it("says which issuers' keys are missing", async () => {
    const { verifiers, issuers } = createTwo();
    expect(verifiers.unready()).toEqual([firstUrl, secondUrl]);
    issuers[1].discovery = down;
    await expect(verifiers.load()).rejects.toMatchObject({ name: "DiscoveryError", kind: "unreachable" });
    expect(verifiers.unready()).toEqual([secondUrl]);
  });

  it("calls an issuer that publishes no key that can be used unready", async () => {
    const { verifiers, issuers } = createTwo();
    issuers[0].publish({ ...firstKey.publicJwk, d: "AA" });
    await verifiers.load();
    expect(verifiers.unready()).toEqual([firstUrl]);
  });
});

describe("unready", () => {
  it("has keys that are missing fetched, for a probe may be the only caller", async () => {
    const { unready, issuer } = createBench();
    expect(unready()).toEqual([issuerUrl]);
    await settle();
    expect(unready()).toEqual([]);
    expect(issuer.counts.jwks).toBe(1);
  });

  it("has an issuer again once its keys are too old to be used", async () => {
    const { load, unready, clock } = createBench();
    await load();
    clock.advance(3_600_000 - 1);
    expect(unready()).toEqual([]);
    clock.advance(1);
    expect(unready()).toEqual([issuerUrl]);
  });
});

describe("an issuer", () => {
  const create = (options: Partial<IssuerOptions>) => createTrustedIssuer({ issuer: firstUrl, ...options });

  it("is one by RFC 9068 unless something else is said", () => {
    const issuer = create({});
    expect(issuer).toMatchObject({
      issuer: firstUrl,
      provider: standardProvider,
      algorithms: asymmetricAlgorithms,
      types: ["at+jwt"],
      checksAudience: true,
      clientIds: undefined,
    });
    expect(issuer.audienceOf("a")).toBe("a");
  });

  it("may call audiences by other names", () => {
    const issuer = create({ audiences: { a: "b" } });
    expect(["a", "b", "__proto__"].map(issuer.audienceOf)).toEqual(["b", "b", "__proto__"]);
  });

  it("takes at+jwt only where that is demanded", async () => {
    expect(create({ provider: providers.keycloak }).types).toEqual(["jwt", "at+jwt"]);
    const bench = createBench({ provider: providers.keycloak, requireAccessTokenType: true });
    const claims = claimsWith({ azp: "order-service" });
    expect(await bench.verify(mint(claims, headerWith({ typ: "JWT" })))).toEqual(invalidBecause("typ is not at+jwt"));
    expect(await bench.verify(mint(claims))).toMatchObject({ clientId: "order-service" });
  });

  it.each([
    [{ algorithms: [] }, "algorithms is empty; leave it out for the default"],
    [{ algorithms: ["ES256", "HS256"] }, /^algorithms has HS256; use some of /],
    [{ algorithms: ["none"] }, /^algorithms has none; /],
    [{ clientIds: [] }, "clientIds is empty; list clients, or leave it out"],
    [{ provider: { ...standardProvider, types: [] } }, "provider has no types; name at least one"],
    [{ audiences: { a: "" } }, "audiences has an audience that is no text"],
    [{ issuer: "a.example.com" }, /is not a URL/],
    [{ audiences: null }, /^clientIds is missing; audiences is null, so list the clients whose tokens are taken/],
    [{ provider: providers.cognito }, /^clientIds is missing; tokens of Cognito name no audience, so list the clients/],
  ] as [Partial<IssuerOptions>, string | RegExp][])("has to make sense: %j", (options, message) => {
    expect(() => create(options)).toThrow(TypeError);
    expect(() => create(options)).toThrow(message);
  });

  it("does without aud only where null says so, and knows its clients then", async () => {
    const bench = createBench({ audiences: null, clientIds: ["order-service"] });
    expect(await bench.verify(mint(claimsWith({ aud: undefined })))).toMatchObject({ audience: [] });
    expect(await bench.verify(mint(claimsWith({ aud: ["elsewhere"] })))).toMatchObject({ audience: ["elsewhere"] });
    expect(await bench.verify(mint(claimsWith({ aud: 7 })))).toEqual(
      invalidBecause("aud is neither a text nor a list of texts"),
    );
    expect(await bench.verify(mint(claimsWith({ aud: undefined, client_id: "batch" })))).toEqual(
      invalidBecause("the client is not in clientIds"),
    );
    const open = createBench({ audiences: null, clientIds: null });
    expect(await open.verify(mint(claimsWith({ aud: undefined, client_id: "batch" })))).toMatchObject({
      clientId: "batch",
    });
  });

  describe("of Cognito", () => {
    const cognito = { provider: providers.cognito, clientIds: ["order-service"] };
    const claims = (changes = {}) =>
      claimsWith({
        aud: undefined,
        token_use: "access",
        scope: `${audience}/payments:write other/payments:read`,
        ...changes,
      });
    const untyped = headerWith({ typ: undefined });

    it("grants the scopes of the audience's resource server, and no others", async () => {
      const { verify } = createBench(cognito);
      expect(await verify(mint(claims(), untyped))).toMatchObject({
        scopes: new Set(["payments:write"]),
        audience: [],
      });
    });

    it.each([
      ["an ID token", { token_use: "id" }, "token_use is not access"],
      ["a token that does not say what it is for", { token_use: undefined }, "token_use is not access"],
      ["a token of another client", { client_id: "batch" }, "the client is not in clientIds"],
    ])("refuses %s", async (_, changes, cause) => {
      const { verify } = createBench(cognito);
      expect(await verify(mint(claims(changes), untyped))).toEqual(invalidBecause(cause));
    });
  });
});

describe("a token that is bound to a key", () => {
  const jkt = "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I";
  const bound = mint(claimsWith({ cnf: { jkt } }));

  it("is refused as a bearer token, and one that is not bound is refused as DPoP", async () => {
    const { verifier } = createBench({ maxCachedTokens: 10 });
    for (const _ of [1, 2]) {
      expect(await verifier().verify(`Bearer ${bound}`)).toEqual({
        ...invalidBecause("the token is bound to a key (jkt), and came as a bearer token"),
        scheme: "DPoP",
      });
      expect(await verifier().verify(`DPoP ${mint()}`)).toEqual(
        invalidBecause("the token is not bound to a key, and came as DPoP"),
      );
    }
    expect(await verifier().verify(`DPoP ${bound}`)).toMatchObject({ confirmation: { keyThumbprint: jkt } });
    expect(await verifier().verify(`Bearer ${bound}`)).toMatchObject({ reason: "TOKEN_INVALID" });
    expect(key.kid).toBe("key-1");
  });
});
