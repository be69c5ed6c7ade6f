// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";

/** What the measured services are, and who calls them. */
export const mesh = {
  audience: "https://payment-service.internal",
  clientId: "order-service",
  scope: "payments:read",
} as const;

/** An issuer of access tokens that are as long as asked for. Its keys last as long as it does. */
export interface Issuer {
  readonly url: string;
  readonly algorithm: Algorithm;
  readonly publicJwk: PublicJwk;
  /** Signs a token. Claims and header parameters can be replaced. */
  mint(changes?: TokenChanges): string;
}

export type Algorithm = "RS256" | "ES256";

/** A key as it is published (RFC 7517). */
export interface PublicJwk {
  readonly kty: string;
  readonly kid: string;
  readonly alg: Algorithm;
  readonly use: "sig";
  readonly [parameter: string]: string;
}

export interface TokenChanges {
  readonly claims?: Readonly<Record<string, unknown>>;
  readonly header?: Readonly<Record<string, unknown>>;
}

/** Creates an issuer; `length` is that of its tokens in characters, or a little less. */
export function createIssuer(url: string, algorithm: Algorithm, length: number): Issuer {
  const { privateKey, publicKey } = generateKeys(algorithm);
  const kid = "key-1";
  const publicJwk = { ...publicKey.export({ format: "jwk" }), kid, alg: algorithm, use: "sig" } as PublicJwk;
  let minted = 0;
  const mint = (padding: string, { claims, header }: TokenChanges = {}): string => {
    minted += 1;
    const input = [
      encode({ typ: "at+jwt", alg: algorithm, kid, ...header }),
      encode({ ...standardClaims(url, minted), ...(padding !== "" && { padding }), ...claims }),
    ].join(".");
    const signature = sign("sha256", Buffer.from(input), { key: privateKey, dsaEncoding: "ieee-p1363" });
    return `${input}.${signature.toString("base64url")}`;
  };
  const missing = Math.max(0, length - mint("").length);
  // What `,"padding":""` takes itself; four characters of base64url carry three bytes.
  const padding = "x".repeat(Math.max(0, Math.floor((missing * 3) / 4) - 13));
  return { url, algorithm, publicJwk, mint: (changes) => mint(padding, changes) };
}

const lifetimeSeconds = 86_400;

function standardClaims(iss: string, number: number): Readonly<Record<string, unknown>> {
  const iat = Math.floor(Date.now() / 1000);
  const { audience: aud, clientId, scope } = mesh;
  // As long for every token, so that all tokens are.
  const jti = String(number).padStart(12, "0");
  return { iss, aud, sub: clientId, client_id: clientId, scope, iat, exp: iat + lifetimeSeconds, jti };
}

function generateKeys(algorithm: Algorithm): { privateKey: KeyObject; publicKey: KeyObject } {
  return algorithm === "RS256"
    ? generateKeyPairSync("rsa", { modulusLength: 2048 })
    : generateKeyPairSync("ec", { namedCurve: "P-256" });
}

function encode(part: object): string {
  return Buffer.from(JSON.stringify(part)).toString("base64url");
}

/** What an issuer publishes, by path: metadata and keys. */
export function published({ url, publicJwk }: Pick<Issuer, "url" | "publicJwk">): Readonly<Record<string, object>> {
  return {
    "/.well-known/openid-configuration": { issuer: url, jwks_uri: `${url}/keys`, token_endpoint: `${url}/token` },
    "/keys": { keys: [publicJwk] },
  };
}

/** An issuer that answers on loopback, with a token for everybody who asks. */
export interface RunningIssuer extends Issuer {
  close(): void;
}

/** Starts an issuer. */
export async function startIssuer(algorithm: Algorithm, length: number): Promise<RunningIssuer> {
  let answers: Readonly<Record<string, object>> = {};
  const server = createServer((request, response) => {
    request.resume();
    const answer = request.url === "/token" ? tokenAnswer(issuer) : answers[request.url ?? ""];
    response.writeHead(answer === undefined ? 404 : 200, { "content-type": "application/json" });
    response.end(JSON.stringify(answer ?? {}));
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const issuer = createIssuer(`http://127.0.0.1:${(server.address() as AddressInfo).port}`, algorithm, length);
  answers = published(issuer);
  return {
    ...issuer,
    close: () => {
      server.close();
      server.closeAllConnections();
    },
  };
}

function tokenAnswer(issuer: Issuer): object {
  return { access_token: issuer.mint(), token_type: "Bearer", expires_in: lifetimeSeconds };
}
