// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import type { Clock } from "../../platform/clock.js";
import { claimRules } from "../claim-rules.js";
import { type CheckedClaims, type ClaimRules, checkClaims, checkType } from "../claims.js";
import type { KeySource } from "../keys/key-source.js";
import { invalid, type TokenRefusal } from "../refusal.js";
import type { TokenVerdict, VerifiedToken } from "../token-verdict.js";
import type { TrustedIssuer } from "../trusted-issuer.js";
import type { UnverifiedJwt } from "./jwt.js";
import { findSigner, readSigningHeader, type SigningHeader } from "./signature.js";

/** An issuer, and its keys. */
export interface IssuerKeys {
  readonly trusted: TrustedIssuer;
  readonly keys: KeySource;
}

/** What verifies JWTs. */
export interface JwtVerifierOptions {
  /** By `iss`. */
  readonly issuers: ReadonlyMap<string, IssuerKeys>;
  readonly clock: Clock;
  readonly clockToleranceMs: number;
  readonly decodeJwt: (token: string) => UnverifiedJwt | string;
}

/**
 * Verifies a JWT access token (RFC 9068 §4) for an audience of the protos. Whatever can be told without a key is told
 * first: a token that is wrong by its claims costs no cryptography, and no request.
 */
export function verifyJwt(token: string, audience: string, options: JwtVerifierOptions): TokenVerdict {
  const jwt = options.decodeJwt(token);
  if (typeof jwt === "string") return { issuer: undefined, verdict: invalid(jwt) };
  const { iss } = jwt.claims;
  const issuerKeys = typeof iss === "string" ? options.issuers.get(iss) : undefined;
  if (issuerKeys === undefined) return { issuer: undefined, verdict: invalid("iss is not an issuer that is trusted") };
  const { trusted, keys } = issuerKeys;
  const checked = checkUnverified(jwt, trusted, claimRules(trusted, audience, options));
  const verdict = "reason" in checked ? checked : prove(token, checked, keys);
  return { issuer: trusted.issuer, verdict };
}

interface Unproven {
  readonly header: SigningHeader;
  readonly claims: CheckedClaims;
}

function checkUnverified(jwt: UnverifiedJwt, trusted: TrustedIssuer, rules: ClaimRules): Unproven | TokenRefusal {
  const header = readSigningHeader(jwt, trusted.algorithms);
  if ("reason" in header) return header;
  const typeProblem = checkType(jwt.header["typ"], trusted.types);
  if (typeProblem !== undefined) return typeProblem;
  const claims = checkClaims(jwt.claims, rules);
  return "reason" in claims ? claims : { header, claims };
}

async function prove(
  token: string,
  { header, claims }: Unproven,
  keys: KeySource,
): Promise<VerifiedToken | TokenRefusal> {
  const signer = await findSigner(token, header, keys);
  if ("reason" in signer) return signer;
  return { claims, proof: keys.proofBy(signer), usableUntil: keys.usableUntil };
}
