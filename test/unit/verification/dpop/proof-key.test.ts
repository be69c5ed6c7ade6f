// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { describe, expect, it } from "vitest";
import { createProofKeyImporter, type ProofKey, readProofKey } from "../../../../src/verification/dpop/proof-key.js";
import { mintProofKey } from "../../../support/dpop.js";

function read(jwk: unknown, algorithm = "ES256"): ProofKey {
  const key = readProofKey(jwk, algorithm);
  if (typeof key === "string") throw new Error(key);
  return key;
}

describe("readProofKey", () => {
  it("computes the thumbprint of RFC 7638 §3.1", () => {
    const n =
      "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw";
    const jwk = { kty: "RSA", n, e: "AQAB", alg: "RS256", kid: "2011-04-29" };
    expect(read(jwk, "RS256").thumbprint).toBe("NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs");
  });

  it.each(["ES256", "ES384", "ES512", "RS256", "PS256", "Ed25519"])("computes that of a key for %s", async (alg) => {
    const { jwk, jkt } = await mintProofKey(alg);
    expect(read({ ...jwk, kid: "other", ext: true }, alg)).toEqual({ thumbprint: jkt, jwk });
  });

  it("takes an RSA key of 2,048 bits, and none that is a bit shorter", () => {
    const modulus = Buffer.alloc(256, 0xff);
    const jwk = (): unknown => ({ kty: "RSA", e: "AQAB", n: modulus.toString("base64url") });
    expect(readProofKey(jwk(), "PS512")).toMatchObject({ thumbprint: expect.any(String) });
    modulus[0] = 0x7f;
    expect(readProofKey(jwk(), "PS512")).toBe("has an RSA key of 2047 bits");
  });

  it("takes the exponent 3", () => {
    const n = Buffer.alloc(256, 0xff).toString("base64url");
    expect(readProofKey({ kty: "RSA", e: "Aw", n }, "RS256")).toMatchObject({ thumbprint: expect.any(String) });
  });
});

describe("a proof key importer", () => {
  it("imports a key once for many calls, and again for another algorithm", async () => {
    const rsa = await mintProofKey("RS256");
    const keys = createProofKeyImporter(10);
    const key = read(rsa.jwk, "RS256");
    const first = await keys.import(key, "RS256");
    expect(await keys.import(read(rsa.jwk, "RS256"), "RS256")).toBe(first);
    expect(await keys.import(key, "PS256")).not.toBe(first);
  });

  it("keeps the keys that were used last", async () => {
    const [a, b, c] = await Promise.all([mintProofKey(), mintProofKey(), mintProofKey()]);
    const keys = createProofKeyImporter(2);
    const use = (key: { readonly jwk: unknown }): Promise<unknown> => keys.import(read(key.jwk), "ES256");
    const [firstA, firstB] = [await use(a), await use(b)];
    expect(await use(a)).toBe(firstA);
    await use(c);
    expect(await use(a)).toBe(firstA);
    expect(await use(b)).not.toBe(firstB);
  });

  it("does not keep a key that cannot be imported", async () => {
    const keys = createProofKeyImporter(2);
    const key: ProofKey = { thumbprint: "t", jwk: { kty: "EC", crv: "P-256", x: "AA", y: "AA" } };
    await expect(keys.import(key, "ES256")).rejects.toThrow();
    const { jwk } = await mintProofKey();
    expect(await keys.import({ thumbprint: "t", jwk: read(jwk).jwk }, "ES256")).toBeDefined();
  });
});
