// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { type CryptoKey, compactVerify, errors } from "jose";
import { type KeySource, unknownKey } from "../keys/key-source.js";
import type { PublishedKey } from "../keys/published-keys.js";
import { invalid, type TokenRefusal } from "../refusal.js";
import type { UnverifiedJwt } from "./jwt.js";

/** What a token was signed with, by its header. Nothing else of the header takes part: no jku, jwk, x5u, x5c. */
export interface SigningHeader {
  readonly alg: string;
  readonly kid: string | undefined;
}

/** Reads the header of a JWT as far as its signature is concerned (RFC 7515 §4.1). */
export function readSigningHeader(
  { header }: UnverifiedJwt,
  algorithms: readonly string[],
): SigningHeader | TokenRefusal {
  const { alg, kid } = header;
  if (typeof alg !== "string" || !algorithms.includes(alg))
    return invalid(`alg is not one of ${algorithms.join(", ")}`);
  if (kid !== undefined && typeof kid !== "string") return invalid("kid is no string");
  // No extension is understood here, so none can be critical (RFC 7515 §4.1.11); b64 (RFC 7797) is one.
  if (Object.hasOwn(header, "crit")) return invalid("crit names an extension that is not supported");
  if (Object.hasOwn(header, "b64")) return invalid("b64 is not supported");
  return { alg, kid };
}

// Without a key id, each key of the algorithm has to be tried: a token must not cost many verifications.
const maxCandidates = 16;

/** Finds the published key that signed a token. */
export async function findSigner(
  token: string,
  { alg, kid }: SigningHeader,
  keys: KeySource,
): Promise<PublishedKey | TokenRefusal> {
  const candidates = await keys.find(alg, kid);
  if ("reason" in candidates) return candidates;
  if (candidates.length > maxCandidates) return invalid("too many published keys match; tokens need a kid");
  let tried = 0;
  for (const candidate of candidates) {
    const key = await candidate.forAlgorithm(alg);
    if (key === undefined) continue;
    tried += 1;
    if (await isSignedBy(token, key, alg)) return candidate;
  }
  return tried === 0 ? unknownKey : invalid("the signature does not verify");
}

async function isSignedBy(token: string, key: CryptoKey, alg: string): Promise<boolean> {
  try {
    await compactVerify(token, key, { algorithms: [alg] });
    return true;
  } catch (error) {
    // A key that does not fit the algorithm, or is too weak for it, is a TypeError: nothing that it signs is accepted.
    if (error instanceof errors.JOSEError || error instanceof TypeError) return false;
    throw error;
  }
}
