// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { createHash } from "node:crypto";
import type { JWK } from "jose";
import { encodePart, mintWeakRsaKey, type TestKey } from "../../support/issuer.js";
import { assemble } from "./forge.js";
import { claims, header, mint, rs256 } from "./mint.js";

/** An RSA key of 1,024 bits (RFC 7518 §3.3 asks for 2,048). */
export const weakRsa: TestKey = mintWeakRsaKey("RS256", "weak-1");

export function weakRsaToken(): string {
  return mint(claims(), header({}, weakRsa), weakRsa);
}

/** A secret among published keys. */
export const symmetricJwk: JWK = {
  kty: "oct",
  kid: "oct-1",
  alg: "HS256",
  k: Buffer.alloc(32, 9).toString("base64url"),
};

/** What PKCS #1 v1.5 pads a SHA-256 digest to (RFC 8017 §9.2). With the exponent 1, it is its own signature. */
function padded(input: string, length: number): Buffer {
  const info = Buffer.from("3031300d060960864801650304020105000420", "hex");
  const digest = createHash("sha256").update(input).digest();
  const rest = Buffer.concat([Buffer.from([0]), info, digest]);
  return Buffer.concat([Buffer.from([0, 1]), Buffer.alloc(length - rest.length - 2, 0xff), rest]);
}

interface Published {
  readonly jwk: JWK;
  readonly token: string;
}

/** A published RSA key whose exponent is 1, and a token that nobody's private key signed. */
export const publicExponentOne: Published = {
  jwk: { ...rs256.publicJwk, e: "AQ", kid: "e-1" },
  token: signedByNobody(header({ alg: "RS256", kid: "e-1" })),
};

function signedByNobody(head: Readonly<Record<string, unknown>>): string {
  return assemble(head, claims(), padded(`${encodePart(head)}.${encodePart(claims())}`, 256));
}

/** A published Ed25519 key that is the neutral point, and a token whose signature it takes, as of any other text. */
export const smallOrderKey: Published = {
  jwk: {
    kty: "OKP",
    crv: "Ed25519",
    x: Buffer.concat([Buffer.from([1]), Buffer.alloc(31)]).toString("base64url"),
    kid: "so-1",
  },
  token: assemble(
    header({ alg: "Ed25519", kid: "so-1" }),
    claims(),
    Buffer.concat([Buffer.from([1]), Buffer.alloc(63)]),
  ),
};
