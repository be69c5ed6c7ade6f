// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import type { JWK } from "jose";

const minRsaBits = 2048;
// OpenSSL takes no larger modulus either, and each verification would take long.
const maxRsaBits = 16_384;

/** Members of private and symmetric keys (RFC 7518 §6.2.2, §6.3.2, §6.4.1). */
const secretMembers = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"] as const;

const textMembers = ["kid", "alg", "use", "crv", "n", "e", "x", "y"] as const;

/** Why no signature of a published key may be believed; `undefined` if there is no reason. */
export function findKeyWeakness(jwk: JWK): string | undefined {
  // Whoever can fetch the keys could sign with this one.
  if (secretMembers.some((member) => Object.hasOwn(jwk, member))) return "is published with its secret part";
  if (textMembers.some((member) => Object.hasOwn(jwk, member) && typeof jwk[member] !== "string")) {
    return "has a member that is no text";
  }
  switch (jwk.kty) {
    case "RSA":
      return findRsaWeakness(jwk);
    case "OKP":
      return isSmallOrder(jwk.x ?? "") ? "is a point of small order, for which everybody can sign" : undefined;
    case "EC":
      return undefined; // a point that is not on its curve cannot be imported
    default:
      return "is of a type that cannot be published";
  }
}

function findRsaWeakness({ n = "", e = "" }: JWK): string | undefined {
  const bits = bitLength(n);
  if (bits < minRsaBits) return `has ${bits} bits, where ${minRsaBits} are needed`;
  if (bits > maxRsaBits) return `has ${bits} bits, where at most ${maxRsaBits} are looked at`;
  const exponent = BigInt(`0x0${Buffer.from(e, "base64url").toString("hex")}`);
  // With 1, each signature is its own message; an even one has no inverse.
  return exponent < 3n || exponent % 2n === 0n ? "has an unsafe exponent" : undefined;
}

function bitLength(encoded: string): number {
  const hex = Buffer.from(encoded, "base64url").toString("hex").replace(/^0+/, "");
  return hex === "" ? 0 : BigInt(`0x${hex}`).toString(2).length;
}

/** The y coordinates of all points of small order on edwards25519, canonical or not, in hexadecimal (RFC 8032 §5.1). */
const smallOrderPoints: ReadonlySet<string> = new Set([
  "00".repeat(32),
  `01${"00".repeat(31)}`,
  "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
  "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
  `ec${"ff".repeat(30)}7f`,
  `ed${"ff".repeat(30)}7f`,
  `ee${"ff".repeat(30)}7f`,
]);

/** Whether a public key for Ed25519, base64url, is one whose signatures everybody can make (RFC 8032 §5.1.7). */
export function isSmallOrder(x: string): boolean {
  const point = Buffer.from(x, "base64url");
  // The highest bit is the sign of x.
  if (point.length === 32) point.writeUInt8(point.readUInt8(31) & 0x7f, 31);
  return smallOrderPoints.has(point.toString("hex"));
}
