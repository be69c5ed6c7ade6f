// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { createHash, createPrivateKey, type JsonWebKey, type KeyObject, X509Certificate } from "node:crypto";
import { CredentialError } from "./credential-error.js";

/** The algorithms that a client assertion can be signed with (RFC 7518 §3.1, RFC 8037, RFC 9864). */
export type SigningAlgorithm =
  | "ES256"
  | "ES384"
  | "ES512"
  | "RS256"
  | "RS384"
  | "RS512"
  | "PS256"
  | "PS384"
  | "PS512"
  | "EdDSA"
  | "Ed25519";

/** How the key type of an algorithm is called by node:crypto, and how WebCrypto calls the algorithm. */
interface Family {
  readonly type: string;
  readonly curve?: string;
  readonly parameters: EcKeyImportParams | RsaHashedImportParams | { readonly name: "Ed25519" };
}

const families: Readonly<Record<SigningAlgorithm, Family>> = {
  ES256: { type: "ec", curve: "prime256v1", parameters: { name: "ECDSA", namedCurve: "P-256" } },
  ES384: { type: "ec", curve: "secp384r1", parameters: { name: "ECDSA", namedCurve: "P-384" } },
  ES512: { type: "ec", curve: "secp521r1", parameters: { name: "ECDSA", namedCurve: "P-521" } },
  RS256: { type: "rsa", parameters: { name: "RSASSA-PKCS1-v1_5", hash: "SHA-256" } },
  RS384: { type: "rsa", parameters: { name: "RSASSA-PKCS1-v1_5", hash: "SHA-384" } },
  RS512: { type: "rsa", parameters: { name: "RSASSA-PKCS1-v1_5", hash: "SHA-512" } },
  PS256: { type: "rsa", parameters: { name: "RSA-PSS", hash: "SHA-256" } },
  PS384: { type: "rsa", parameters: { name: "RSA-PSS", hash: "SHA-384" } },
  PS512: { type: "rsa", parameters: { name: "RSA-PSS", hash: "SHA-512" } },
  Ed25519: { type: "ed25519", parameters: { name: "Ed25519" } },
  EdDSA: { type: "ed25519", parameters: { name: "Ed25519" } },
};
const algorithms = Object.keys(families) as SigningAlgorithm[];

/** Whether this is one of the algorithms. */
export function isSigningAlgorithm(value: unknown): value is SigningAlgorithm {
  return algorithms.includes(value as SigningAlgorithm);
}

/** A private key that was read, and what to sign with it. */
export interface PrivateKeyFile {
  readonly object: KeyObject;
  readonly algorithm: SigningAlgorithm;
  readonly keyId: string | undefined;
}

/**
 * Reads a private key: PEM (PKCS#8, PKCS#1, SEC 1) or a JWK (RFC 7517). `name` says which one it is. Throws a
 * CredentialError that quotes nothing of it.
 */
export function readPrivateKey(text: string, name: string, algorithm?: SigningAlgorithm): PrivateKeyFile {
  const jwk = text.trimStart().startsWith("{") ? parseJwk(text, name) : undefined;
  const object = readKeyObject(jwk ?? text, name);
  const ownAlgorithm = isSigningAlgorithm(jwk?.alg) ? jwk.alg : undefined;
  return {
    object,
    algorithm: chooseAlgorithm(object, name, algorithm ?? ownAlgorithm),
    keyId: typeof jwk?.kid === "string" ? jwk.kid : undefined,
  };
}

interface Jwk extends JsonWebKey {
  readonly alg?: unknown;
  readonly kid?: unknown;
}

function parseJwk(text: string, name: string): Jwk {
  try {
    return JSON.parse(text) as Jwk;
  } catch {
    throw new CredentialError("refused", `${name} is neither PEM nor a JWK`);
  }
}

/** Reads a private key of any type. Throws a CredentialError that quotes nothing of it. */
export function readKeyObject(input: string | JsonWebKey, name: string): KeyObject {
  try {
    return typeof input === "string" ? createPrivateKey(input) : createPrivateKey({ key: input, format: "jwk" });
  } catch {
    const isEncrypted = typeof input === "string" && input.includes("ENCRYPTED");
    const problem = isEncrypted ? "is encrypted; decrypt it" : "holds no private key";
    throw new CredentialError("refused", `${name} ${problem}`);
  }
}

const smallestRsaBits = 2048;

function chooseAlgorithm(object: KeyObject, name: string, wanted: SigningAlgorithm | undefined): SigningAlgorithm {
  const { asymmetricKeyType: type, asymmetricKeyDetails: details = {} } = object;
  const fits = (each: SigningAlgorithm): boolean =>
    families[each].type === type && families[each].curve === details.namedCurve;
  const algorithm = wanted ?? algorithms.find(fits);
  if (algorithm === undefined || !fits(algorithm)) {
    const curve = details.namedCurve === undefined ? "" : ` on ${details.namedCurve}`;
    throw new CredentialError(
      "refused",
      `${name} is of the type ${type}${curve}: no key for ${algorithm ?? "signing"}`,
    );
  }
  if (details.modulusLength !== undefined && details.modulusLength < smallestRsaBits) {
    const bits = `${details.modulusLength} bits; an RSA key needs ${smallestRsaBits}`;
    throw new CredentialError("refused", `${name} has ${bits}`);
  }
  return algorithm;
}

/** Makes it a key that signs, and that cannot be exported again. */
export async function importSigningKey({ object, algorithm }: PrivateKeyFile): Promise<CryptoKey> {
  const pkcs8 = object.export({ type: "pkcs8", format: "der" });
  return await crypto.subtle.importKey("pkcs8", pkcs8, families[algorithm].parameters, false, ["sign"]);
}

/** Reads the first certificate of a PEM text. Throws a CredentialError. */
export function readCertificate(pem: string, name: string): X509Certificate {
  try {
    return new X509Certificate(pem);
  } catch {
    throw new CredentialError("refused", `${name} holds no certificate; give PEM`);
  }
}

/** Checks that a certificate is that of a private key. Throws a CredentialError. */
export function checkPair(certificate: X509Certificate, key: KeyObject): void {
  if (!certificate.checkPrivateKey(key)) {
    throw new CredentialError("refused", "the certificate does not belong to the private key");
  }
}

/** The SHA-256 thumbprint of a certificate, as `x5t#S256` has it (RFC 7515 §4.1.8). */
export function thumbprint(certificate: X509Certificate): string {
  return createHash("sha256").update(certificate.raw).digest("base64url");
}
