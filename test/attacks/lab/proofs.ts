// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { createHash, randomUUID } from "node:crypto";
import { calculateJwkThumbprint } from "jose";
import { mintKey, signToken, type TestKey, type TokenPart } from "../../support/issuer.js";
import type { ForgedRequest } from "../attack.js";
import { mintWith, start } from "./mint.js";
import type { Way } from "./ways.js";

type Members = Readonly<Record<string, unknown>>;

/** The origin that proofs name. */
export const proofOrigin = "https://vault.internal";

/** The key that a token is bound to, and another one. */
export const boundKey: TestKey = await mintKey("ES256", "");
export const otherKey: TestKey = await mintKey("ES256", "");

/** A token that is bound to a key (RFC 9449 §6.1). */
export const boundToken: string = mintWith({ cnf: { jkt: await calculateJwkThumbprint(publicPart(boundKey)) } });

export function publicPart({ publicJwk: { kty, crv, x, y } }: TestKey): Members & { kty: string } {
  return { kty: kty ?? "", crv, x, y };
}

/** The header of a good proof, changed as an attack needs. */
export function proofHeader(changes: Members = {}, key: TestKey = boundKey): Members {
  return { typ: "dpop+jwt", alg: "ES256", jwk: publicPart(key), ...changes };
}

/** The claims of a good proof for a call, changed likewise. */
export function proofClaims({ get, rpc }: Way, changes: Members = {}): Members {
  return {
    jti: randomUUID(),
    htm: get ? "GET" : "POST",
    htu: `${proofOrigin}/test.v1.Vault/${rpc}`,
    iat: start,
    ath: createHash("sha256").update(boundToken).digest("base64url"),
    ...changes,
  };
}

/** A call with the bound token and some proofs. */
export function withProofs(...proofs: readonly string[]): ForgedRequest {
  return { fields: [["authorization", `DPoP ${boundToken}`], ...proofs.map((proof) => ["dpop", proof] as const)] };
}

/** A call with the bound token and a proof, signed with the key that the token is bound to unless an attack says otherwise. */
export function prove(payload: TokenPart, head: TokenPart = proofHeader(), key: TestKey = boundKey): ForgedRequest {
  return withProofs(signToken(key, head, payload));
}
