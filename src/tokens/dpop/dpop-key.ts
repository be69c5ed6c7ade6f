// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { generateKeyPairSync, KeyObject } from "node:crypto";
import type { JWK } from "jose";
import { jwkThumbprint, requiredMembers } from "../../platform/jwk-thumbprint.js";

/** A key pair of the Web Cryptography API. */
export interface DpopKeyPair {
  readonly privateKey: CryptoKey;
  readonly publicKey: CryptoKey;
}

/** The key that access tokens are bound to (RFC 9449). It shows its public part alone. */
export interface DpopKey {
  /** SHA-256 thumbprint of the public key (RFC 7638). */
  readonly thumbprint: string;
  /** What it signs with (RFC 7518 §3.1). */
  readonly algorithm: string;
  readonly publicJwk: JWK;
  /** The pair, to sign with. */
  pair(): Promise<DpopKeyPair>;
}

/** Generates a key for ES256. The private part cannot be exported. */
export function generateDpopKey(): DpopKey {
  const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const publicJwk = publicPart(publicKey);
  const algorithm = { name: "ECDSA", namedCurve: "P-256" };
  const pkcs8 = privateKey.export({ type: "pkcs8", format: "der" });
  const pair = async (): Promise<DpopKeyPair> => ({
    privateKey: await crypto.subtle.importKey("pkcs8", pkcs8, algorithm, false, ["sign"]),
    publicKey: await crypto.subtle.importKey("jwk", publicJwk as JsonWebKey, algorithm, true, ["verify"]),
  });
  const imported = pair().finally(() => pkcs8.fill(0));
  return { thumbprint: jwkThumbprint({ ...publicJwk }), algorithm: "ES256", publicJwk, pair: () => imported };
}

/** Makes a key of a pair that somebody else generated. Throws a TypeError if it cannot be used. */
export function toDpopKey(pair: DpopKeyPair): DpopKey {
  const { privateKey, publicKey } = pair ?? {};
  if (!isKey(privateKey, "private") || !privateKey.usages.includes("sign")) {
    throw new TypeError("dpop.keyPair has no private key that can sign");
  }
  if (!isKey(publicKey, "public") || !publicKey.extractable) {
    throw new TypeError("dpop.keyPair has no public key that can be exported");
  }
  const algorithm = algorithmOf(privateKey);
  if (algorithm === undefined || algorithm !== algorithmOf(publicKey)) {
    throw new TypeError("dpop.keyPair is for no algorithm of proofs; generate one for ES256");
  }
  const publicJwk = publicPart(KeyObject.from(publicKey));
  return { thumbprint: jwkThumbprint({ ...publicJwk }), algorithm, publicJwk, pair: async () => pair };
}

function isKey(key: CryptoKey | undefined, type: KeyType): key is CryptoKey {
  return key instanceof CryptoKey && key.type === type;
}

const smallestRsaBits = 2048;

function algorithmOf({ algorithm }: CryptoKey): string | undefined {
  const { name, namedCurve, modulusLength, hash } = algorithm as Partial<EcKeyAlgorithm & RsaHashedKeyAlgorithm>;
  if (name === "ECDSA") return { "P-256": "ES256", "P-384": "ES384", "P-521": "ES512" }[namedCurve ?? ""];
  if (name === "Ed25519") return name;
  const bits = hash?.name.replace("SHA-", "");
  if (modulusLength === undefined || modulusLength < smallestRsaBits || bits === "1") return undefined;
  return name === "RSA-PSS" ? `PS${bits}` : `RS${bits}`;
}

// The members that make it, and nothing of what it is for.
function publicPart(key: KeyObject): JWK {
  const jwk = key.export({ format: "jwk" }) as Readonly<Record<string, string>>;
  const members = requiredMembers[jwk["kty"] as keyof typeof requiredMembers];
  return Object.fromEntries(members.map((member) => [member, jwk[member]])) as JWK;
}
