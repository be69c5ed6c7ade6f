// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { createHash } from "node:crypto";
import type { UnverifiedJwt } from "../jwt/jwt.js";
import type { DpopSettings } from "./dpop-options.js";
import { type ProofKey, readProofKey } from "./proof-key.js";
import { isTargetUri } from "./target-uri.js";

/** The longest proof that is looked at, in characters. */
const maxProofLength = 8_192;

const maxIdLength = 256;

/** A DPoP proof that was taken apart, its signature aside. */
export interface Proof {
  readonly algorithm: string;
  readonly key: ProofKey;
  readonly claims: Readonly<Record<string, unknown>>;
}

/** Takes a proof apart (RFC 9449 §4.2); a string says why it is none: "has ...", "is ...". */
export function readProof(
  proof: string,
  { algorithms }: DpopSettings,
  decode: (jwt: string) => UnverifiedJwt | string,
): Proof | string {
  if (proof.length > maxProofLength) return `is longer than ${maxProofLength} characters`;
  const jwt = decode(proof);
  if (typeof jwt === "string") return `is not a JWT: ${jwt.replace("the token", "the proof")}`;
  const { typ, alg, jwk } = jwt.header;
  if (typ !== "dpop+jwt") return "has a typ that is not dpop+jwt";
  if (typeof alg !== "string" || !algorithms.includes(alg)) return `has an alg that is not ${algorithms.join(", ")}`;
  // No extension is understood here, so none can be critical (RFC 7515 §4.1.11). Nothing else takes part.
  if (Object.hasOwn(jwt.header, "crit")) return "has a crit";
  const key = readProofKey(jwk, alg);
  return typeof key === "string" ? key : { algorithm: alg, key, claims: jwt.claims };
}

/** What the claims of a proof have to say. */
export interface ExpectedProof {
  readonly token: string;
  readonly httpMethod: string;
  readonly path: string;
  readonly now: number;
  readonly clockToleranceMs: number;
}

/** What is wrong with the claims of a proof (RFC 9449 §4.3), the nonce aside; `undefined` if nothing is. */
export function findClaimProblem(
  claims: Proof["claims"],
  expected: ExpectedProof,
  { origins, maxAgeMs }: DpopSettings,
): string | undefined {
  const { jti, htm, htu, iat, ath } = claims;
  if (typeof jti !== "string" || jti === "" || jti.length > maxIdLength) return "has no proper jti";
  if (htm !== expected.httpMethod) return "is for another HTTP method";
  if (typeof htu !== "string" || !isTargetUri(htu, origins, expected.path)) return "is for another target URI";
  if (ath !== createHash("sha256").update(expected.token).digest("base64url")) return "is for another access token";
  if (typeof iat !== "number" || !Number.isFinite(iat)) return "has no proper iat";
  const age = expected.now - iat * 1000;
  if (age < -expected.clockToleranceMs) return "has an iat in the future";
  return age > maxAgeMs + expected.clockToleranceMs ? "is too old" : undefined;
}
