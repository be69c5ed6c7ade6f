// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { type CryptoKey, importJWK, type JWK } from "jose";
import { jwkThumbprint, requiredMembers } from "../../platform/jwk-thumbprint.js";
import { isSmallOrder } from "../keys/weak-key.js";

/** The public key in the header of a proof. */
export interface ProofKey {
  /** Its SHA-256 thumbprint (RFC 7638), which `cnf.jkt` of a token is compared with. */
  readonly thumbprint: string;
  /** The members that make it, and no other one. */
  readonly jwk: JWK;
}

/** Key types by algorithm, with their curve. */
const types: Readonly<Record<string, { readonly kty: "EC" | "OKP"; readonly crv: string } | { readonly kty: "RSA" }>> =
  {
    ES256: { kty: "EC", crv: "P-256" },
    ES384: { kty: "EC", crv: "P-384" },
    ES512: { kty: "EC", crv: "P-521" },
    EdDSA: { kty: "OKP", crv: "Ed25519" },
    Ed25519: { kty: "OKP", crv: "Ed25519" },
  };

/** Members of private and symmetric keys (RFC 7518 §6.2.2, §6.3.2, §6.4.1). */
const secretMembers = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"] as const;

const base64url = /^[A-Za-z0-9_-]+$/;

/** Reads the `jwk` of a proof (RFC 9449 §4.2); a string says why it cannot be used. */
export function readProofKey(value: unknown, algorithm: string): ProofKey | string {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return "has no jwk";
  const given = value as Readonly<Record<string, unknown>>;
  if (secretMembers.some((member) => Object.hasOwn(given, member))) return "has a jwk with a secret part";
  const type = types[algorithm] ?? { kty: "RSA" };
  if (given["kty"] !== type.kty) return `has a jwk that is not of the type ${type.kty}`;
  if ("crv" in type && given["crv"] !== type.crv) return `has a jwk that is not on ${type.crv}`;
  const jwk: Record<string, string> = {};
  for (const member of requiredMembers[type.kty]) {
    const part = given[member];
    if (typeof part !== "string" || !base64url.test(part)) return `has a jwk without a proper ${member}`;
    jwk[member] = part;
  }
  const weakness = type.kty === "RSA" ? findRsaWeakness(jwk) : findOkpWeakness(jwk);
  return weakness ?? { thumbprint: jwkThumbprint(jwk), jwk: jwk as JWK };
}

const minRsaBits = 2048;
// A larger one takes long to verify with.
const maxRsaBits = 8192;
const maxExponentBits = 32;

function findRsaWeakness({ n = "", e = "" }: Readonly<Record<string, string>>): string | undefined {
  const [modulus, exponent] = [toInteger(n), toInteger(e)];
  const bits = modulus.toString(2).length;
  if (bits < minRsaBits || bits > maxRsaBits) return `has an RSA key of ${bits} bits`;
  // With 1, everybody can sign.
  const isSafe = exponent > 2n && exponent % 2n === 1n && exponent.toString(2).length <= maxExponentBits;
  return isSafe ? undefined : "has an RSA key with an unsafe exponent";
}

function findOkpWeakness({ kty, x = "" }: Readonly<Record<string, string>>): string | undefined {
  return kty === "OKP" && isSmallOrder(x) ? "has a key for which everybody can sign" : undefined;
}

function toInteger(encoded: string): bigint {
  return BigInt(`0x0${Buffer.from(encoded, "base64url").toString("hex")}`);
}

/** Imports keys of proofs, and keeps those that were used last: a client has one key for many calls. */
export interface ProofKeyImporter {
  /** Rejects if the key is none. */
  import(key: ProofKey, algorithm: string): Promise<CryptoKey>;
}

/** Creates an importer that keeps so many keys. */
export function createProofKeyImporter(maxKeys: number): ProofKeyImporter {
  const imported = new Map<string, Promise<CryptoKey>>();
  return {
    async import({ thumbprint, jwk }, algorithm) {
      const id = `${algorithm} ${thumbprint}`;
      const known = imported.get(id);
      const key = known ?? (importJWK(jwk, algorithm) as Promise<CryptoKey>);
      // The one that was used last is at the end.
      imported.delete(id);
      imported.set(id, key);
      if (imported.size > maxKeys) imported.delete(imported.keys().next().value as string);
      try {
        return await key;
      } catch (error) {
        imported.delete(id);
        throw error;
      }
    },
  };
}
