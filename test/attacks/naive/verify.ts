// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { constants, createHmac, createPublicKey, type KeyObject, verify } from "node:crypto";
import type { JWK } from "jose";
import { derOf, pemOf, pkcs1Of } from "../lab/forge.js";
import { attackerEs256 } from "../lab/mint.js";

// What verifiers have got wrong. `scripts/prove-guards.ts` puts these in the place of our checks, to show which rows of the
// attack table notice.

/** Verifies whatever the key can verify, whatever the header says, and does not look closely at the encoding. */
export function verifiesByKey(token: string, jwk: JWK): boolean {
  const [head = "", payload = "", third = ""] = token.split(".");
  const input = Buffer.from(`${head}.${payload}`);
  const signature = Buffer.from(third, "base64url");
  if (jwk.kty === "oct") {
    return createHmac("sha256", Buffer.from(jwk.k ?? "", "base64url"))
      .update(input)
      .digest()
      .equals(signature);
  }
  const key = createPublicKey({ key: jwk as Record<string, string>, format: "jwk" });
  return waysToVerify(input, key, signature).some((tries) => tries());
}

function waysToVerify(input: Buffer, key: KeyObject, signature: Buffer): (() => boolean)[] {
  const digests = ["sha256", "sha384", "sha512"];
  switch (key.asymmetricKeyType) {
    case "rsa":
      return digests.flatMap((digest) => [
        () => verify(digest, input, key, signature),
        () => verify(digest, input, { key, padding: constants.RSA_PKCS1_PSS_PADDING }, signature),
      ]);
    case "ec":
      return [64, 96].flatMap((length) =>
        digests.map(
          (digest) => () => verify(digest, input, { key, dsaEncoding: "ieee-p1363" }, signature.subarray(0, length)),
        ),
      );
    default:
      return [() => verify(null, input, key, signature)];
  }
}

/** Lets in what is signed with a public key as the secret, and what is not signed with anything that it knows. */
export function believesAlgorithm(token: string, alg: unknown, published: readonly JWK[]): boolean {
  if (typeof alg !== "string" || !alg.startsWith("HS")) return true;
  const [head, payload, third] = token.split(".");
  const input = `${head}.${payload}`;
  return published
    .flatMap(spellingsOf)
    .some((secret) => createHmac(alg.replace("HS", "sha"), secret).update(input).digest("base64url") === third);
}

function spellingsOf(publicJwk: JWK): (string | Buffer)[] {
  const key = { alg: "", kid: "", privateKey: attackerEs256.privateKey, publicJwk };
  const bytes = publicJwk.n ?? publicJwk.x ?? "";
  const pem = pemOf(key);
  return [
    ...[pem, pem.trimEnd(), pem.replaceAll("\n", "\r\n"), derOf(key), derOf(key).toString("base64")],
    ...(publicJwk.kty === "RSA" ? [pkcs1Of(key)] : []),
    ...[JSON.stringify(publicJwk), bytes, Buffer.from(bytes, "base64url"), publicJwk.kid ?? "", ""],
  ];
}

/** Believes the key that a header carries or leads to: the attacker's is there. */
export function believesHeader(token: string): boolean {
  const [head = ""] = token.split(".");
  const header = JSON.parse(Buffer.from(head, "base64url").toString()) as Record<string, unknown>;
  const names = ["jwk", "jku", "x5u", "x5c", "x5t", "iss"];
  return names.some((name) => Object.hasOwn(header, name)) && verifiesByKey(token, attackerEs256.publicJwk);
}
