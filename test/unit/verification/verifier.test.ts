// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { createPublicKey, sign } from "node:crypto";
import { describe, expect, it } from "vitest";
import { asymmetricAlgorithms } from "../../../src/verification/trusted-issuer.js";
import {
  encodePart,
  hmacToken,
  mintKey,
  mintWeakRsaKey,
  signToken,
  type TestKey,
  type TokenPart,
} from "../../support/issuer.js";
import { audience, claimsWith, createBench, headerWith, invalidBecause, key, mint, start } from "./harness.js";

const algIsNone = (...algorithms: readonly string[]): ReturnType<typeof invalidBecause> =>
  invalidBecause(`alg is not one of ${algorithms.join(", ")}`);
const unlistedAlg = algIsNone(...asymmetricAlgorithms);
const badSignature = invalidBecause("the signature does not verify");
const noKey = invalidBecause("no published key matches the token's kid and alg");
const order = { clientId: "order-service" };

const rsaKey = await mintKey("RS256", "rsa");
const attackerKey = await mintKey("ES256", key.kid);

/** The same RSA key, used with another algorithm. */
function rsaKeyFor(alg: string): TestKey {
  return { ...rsaKey, alg, publicJwk: { ...rsaKey.publicJwk, alg } };
}

const keys = await Promise.all(
  asymmetricAlgorithms.map((alg) => (/^[RP]S/.test(alg) ? rsaKeyFor(alg) : mintKey(alg, alg.toLowerCase()))),
);

describe("createVerifier", () => {
  it("makes a principal of a good token", async () => {
    const bench = createBench();
    expect(await bench.verify(mint())).toEqual({
      clientId: "order-service",
      subject: "order-service",
      issuer: bench.issuer.url,
      audience: [audience],
      scopes: new Set(["payments:read", "payments:write"]),
      expiresAt: (start + 300) * 1000,
      tokenId: "token-7",
      confirmation: undefined,
      claims: claimsWith(),
    });
  });

  it("verifies a token for the audience that is asked for, every time anew", async () => {
    const bench = createBench();
    const token = mint(claimsWith({ aud: ["https://a.internal", "https://b.internal"] }));
    expect(await bench.verify(token, "https://a.internal")).toMatchObject(order);
    expect(await bench.verify(token, "https://b.internal")).toMatchObject(order);
    expect(await bench.verify(token, "https://c.internal")).toEqual(
      invalidBecause("aud does not include https://c.internal"),
    );
  });

  it("asks the issuer for nothing until there is a token that only a key can tell about", async () => {
    const { verify, issuer } = createBench();
    await verify("not.a.token");
    await verify(mint(claimsWith({ aud: "https://order-service.internal" })));
    expect(issuer.requests).toEqual([]);
    await verify(mint());
    expect(issuer.counts).toEqual({ discovery: 1, jwks: 1, other: 0 });
  });

  it("refuses what is no JWT", async () => {
    const { verify, issuer } = createBench();
    expect(await verify("some-opaque-token")).toEqual(invalidBecause("the token is not a JWT of three parts"));
    expect(issuer.requests).toEqual([]);
  });

  describe("alg", () => {
    it.each(keys.map((published) => [published.alg, published] as const))("accepts %s", async (alg, published) => {
      const { verify } = createBench({ keys: [published] });
      const token = signToken(published, headerWith({ alg, kid: published.kid }), claimsWith());
      expect(await verify(token)).toMatchObject(order);
      const other = signToken(published, headerWith({ alg, kid: published.kid }), claimsWith({ jti: "token-8" }));
      const swapped = [...token.split(".").slice(0, 2), other.split(".")[2]].join(".");
      expect(await verify(swapped)).toEqual(badSignature);
    });

    it("refuses none, without a signature and with one", async () => {
      const { verify, issuer } = createBench();
      const unsigned = `${encodePart(headerWith({ alg: "none" }))}.${encodePart(claimsWith())}.`;
      expect(await verify(unsigned)).toEqual(invalidBecause("the token's signature is not base64url"));
      expect(await verify(mint(claimsWith(), headerWith({ alg: "none" })))).toEqual(unlistedAlg);
      expect(issuer.requests).toEqual([]);
    });

    it("refuses a token whose signature was taken off", async () => {
      const { verify } = createBench();
      const [header, payload] = mint().split(".");
      expect(await verify(`${header}.${payload}.`)).toEqual(invalidBecause("the token's signature is not base64url"));
      expect(await verify(`${header}.${payload}`)).toEqual(invalidBecause("the token is not a JWT of three parts"));
    });

    const publicKey = createPublicKey(key.privateKey);
    it.each([
      ["a secret", "secret"],
      ["an empty secret", ""],
      ["the public key as PEM", publicKey.export({ format: "pem", type: "spki" })],
      ["the public key as DER", publicKey.export({ format: "der", type: "spki" })],
      ["the public key as JWK", JSON.stringify(key.publicJwk)],
      ["the id of the key", key.kid],
    ])("refuses HS256 with %s as secret", async (_, secret) => {
      const { verify, issuer } = createBench();
      expect(await verify(hmacToken(secret, headerWith({ alg: "HS256" }), claimsWith()))).toEqual(unlistedAlg);
      expect(await verify(hmacToken(secret, headerWith(), claimsWith()))).toEqual(badSignature);
      expect(issuer.counts.other).toBe(0);
    });

    it("refuses HS256 with a secret that the issuer publishes by mistake", async () => {
      const { verify, issuer } = createBench();
      issuer.publish({ kty: "oct", kid: key.kid, k: encodePart("secret") });
      expect(await verify(hmacToken("secret", headerWith({ alg: "HS256" }), claimsWith()))).toEqual(unlistedAlg);
      expect(await verify(hmacToken("secret", headerWith(), claimsWith()))).toEqual(noKey);
    });

    it.each([
      "es256",
      "Es256",
      "ES256 ",
      "",
      "ES256K",
      "RSA",
      "HS512",
      "RSA-OAEP",
      "constructor",
      undefined,
      null,
      256,
      ["ES256"],
    ])("refuses the alg %j", async (alg) => {
      const { verify, issuer } = createBench();
      expect(await verify(mint(claimsWith(), headerWith({ alg })))).toEqual(unlistedAlg);
      expect(issuer.requests).toEqual([]);
    });

    it("refuses an algorithm that is not among those of the options", async () => {
      const { verify, issuer } = createBench({ algorithms: ["RS256", "PS256"] });
      expect(await verify(mint())).toEqual(algIsNone("RS256", "PS256"));
      expect(issuer.requests).toEqual([]);
    });

    it("accepts an algorithm that is among those of the options", async () => {
      const { verify } = createBench({ algorithms: ["RS256", "ES256"] });
      expect(await verify(mint())).toMatchObject(order);
    });

    it("refuses a token whose alg is not that of the published key", async () => {
      const { verify } = createBench({ keys: [rsaKey] });
      const header = headerWith({ alg: "PS256", kid: rsaKey.kid });
      expect(await verify(signToken(rsaKeyFor("PS256"), header, claimsWith()))).toEqual(noKey);
    });

    it("refuses a token whose alg does not go with the kind of the published key", async () => {
      const { verify, issuer } = createBench();
      const { alg: _, ...withoutAlg } = key.publicJwk;
      issuer.publish(withoutAlg);
      expect(await verify(mint())).toMatchObject(order);
      const header = headerWith({ alg: "RS256" });
      expect(await verify(signToken(rsaKey, header, claimsWith()))).toEqual(noKey);
    });

    it("refuses a token that is signed by another algorithm than its alg says", async () => {
      const { verify, issuer } = createBench();
      const { alg: _, ...withoutAlg } = rsaKey.publicJwk;
      issuer.publish(withoutAlg);
      const header = headerWith({ alg: "RS256", kid: rsaKey.kid });
      expect(await verify(signToken(rsaKey, header, claimsWith()))).toMatchObject(order);
      expect(await verify(signToken(rsaKeyFor("PS256"), header, claimsWith()))).toEqual(badSignature);
      expect(await verify(signToken(rsaKeyFor("RS512"), header, claimsWith()))).toEqual(badSignature);
    });
  });

  describe("a key that is too weak", () => {
    it.each(["RS256", "RS512", "PS256"])("has nothing that it signs with %s accepted", async (alg) => {
      const weak = mintWeakRsaKey(alg, "weak");
      const { verify } = createBench({ keys: [weak, key] });
      const token = signToken(weak, headerWith({ alg, kid: "weak" }), claimsWith());
      const noKey = invalidBecause("no published key matches the token's kid and alg");
      expect(await verify(token)).toEqual(noKey);
      expect(await verify(token)).toEqual(noKey);
      expect(await verify(mint())).toMatchObject(order);
    });
  });

  describe("kid", () => {
    it.each([null, 7, true, ["key-1"], { kid: "key-1" }])("refuses the kid %j", async (kid) => {
      const { verify, issuer } = createBench();
      expect(await verify(mint(claimsWith(), headerWith({ kid })))).toEqual(invalidBecause("kid is no string"));
      expect(issuer.requests).toEqual([]);
    });

    it("may be missing", async () => {
      const { verify } = createBench({ keys: [key, await mintKey("ES256", "key-2"), rsaKey] });
      expect(await verify(mint(claimsWith(), headerWith({ kid: undefined })))).toMatchObject(order);
    });

    it.each(["", "key", "key-11", "KEY-1", "../key-1", "https://evil.example.com/keys"])(
      "refuses %j, which no published key has",
      async (kid) => {
        const { verify, issuer } = createBench();
        expect(await verify(mint(claimsWith(), headerWith({ kid })))).toEqual(noKey);
        expect(issuer.counts.other).toBe(0);
      },
    );
  });

  describe("crit", () => {
    it.each([[["exp"]], [["b64"]], [["https://example.com/unknown"]], [[]], ["exp"], [null], [false]])(
      "refuses %j",
      async (crit) => {
        const { verify, issuer } = createBench();
        const header = headerWith({ crit, b64: true, exp: start });
        expect(await verify(mint(claimsWith(), header))).toEqual(
          invalidBecause("crit names an extension that is not supported"),
        );
        expect(issuer.requests).toEqual([]);
      },
    );
  });

  describe("a key that the token brings along", () => {
    const jwk = attackerKey.publicJwk;
    const brought: Readonly<Record<string, TokenPart | readonly string[]>> = {
      jku: "https://evil.example.com/keys",
      x5u: "https://evil.example.com/certificate",
      jwk: jwk as Record<string, unknown>,
      x5c: [createPublicKey(attackerKey.privateKey).export({ format: "der", type: "spki" }).toString("base64")],
      x5t: "dGh1bWJwcmludA",
      "x5t#S256": "dGh1bWJwcmludA",
    };

    it.each(Object.entries(brought))("does not count: %s", async (name, value) => {
      const { verify, issuer } = createBench();
      for (const kid of [key.kid, undefined]) {
        const header = headerWith({ [name]: value, kid });
        expect(await verify(signToken(attackerKey, header, claimsWith()))).toEqual(badSignature);
      }
      const unknown = headerWith({ [name]: value, kid: "attacker" });
      expect(await verify(signToken(attackerKey, unknown, claimsWith()))).toEqual(noKey);
      expect(issuer.counts).toEqual({ discovery: 1, jwks: 1, other: 0 });
    });

    it("does not count either where the issuer has no key", async () => {
      const { verify, issuer } = createBench({ keys: [] });
      expect(await verify(signToken(attackerKey, headerWith(brought), claimsWith()))).toEqual(noKey);
      expect(issuer.counts.other).toBe(0);
    });

    it("is nothing against a good token", async () => {
      const { verify, issuer } = createBench();
      expect(await verify(mint(claimsWith(), headerWith(brought)))).toMatchObject(order);
      expect(issuer.counts).toEqual({ discovery: 1, jwks: 1, other: 0 });
    });
  });

  describe("the signature", () => {
    const [header = "", payload = "", signature = ""] = mint().split(".");

    it("is over the payload", async () => {
      const { verify } = createBench();
      const admin = encodePart(claimsWith({ scope: "payments:admin" }));
      expect(await verify(`${header}.${admin}.${signature}`)).toEqual(badSignature);
      const spaced = encodePart(JSON.stringify(claimsWith(), undefined, 1));
      expect(await verify(`${header}.${spaced}.${signature}`)).toEqual(badSignature);
    });

    it("is over the header", async () => {
      const { verify } = createBench();
      const other = encodePart(headerWith({ typ: "application/at+jwt" }));
      expect(await verify(`${other}.${payload}.${signature}`)).toEqual(badSignature);
    });

    it("counts to its last bit", async () => {
      const { verify } = createBench();
      const bytes = Buffer.from(signature, "base64url");
      for (const at of [0, 31, 32, 63]) {
        const tampered = Buffer.from(bytes);
        tampered.writeUInt8(bytes.readUInt8(at) ^ 1, at);
        expect(await verify(`${header}.${payload}.${encodePart(tampered)}`)).toEqual(badSignature);
      }
    });

    it.each([
      ["is too short", (good: Buffer) => good.subarray(0, 63)],
      ["is too long", (good: Buffer) => Buffer.concat([good, Buffer.alloc(1)])],
      ["is one byte", () => Buffer.alloc(1)],
      ["is all zeros (CVE-2022-21449)", () => Buffer.alloc(64)],
      ["is in DER", () => sign("sha256", Buffer.from(`${header}.${payload}`), key.privateKey)],
    ])("is refused where it %s", async (_, spoil) => {
      const { verify } = createBench();
      const spoiled = encodePart(spoil(Buffer.from(signature, "base64url")));
      expect(await verify(`${header}.${payload}.${spoiled}`)).toEqual(badSignature);
      expect(await verify(`${header}.${payload}.${signature}`)).toMatchObject(order);
    });

    it("of another issuer's key is refused", async () => {
      const { verify } = createBench();
      expect(await verify(signToken(attackerKey, headerWith(), claimsWith()))).toEqual(badSignature);
    });

    it("is checked again for a token that was good a moment ago", async () => {
      const { verify } = createBench();
      expect(await verify(mint())).toMatchObject(order);
      expect(await verify(signToken(attackerKey, headerWith(), claimsWith()))).toEqual(badSignature);
    });
  });

  describe("the order of the checks", () => {
    it("tells that a token has expired without a key, whoever signed it", async () => {
      const { verify, issuer } = createBench();
      const exp = start - 60;
      const expired = { reason: "TOKEN_EXPIRED", cause: `exp ${exp} has passed` };
      const claims = claimsWith({ exp });
      expect(await verify(mint(claims))).toEqual(expired);
      expect(await verify(signToken(attackerKey, headerWith(), claims))).toEqual(expired);
      expect(await verify(signToken(attackerKey, headerWith({ kid: "unknown" }), claims))).toEqual(expired);
      expect(issuer.requests).toEqual([]);
    });

    it("tells that a token is for another audience even if it has expired", async () => {
      const { verify, issuer } = createBench();
      const claims = claimsWith({ exp: start - 60, aud: "https://order-service.internal" });
      expect(await verify(mint(claims))).toEqual(invalidBecause(`aud does not include ${audience}`));
      expect(issuer.requests).toEqual([]);
    });

    it("looks at the header before the claims", async () => {
      const { verify } = createBench();
      expect(await verify(mint(claimsWith({ exp: start - 60 }), headerWith({ alg: "HS256" })))).toEqual(unlistedAlg);
    });

    it("follows the clock", async () => {
      const { verify, clock } = createBench();
      const token = mint();
      clock.advance(304_999);
      expect(await verify(token)).toMatchObject(order);
      clock.advance(1);
      expect(await verify(token)).toEqual({ reason: "TOKEN_EXPIRED", cause: `exp ${start + 300} has passed` });
    });
  });
});
