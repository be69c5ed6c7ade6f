// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import {
  createDpopVerifier,
  type DpopRefusal,
  type DpopVerifierOptions,
} from "../../../../src/verification/dpop/dpop-verifier.js";
import type { CallTransport } from "../../../../src/verification/incoming-call.js";
import { mintProof, mintProofKey, type ProofChanges, type ProofTestKey, transportWith } from "../../../support/dpop.js";
import { createFakeClock, type FakeClock } from "../../../support/fake-clock.js";
import { expectNothingOf } from "../harness.js";

export const origin = "https://payments.example.com";
export const path = "/payment.v1.PaymentService/Charge";
export const token = "eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJvcmRlci1zZXJ2aWNlIn0.c2lnbmF0dXJlIG9mIHRoZSB0b2tlbg";

/** The key that the token of these tests is bound to. */
export const key: ProofTestKey = await mintProofKey();

/** A verifier of proofs, and the time. */
export interface DpopBench {
  readonly clock: FakeClock;
  /** The time in seconds. */
  readonly now: () => number;
  /** A good proof for a call, changed as a test needs. */
  readonly mint: (changes?: ProofChanges, by?: ProofTestKey) => string;
  /** Checks a call with these proofs, and makes sure that a refusal gives nothing of them away. */
  readonly check: (
    proofs: string | readonly string[],
    more?: { readonly token?: string; readonly jkt?: string; readonly transport?: Partial<CallTransport> },
  ) => Promise<DpopRefusal | undefined>;
  readonly nonce: () => string | undefined;
}

export function createDpopBench(options: Partial<DpopVerifierOptions> = {}): DpopBench {
  const clock = createFakeClock();
  const verifier = createDpopVerifier({ origin, clock, clockToleranceMs: 5_000, ...options });
  const now = (): number => clock.now() / 1000;
  return {
    clock,
    now,
    nonce: () => verifier.nonce(),
    mint: (changes, by = key) => mintProof(by, { token, htu: origin + path, iat: now() }, changes),
    async check(proofs, more = {}) {
      const dpopProofs = typeof proofs === "string" ? [proofs] : proofs;
      const refusal = await verifier.check({
        token: more.token ?? token,
        jkt: more.jkt ?? key.jkt,
        transport: transportWith({ path, dpopProofs, ...more.transport }),
      });
      if (refusal !== undefined) for (const secret of [...dpopProofs, token]) expectNothingOf(secret, refusal);
      return refusal;
    },
  };
}

/** The refusal of a proof that does not do. */
export function invalidProof(cause: string): DpopRefusal {
  return {
    reason: "DPOP_PROOF_INVALID",
    cause,
    scheme: "DPoP",
    dpopAlgorithms: ["ES256", "ES384", "ES512", "RS256", "PS256", "EdDSA", "Ed25519"],
  };
}
