// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { constants, createCipheriv, createHmac, createPublicKey, publicEncrypt, sign } from "node:crypto";
import { encodePart, type TestKey, type TokenPart } from "../../support/issuer.js";
import { claims, es256, header } from "./mint.js";

/** A token with any third part. */
export function assemble(head: TokenPart, payload: TokenPart, signature: Uint8Array | string = ""): string {
  const third = typeof signature === "string" ? signature : Buffer.from(signature).toString("base64url");
  return `${encodePart(head)}.${encodePart(payload)}.${third}`;
}

/** A token whose signature is an HMAC with what everybody knows: the public key, in some spelling. */
export function confused(secret: string | Uint8Array, key: TestKey, alg = "HS256"): string {
  const input = `${encodePart(header({ alg }, key))}.${encodePart(claims())}`;
  return `${input}.${createHmac(alg.replace("HS", "sha"), secret).update(input).digest("base64url")}`;
}

function publicKeyOf({ publicJwk }: TestKey): ReturnType<typeof createPublicKey> {
  return createPublicKey({ key: publicJwk as Record<string, string>, format: "jwk" });
}

/** A published key as PEM, SubjectPublicKeyInfo (RFC 7468 §13). */
export function pemOf(key: TestKey): string {
  return publicKeyOf(key).export({ format: "pem", type: "spki" }).toString();
}

/** A published RSA key as PEM, PKCS #1 (RFC 8017 §A.1.1). */
export function pkcs1Of(key: TestKey): string {
  return publicKeyOf(key).export({ format: "pem", type: "pkcs1" }).toString();
}

/** A published key in DER. */
export function derOf(key: TestKey): Buffer {
  return publicKeyOf(key).export({ format: "der", type: "spki" });
}

/** Signs a good token's input with the key of the issuer, in another scheme than the header says. */
export function signedAs(
  head: TokenPart,
  key: TestKey,
  scheme: "DER" | "P1363" | "PSS" | "PKCS1",
  digest = "sha256",
): string {
  const input = `${encodePart(head)}.${encodePart(claims())}`;
  const options = {
    DER: { dsaEncoding: "der" },
    P1363: { dsaEncoding: "ieee-p1363" },
    PSS: { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: constants.RSA_PSS_SALTLEN_DIGEST },
    PKCS1: { padding: constants.RSA_PKCS1_PADDING },
  } as const;
  return `${input}.${sign(digest, Buffer.from(input), { key: key.privateKey, ...options[scheme] }).toString("base64url")}`;
}

/** A JWE in the compact serialization (RFC 7516 §7.1) around a text, encrypted to a published RSA key. */
export function jweOf(text: string, key: TestKey): string {
  const head = encodePart({ alg: "RSA-OAEP", enc: "A256GCM", kid: key.kid, typ: "at+jwt", cty: "JWT" });
  const [contentKey, iv] = [Buffer.alloc(32, 7), Buffer.alloc(12, 1)];
  const cipher = createCipheriv("aes-256-gcm", contentKey, iv).setAAD(Buffer.from(head));
  const encrypted = Buffer.concat([cipher.update(text), cipher.final()]);
  const wrapped = publicEncrypt({ key: publicKeyOf(key), oaepHash: "sha1" }, contentKey);
  return [head, ...[wrapped, iv, encrypted, cipher.getAuthTag()].map(encodePart)].join(".");
}

/** The order of P-256, as the bytes of a number. */
export const p256Order: Buffer = Buffer.from("ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551", "hex");

/** Signs two parts as they are, however they are encoded. */
export function signEncoded(head: string, payload: string): string {
  const input = `${head}.${payload}`;
  const signature = sign("sha256", Buffer.from(input), { key: es256.privateKey, dsaEncoding: "ieee-p1363" });
  return `${input}.${signature.toString("base64url")}`;
}
