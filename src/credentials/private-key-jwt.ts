// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import type { JWK } from "jose";
import type { ClientAuth } from "openid-client";
import { createCredential } from "./create-credential.js";
import type { ClientAuthenticationContext, Credential } from "./credential.js";
import { checkOption } from "./credential-error.js";
import { Rotation } from "./rotation.js";
import {
  checkPair,
  importSigningKey,
  isSigningAlgorithm,
  readCertificate,
  readPrivateKey,
  type SigningAlgorithm,
  thumbprint,
} from "./signing-key.js";
import { combinedSource, constantSource, type Source } from "./source.js";
import { type PemSource, type TextSource, textSource } from "./text-source.js";

/**
 * Where a private key is: it itself with the usage "sign", PEM (PKCS#8, PKCS#1 or SEC 1), a JWK (RFC 7517), or a file
 * with either of the last two, which is read again for each token request.
 */
export type PrivateKeySource = CryptoKey | { readonly pem: string } | { readonly jwk: JWK } | { readonly file: string };

/** Options of privateKeyJwt(). */
export interface PrivateKeyJwtOptions {
  /** The key id of the registered public key, sent as `kid`. By default, that of the JWK; none otherwise. */
  readonly keyId?: string;
  /**
   * What to sign with. By default, what the JWK says, or what fits to the key: ES256, ES384, ES512, RS256 or Ed25519.
   * "EdDSA" is the older name of Ed25519, for authorization servers that do not know that one (RFC 9864).
   */
  readonly algorithm?: SigningAlgorithm;
  /** The certificate of the key, as PEM; its thumbprint is sent as `x5t#S256`. Entra ID wants it. By default, none. */
  readonly certificate?: PemSource;
}

/** A key, and what the header of an assertion says of it. */
interface SigningKey {
  readonly key: CryptoKey;
  readonly keyId: string | undefined;
  readonly algorithm: SigningAlgorithm | undefined;
  readonly thumbprint: string | undefined;
}

/**
 * Authenticates with a JWT that a private key signs (RFC 7523 §2.2).
 *
 * A file that was replaced is used once it has been left alone for a second. If its key is refused, the one before it is
 * tried, once, and the other way round. While a file holds no whole key, or a key that its certificate is not for, the
 * last key stays in use.
 *
 * Throws a TypeError if the key cannot sign. A file that cannot be read fails the token request, with its name.
 */
export function privateKeyJwt(source: PrivateKeySource, options: PrivateKeyJwtOptions = {}): Credential {
  const { keyId, algorithm } = options;
  if (algorithm !== undefined && !isSigningAlgorithm(algorithm)) {
    throw new TypeError(`algorithm is ${String(algorithm)}; give one such as ES256, RS256, PS256 or Ed25519`);
  }
  const certificate =
    options.certificate === undefined ? undefined : textSource(options.certificate, "client certificate");
  const keys = isCryptoKey(source)
    ? fromCryptoKey(source, options, certificate)
    : fromText(source, options, certificate);
  return createCredential({
    method: "private_key_jwt",
    keyId: keyId ?? (hasJwk(source) ? source.jwk.kid : undefined),
    rotation: new Rotation(keys),
    authenticate: async (key, context) => ({ clientAuth: await signedAssertion(key, context) }),
    // Neither the key nor anything of it leaves the process; what is signed with it, is known to who sends it.
    isIn: () => false,
  });
}

async function signedAssertion(signing: SigningKey, context: ClientAuthenticationContext): Promise<ClientAuth> {
  const client = await import("openid-client");
  const { key, keyId, algorithm } = signing;
  return client.PrivateKeyJwt(keyId === undefined ? key : { key, kid: keyId }, {
    [client.modifyAssertion]: (header, payload) => {
      payload["aud"] = context.assertionAudience === "issuer" ? context.issuer : context.tokenEndpoint;
      if (algorithm === "EdDSA") header["alg"] = algorithm;
      if (signing.thumbprint !== undefined) header["x5t#S256"] = signing.thumbprint;
    },
  });
}

function isCryptoKey(source: PrivateKeySource): source is CryptoKey {
  return source instanceof CryptoKey;
}

function hasJwk(source: PrivateKeySource): source is { readonly jwk: JWK } {
  return "jwk" in source;
}

function fromCryptoKey(
  key: CryptoKey,
  { keyId, algorithm }: PrivateKeyJwtOptions,
  certificate: TextSource | undefined,
): Source<SigningKey> {
  if (key.type !== "private" || !key.usages.includes("sign")) {
    throw new TypeError(
      `the private key cannot sign: it is a ${key.type} key for ${key.usages.join(", ") || "nothing"}`,
    );
  }
  if (algorithm !== undefined && !algorithmsOf(key).includes(algorithm)) {
    throw new TypeError(`the private key is for ${key.algorithm.name}, and so not for ${algorithm}`);
  }
  const signing = { key, keyId, algorithm, thumbprint: undefined };
  if (certificate === undefined) return constantSource(signing);
  const { name, literal } = certificate;
  if (literal !== undefined) checkOption(() => readCertificate(literal, name));
  return combinedSource([certificate], async ([pem = ""]) => ({
    ...signing,
    thumbprint: thumbprint(readCertificate(pem, name)),
  }));
}

function algorithmsOf({ algorithm }: CryptoKey): readonly string[] {
  const { name, namedCurve, hash } = algorithm as { name: string; namedCurve?: string; hash?: { name: string } };
  const bits = hash?.name.replace("SHA-", "");
  if (name === "RSA-PSS") return [`PS${bits}`];
  if (name === "RSASSA-PKCS1-v1_5") return [`RS${bits}`];
  if (name === "ECDSA") return [{ "P-256": "ES256", "P-384": "ES384", "P-521": "ES512" }[namedCurve ?? ""] ?? ""];
  return ["Ed25519", "EdDSA"];
}

function fromText(
  source: Exclude<PrivateKeySource, CryptoKey>,
  { keyId, algorithm }: PrivateKeyJwtOptions,
  certificate: TextSource | undefined,
): Source<SigningKey> {
  const key = textSource(toPemSource(source), "private key");
  const readPair = (keyText: string, pem: string | undefined) => {
    const privateKey = readPrivateKey(keyText, key.name, algorithm);
    if (certificate === undefined || pem === undefined) return { privateKey };
    const x509 = readCertificate(pem, certificate.name);
    checkPair(x509, privateKey.object);
    return { privateKey, x509 };
  };
  const { literal } = key;
  if (literal !== undefined) checkOption(() => readPair(literal, certificate?.literal));
  return combinedSource(certificate === undefined ? [key] : [key, certificate], async ([keyText = "", pem]) => {
    const { privateKey, x509 } = readPair(keyText, pem);
    return {
      key: await importSigningKey(privateKey),
      keyId: keyId ?? privateKey.keyId,
      algorithm: privateKey.algorithm,
      thumbprint: x509 && thumbprint(x509),
    };
  });
}

function toPemSource(source: Exclude<PrivateKeySource, CryptoKey>): PemSource {
  if (typeof source !== "object" || source === null) return "";
  if ("pem" in source) return source.pem;
  return hasJwk(source) ? JSON.stringify(source.jwk) : source;
}
