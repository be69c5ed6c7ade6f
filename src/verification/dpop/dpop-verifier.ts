// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { createHash } from "node:crypto";
import { compactVerify } from "jose";
import type { Clock } from "../../platform/clock.js";
import type { CallTransport } from "../incoming-call.js";
import { createJwtDecoder } from "../jwt/jwt.js";
import type { TokenRefusal } from "../refusal.js";
import { type DpopOptions, type DpopSettings, validateDpopOptions } from "./dpop-options.js";
import { findClaimProblem, type Proof, readProof } from "./proof.js";
import { createProofKeyImporter, type ProofKeyImporter } from "./proof-key.js";

/** Checks that callers hold the keys that their tokens are bound to (RFC 9449 §7). */
export interface DpopVerifier {
  /** The algorithms of proofs, for challenges that are made elsewhere: `dpopAlgorithms` of a Refusal. */
  readonly algorithms: readonly string[];
  /** Says why the proof of a call does not do; `undefined` if it does. Never throws for what a caller sends. */
  check(call: DpopCall): Promise<DpopRefusal | undefined>;
  /** The nonce that proofs should have now, for `dpop-nonce` of any answer (RFC 9449 §8.2); none if none is needed. */
  nonce(): string | undefined;
}

/** A call whose token was verified. */
export interface DpopCall {
  /** The access token. */
  readonly token: string;
  /** The thumbprint of the key that it is bound to: `cnf.jkt` (RFC 9449 §6.1). */
  readonly jkt: string;
  /** What carries the call. Without it nothing is known of the request, and no proof does. */
  readonly transport: CallTransport | undefined;
}

/** Why a proof does not do. */
export type DpopRefusal = TokenRefusal & {
  readonly reason: "DPOP_PROOF_INVALID" | "DPOP_NONCE_REQUIRED" | "AUTHORIZATION_SERVER_UNAVAILABLE";
};

/** What a verifier of proofs needs. */
export interface DpopVerifierOptions extends DpopOptions {
  readonly clock: Clock;
  readonly clockToleranceMs: number;
}

const maxKeys = 1_000;

// A store that is down may be back soon.
const storeRetryMs = 1_000;

/**
 * Creates a verifier of DPoP proofs. Whatever can be told without the signature is told first; the replay store is asked
 * last, so that nothing but good proofs fill it.
 *
 * Throws a TypeError if an option is wrong.
 */
export function createDpopVerifier(options: DpopVerifierOptions): DpopVerifier {
  const settings = validateDpopOptions(options, options.clock);
  const { clock, clockToleranceMs } = options;
  const keys = createProofKeyImporter(maxKeys);
  const decodeJwt = createJwtDecoder();
  const invalid = (problem: string): DpopRefusal => invalidProof(`the DPoP proof ${problem}`, settings);

  return {
    algorithms: settings.algorithms,
    nonce: () => settings.nonce?.current(),
    async check({ token, jkt, transport }) {
      if (transport === undefined) return invalidProof("nothing is known of the request that a proof is for", settings);
      const [sent, ...others] = transport.dpopProofs;
      if (sent === undefined) return invalidProof("the call has no DPoP header", settings);
      if (others.length > 0) return invalidProof("the call has more than one DPoP header", settings);
      const proof = readProof(sent, settings, decodeJwt);
      if (typeof proof === "string") return invalid(proof);
      if (proof.key.thumbprint !== jkt) return invalid("is made with another key than the one of the access token");
      const { httpMethod, path } = transport;
      const expected = { token, httpMethod, path, now: clock.now(), clockToleranceMs };
      const problem = findClaimProblem(proof.claims, expected, settings);
      if (problem !== undefined) return invalid(problem);
      if (!(await isSigned(sent, proof, keys))) return invalid("has a signature that does not verify");
      return checkNonce(proof, settings) ?? (await checkReplay(proof, expected, settings));
    },
  };
}

function invalidProof(cause: string, { algorithms }: DpopSettings): DpopRefusal {
  return { reason: "DPOP_PROOF_INVALID", cause, scheme: "DPoP", dpopAlgorithms: algorithms };
}

async function isSigned(sent: string, { algorithm, key }: Proof, keys: ProofKeyImporter): Promise<boolean> {
  try {
    await compactVerify(sent, await keys.import(key, algorithm), { algorithms: [algorithm] });
    return true;
  } catch {
    // Whatever a caller can do to a key or a signature: WebCrypto has errors of its own for a point off its curve.
    return false;
  }
}

function checkNonce({ claims }: Proof, { nonce, algorithms }: DpopSettings): DpopRefusal | undefined {
  if (nonce === undefined) return undefined;
  const given = claims["nonce"];
  if (typeof given === "string" && nonce.accepts(given)) return undefined;
  return {
    reason: "DPOP_NONCE_REQUIRED",
    cause: given === undefined ? "the DPoP proof has no nonce" : "the DPoP proof has a nonce that is not accepted",
    scheme: "DPoP",
    dpopAlgorithms: algorithms,
    dpopNonce: nonce.current(),
  };
}

async function checkReplay(
  { key, claims }: Proof,
  { now, clockToleranceMs }: { readonly now: number; readonly clockToleranceMs: number },
  settings: DpopSettings,
): Promise<DpopRefusal | undefined> {
  const { replayStore, maxAgeMs } = settings;
  const id = createHash("sha256").update(`${key.thumbprint}.${claims["jti"]}`).digest("base64url");
  // Until no replica takes the proof any more: their clocks may be apart by as much as the tolerance.
  const ttlMs = (claims["iat"] as number) * 1000 + maxAgeMs + 2 * clockToleranceMs - now + 1;
  try {
    const verdict = await replayStore.add(id, Math.ceil(ttlMs));
    if (verdict === "new") return undefined;
    if (verdict === "seen") return invalidProof("the DPoP proof was used before", settings);
    return unavailable("the replay store is full");
  } catch (error) {
    return unavailable(`the replay store failed${codeOf(error)}`);
  }
}

// No proof that may have been used before is let through, and none is called bad that nobody could look up.
function unavailable(cause: string): DpopRefusal {
  return { reason: "AUTHORIZATION_SERVER_UNAVAILABLE", cause, retryAfterMs: storeRetryMs };
}

const plainCode = /^[A-Z][A-Z0-9_]{1,40}$/;

// Nothing else of the error: it may quote the address or the password of the store.
function codeOf(error: unknown): string {
  const { code } = (error ?? {}) as { readonly code?: unknown };
  return typeof code === "string" && plainCode.test(code) ? ` (${code})` : "";
}
