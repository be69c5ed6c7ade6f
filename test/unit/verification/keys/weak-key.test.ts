// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { generateKeyPairSync } from "node:crypto";
import type { JWK } from "jose";
import { describe, expect, it } from "vitest";
import { findKeyWeakness } from "../../../../src/verification/keys/weak-key.js";
import { mintKey, mintWeakRsaKey } from "../../../support/issuer.js";

const rsa = (await mintKey("RS256", "rsa")).publicJwk;
const ec = (await mintKey("ES256", "ec")).publicJwk;
const okp = (await mintKey("Ed25519", "okp")).publicJwk;

const base64url = (bytes: Uint8Array): string => Buffer.from(bytes).toString("base64url");

/** A modulus of so many bits; nobody needs its factors. */
function modulus(bits: number): string {
  const bytes = Buffer.alloc(Math.ceil(bits / 8), 0xff);
  bytes.writeUInt8(0xff >> ((8 - (bits % 8)) % 8), 0);
  return base64url(bytes);
}

describe("findKeyWeakness", () => {
  it.each([
    ["RSA", rsa],
    ["EC", ec],
    ["OKP", okp],
    ["RSA with the exponent 3", { ...rsa, e: "Aw" }],
    ["RSA of 2048 bits", { kty: "RSA", n: modulus(2048), e: "AQAB" }],
    ["RSA of 16384 bits", { kty: "RSA", n: modulus(16_384), e: "AQAB" }],
    ["RSA with zeros in front", { ...rsa, n: base64url(Buffer.concat([Buffer.alloc(8), Buffer.alloc(256, 0xff)])) }],
  ] satisfies [string, JWK][])("has nothing against a good key: %s", (_, jwk) => {
    expect(findKeyWeakness(jwk)).toBeUndefined();
  });

  it.each(["d", "p", "q", "dp", "dq", "qi", "oth", "k"])("refuses a key that is published with its %s", (member) => {
    expect(findKeyWeakness({ ...rsa, [member]: "AA" })).toBe("is published with its secret part");
    expect(findKeyWeakness({ ...ec, [member]: undefined })).toBe("is published with its secret part");
  });

  it.each([
    ["1024 bits", mintWeakRsaKey("RS256", "weak").publicJwk, "has 1024 bits, where 2048 are needed"],
    ["2047 bits", { ...rsa, n: modulus(2047) }, "has 2047 bits, where 2048 are needed"],
    [
      "1024 bits, and zeros in front",
      { ...rsa, n: base64url(Buffer.concat([Buffer.alloc(128), Buffer.alloc(128, 0xff)])) },
      "has 1024 bits, where 2048 are needed",
    ],
    ["no modulus", { kty: "RSA", e: "AQAB" }, "has 0 bits, where 2048 are needed"],
    ["more bits than anybody has", { ...rsa, n: modulus(16_385) }, "has 16385 bits, where at most 16384 are looked at"],
    ["the exponent 0", { ...rsa, e: "AA" }, "has an unsafe exponent"],
    ["the exponent 1", { ...rsa, e: "AQ" }, "has an unsafe exponent"],
    ["the exponent 1, and zeros in front", { ...rsa, e: "AAAB" }, "has an unsafe exponent"],
    ["the exponent 2", { ...rsa, e: "Ag" }, "has an unsafe exponent"],
    ["an even exponent", { ...rsa, e: "AQAA" }, "has an unsafe exponent"],
    ["no exponent", { kty: "RSA", n: rsa.n }, "has an unsafe exponent"],
  ] as [string, JWK, string][])("refuses an RSA key with %s", (_, jwk, weakness) => {
    expect(findKeyWeakness(jwk)).toBe(weakness);
  });

  it.each(["oct", "rsa", "AKP", ""])("refuses a key of the type %j", (kty) => {
    expect(findKeyWeakness({ ...rsa, kty })).toBe("is of a type that cannot be published");
  });

  it.each(["kid", "alg", "use", "n", "e", "crv", "x", "y"])("refuses a key whose %s is no text", (member) => {
    for (const value of [7, null, ["a"], {}]) {
      expect(findKeyWeakness({ ...rsa, [member]: value } as unknown as JWK)).toBe("has a member that is no text");
    }
  });

  describe("a point of small order", () => {
    const points = [
      "0000000000000000000000000000000000000000000000000000000000000000",
      "0100000000000000000000000000000000000000000000000000000000000000",
      "0100000000000000000000000000000000000000000000000000000000000080",
      "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
      "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
      "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
      "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
      "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
      "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
      "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    ];
    const jwkOf = (hex: string): JWK => ({
      kty: "OKP",
      crv: "Ed25519",
      x: Buffer.from(hex, "hex").toString("base64url"),
    });

    it.each(points)("is refused: %s", (point) => {
      expect(findKeyWeakness(jwkOf(point))).toBe("is a point of small order, for which everybody can sign");
    });

    it("is none where the key has another length, or is an ordinary one", () => {
      expect(findKeyWeakness({ kty: "OKP", crv: "Ed25519" })).toBeUndefined();
      const { publicKey } = generateKeyPairSync("ed25519");
      expect(findKeyWeakness(publicKey.export({ format: "jwk" }) as JWK)).toBeUndefined();
    });
  });
});
