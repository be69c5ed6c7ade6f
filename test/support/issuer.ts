// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { constants, createHmac, generateKeyPairSync, KeyObject, sign } from "node:crypto";
import { exportJWK, generateKeyPair, type JWK } from "jose";

/** A key pair of an issuer. */
export interface TestKey {
  readonly alg: string;
  readonly kid: string;
  readonly privateKey: KeyObject;
  /** What the issuer publishes. */
  readonly publicJwk: JWK;
}

/** Mints a key pair. */
export async function mintKey(alg: string, kid: string): Promise<TestKey> {
  const { privateKey, publicKey } = await generateKeyPair(alg, { extractable: true });
  return {
    alg,
    kid,
    privateKey: KeyObject.from(privateKey),
    publicJwk: { ...(await exportJWK(publicKey)), kid, alg, use: "sig" },
  };
}

/** Mints an RSA key pair of 1024 bits; jose refuses to. */
export function mintWeakRsaKey(alg: string, kid: string): TestKey {
  const { privateKey, publicKey } = generateKeyPairSync("rsa", { modulusLength: 1024 });
  return { alg, kid, privateKey, publicJwk: { ...(publicKey.export({ format: "jwk" }) as JWK), kid, alg, use: "sig" } };
}

/** A part of a token: JSON, or the text or bytes to encode as they are. */
export type TokenPart = Readonly<Record<string, unknown>> | string | Uint8Array;

/** Encodes a part of a token. */
export function encodePart(part: TokenPart): string {
  const bytes = typeof part === "string" || part instanceof Uint8Array ? part : JSON.stringify(part);
  return Buffer.from(bytes).toString("base64url");
}

/** Signs a token, whatever its header and claims say. Does not use jose, which verifies them. */
export function signToken(key: TestKey, header: TokenPart, claims: TokenPart): string {
  const input = `${encodePart(header)}.${encodePart(claims)}`;
  return `${input}.${signBytes(key, Buffer.from(input)).toString("base64url")}`;
}

function signBytes({ alg, privateKey }: TestKey, data: Uint8Array): Buffer {
  if (alg === "EdDSA" || alg === "Ed25519") return sign(null, data, privateKey);
  const digest = `sha${alg.slice(2)}`;
  switch (alg.slice(0, 2)) {
    case "ES":
      return sign(digest, data, { key: privateKey, dsaEncoding: "ieee-p1363" });
    case "PS":
      return sign(digest, data, {
        key: privateKey,
        padding: constants.RSA_PKCS1_PSS_PADDING,
        saltLength: constants.RSA_PSS_SALTLEN_DIGEST,
      });
    default:
      return sign(digest, data, privateKey);
  }
}

/** Makes a token whose signature is an HMAC with some secret. */
export function hmacToken(secret: string | Uint8Array, header: TokenPart, claims: TokenPart): string {
  const input = `${encodePart(header)}.${encodePart(claims)}`;
  return `${input}.${createHmac("sha256", secret).update(input).digest("base64url")}`;
}

/** A request that reached the issuer. */
export interface RecordedRequest {
  readonly url: string;
  readonly headers: Headers;
  readonly redirect: RequestRedirect | undefined;
}

/** How the issuer answers a request. */
export type Answer = (signal: AbortSignal | undefined) => Promise<Response>;

/** Answers with JSON. */
export function json(body: unknown): Answer {
  return async () => Response.json(body);
}

/** Answers with a status and a page, like a proxy in front of the issuer. */
export function page(status: number): Answer {
  return async () =>
    new Response("<!doctype html><title>?</title>", { status, headers: { "content-type": "text/html" } });
}

/** The issuer cannot be reached. */
export const down: Answer = async () => {
  throw new TypeError("fetch failed", { cause: Object.assign(new Error("refused"), { code: "ECONNREFUSED" }) });
};

/** Answers nothing until the request is aborted. */
export const never: Answer = (signal) =>
  new Promise((_resolve, reject) => {
    signal?.addEventListener("abort", () => reject(signal.reason), { once: true });
  });

/** Answers like another answer, but only once it is released. */
export interface HeldAnswer {
  readonly answer: Answer;
  release(): void;
}

/** Holds an answer back. */
export function hold(answer: Answer): HeldAnswer {
  let release = (): void => {};
  const released = new Promise<void>((resolve) => {
    release = resolve;
  });
  return { answer: (signal) => released.then(() => answer(signal)), release };
}

/** An authorization server in memory. What it says can be changed at any time. */
export interface TestIssuer {
  readonly url: string;
  readonly jwksUri: string;
  /** Every request that reached it. */
  readonly requests: readonly RecordedRequest[];
  /** Its requests by what they asked for. */
  readonly counts: { readonly discovery: number; readonly jwks: number; readonly other: number };
  readonly fetch: typeof fetch;
  /** How it answers discovery. */
  discovery: Answer;
  /** How it answers a request for its keys. */
  jwks: Answer;
  /** Publishes these keys, and no other, from now on. */
  publish(...keys: readonly (TestKey | JWK)[]): void;
}

/** Creates an issuer that publishes some keys. */
export function createIssuer(url: string, ...keys: readonly (TestKey | JWK)[]): TestIssuer {
  const jwksUri = `${new URL(url).origin}/keys`;
  const discoveryUrl = `${url.replace(/\/$/, "")}/.well-known/openid-configuration`;
  const requests: RecordedRequest[] = [];
  const count = (wanted: (requested: string) => boolean): number =>
    requests.filter((request) => wanted(request.url)).length;

  const issuer: TestIssuer = {
    url,
    jwksUri,
    requests,
    get counts() {
      return {
        discovery: count((requested) => requested === discoveryUrl),
        jwks: count((requested) => requested === jwksUri),
        other: count((requested) => requested !== discoveryUrl && requested !== jwksUri),
      };
    },
    async fetch(input, init) {
      const requested = input instanceof Request ? input.url : String(input);
      requests.push({ url: requested, headers: new Headers(init?.headers), redirect: init?.redirect });
      const signal = init?.signal ?? undefined;
      if (requested === discoveryUrl) return await issuer.discovery(signal);
      if (requested === jwksUri) return await issuer.jwks(signal);
      return new Response(null, { status: 404 });
    },
    discovery: json({ issuer: url, jwks_uri: jwksUri, token_endpoint: `${url}/token` }),
    jwks: json({ keys: [] }),
    publish(...published) {
      issuer.jwks = json({ keys: published.map((key) => ("publicJwk" in key ? key.publicJwk : key)) });
    },
  };
  issuer.publish(...keys);
  return issuer;
}
