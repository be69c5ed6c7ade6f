// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { inspect } from "node:util";
import { calculateJwkThumbprint, exportJWK, generateKeyPair } from "jose";
import { describe, expect, it } from "vitest";
import { type DpopKeyPair, generateDpopKey, toDpopKey } from "../../../../src/tokens/dpop/dpop-key.js";

const rsa = { modulusLength: 2048, publicExponent: new Uint8Array([1, 0, 1]) };
const subtle = async (algorithm: object, usages: KeyUsage[] = ["sign", "verify"]): Promise<DpopKeyPair> =>
  (await crypto.subtle.generateKey(algorithm as EcKeyGenParams, false, usages)) as CryptoKeyPair;

const good = await generateKeyPair("ES256");
const other = await generateKeyPair("ES384");
const publicOnly = await exportJWK(good.publicKey);
const deriving = await subtle({ name: "ECDH", namedCurve: "P-256" }, ["deriveBits"]);
const weak = await subtle({ ...rsa, name: "RSA-PSS", hash: "SHA-256", modulusLength: 1024 });
const sha1 = await subtle({ ...rsa, name: "RSASSA-PKCS1-v1_5", hash: "SHA-1" });

describe("a key that was generated", () => {
  it("is for ES256, and a new one each time", async () => {
    const [one, two] = [generateDpopKey(), generateDpopKey()];
    expect(one.algorithm).toBe("ES256");
    expect(one.publicJwk).toEqual({ crv: "P-256", kty: "EC", x: expect.any(String), y: expect.any(String) });
    expect(one.thumbprint).toBe(await calculateJwkThumbprint(one.publicJwk));
    expect(one.thumbprint).not.toBe(two.thumbprint);
  });

  it("signs for its public part", async () => {
    const key = generateDpopKey();
    const { privateKey, publicKey } = await key.pair();
    expect(await key.pair()).toBe(await key.pair());
    expect(await exportJWK(publicKey)).toMatchObject(key.publicJwk);
    const [how, data] = [{ name: "ECDSA", hash: "SHA-256" }, new Uint8Array([1])];
    const signature = await crypto.subtle.sign(how, privateKey, data);
    expect(await crypto.subtle.verify(how, publicKey, signature, data)).toBe(true);
  });

  it("does not let its private part out", async () => {
    const key = generateDpopKey();
    const { privateKey } = await key.pair();
    expect(privateKey.extractable).toBe(false);
    await expect(crypto.subtle.exportKey("jwk", privateKey)).rejects.toThrow();
    const shown = inspect([key, await key.pair()], { showHidden: true, depth: Infinity, getters: true });
    expect(shown).not.toMatch(/\bd: /);
    expect(JSON.stringify(key)).toBe(
      JSON.stringify({ thumbprint: key.thumbprint, algorithm: "ES256", publicJwk: key.publicJwk }),
    );
  });
});

describe("a key pair of somebody else", () => {
  it.each(["ES256", "ES384", "ES512", "RS256", "RS512", "PS256", "PS384", "Ed25519"])("may be for %s", async (alg) => {
    const pair = await generateKeyPair(alg);
    const key = toDpopKey(pair);
    expect(key.algorithm).toBe(alg);
    expect(key.thumbprint).toBe(await calculateJwkThumbprint(await exportJWK(pair.publicKey)));
    expect(Object.keys(key.publicJwk).sort()).not.toContain("key_ops");
    expect(await key.pair()).toBe(pair);
  });

  const noPrivate = "dpop.keyPair has no private key that can sign";
  const noPublic = "dpop.keyPair has no public key that can be exported";
  const noAlgorithm = "dpop.keyPair is for no algorithm of proofs; generate one for ES256";

  it.each<[string, unknown, string]>([
    ["nothing", null, noPrivate],
    ["no private key", { publicKey: good.publicKey }, noPrivate],
    ["a public key as the private one", { ...good, privateKey: good.publicKey }, noPrivate],
    ["a JWK", { ...good, privateKey: publicOnly }, noPrivate],
    ["a key that does not sign", deriving, noPrivate],
    ["no public key", { privateKey: good.privateKey }, noPublic],
    ["a private key as the public one", { ...good, publicKey: good.privateKey }, noPublic],
    ["keys for two algorithms", { ...good, publicKey: other.publicKey }, noAlgorithm],
    ["an RSA key of 1,024 bits", weak, noAlgorithm],
    ["an RSA key for SHA-1", sha1, noAlgorithm],
  ])("must not be %s", (_, pair, message) => {
    expect(() => toDpopKey(pair as DpopKeyPair)).toThrow(new TypeError(message));
  });

  it("must not have a public key that cannot be exported", async () => {
    const jwk = await exportJWK(good.publicKey);
    const hidden = await crypto.subtle.importKey("jwk", jwk, { name: "ECDSA", namedCurve: "P-256" }, false, ["verify"]);
    expect(() => toDpopKey({ ...good, publicKey: hidden })).toThrow(new TypeError(noPublic));
  });
});
