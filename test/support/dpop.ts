// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { createHash } from "node:crypto";
import { calculateJwkThumbprint } from "jose";
import type { CallTransport } from "../../src/verification/incoming-call.js";
import { mintKey, signToken, type TestKey } from "./issuer.js";

/** A key pair of a client, and what tokens that are bound to it say in `cnf.jkt`. */
export interface ProofTestKey extends TestKey {
  readonly jkt: string;
  /** The public key as a proof has it. */
  readonly jwk: Readonly<Record<string, unknown>>;
}

/** Mints a key pair for proofs. */
export async function mintProofKey(alg = "ES256"): Promise<ProofTestKey> {
  return await toProofKey(await mintKey(alg, "proof"));
}

/** Makes a key pair one for proofs. */
export async function toProofKey(key: TestKey): Promise<ProofTestKey> {
  const { kid: _kid, alg: _alg, use: _use, ...jwk } = key.publicJwk;
  return { ...key, jwk, jkt: await calculateJwkThumbprint(jwk) };
}

/** `ath` of a token. */
export function ath(token: string): string {
  return createHash("sha256").update(token).digest("base64url");
}

/** What a proof is made of, where that is not what it should be. `undefined` leaves a member out. */
export interface ProofChanges {
  readonly header?: Readonly<Record<string, unknown>>;
  readonly claims?: Readonly<Record<string, unknown>>;
}

let proofs = 0;

/** Makes a proof for a call, by RFC 9449 §4.2 unless a test says otherwise. */
export function mintProof(
  key: ProofTestKey,
  call: { readonly token: string; readonly htm?: string; readonly htu: string; readonly iat: number },
  { header = {}, claims = {} }: ProofChanges = {},
): string {
  const { token, htm = "POST", htu, iat } = call;
  proofs += 1;
  return signToken(
    key,
    { typ: "dpop+jwt", alg: key.alg, jwk: key.jwk, ...header },
    { jti: `proof-${proofs}`, htm, htu, iat, ath: ath(token), ...claims },
  );
}

/** What carries a call. */
export function transportWith(changes: Partial<CallTransport> = {}): CallTransport {
  return {
    peer: undefined,
    certificateThumbprint: undefined,
    httpMethod: "POST",
    path: "/payment.v1.PaymentService/Charge",
    dpopProofs: [],
    ...changes,
  };
}
