// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import type { Refusal } from "../verification/refusal.js";

/** The parameters of a challenge, without its scheme. */
export type Challenge = Readonly<Record<string, string>>;

const ofProofs: ReadonlySet<Refusal["reason"]> = new Set(["DPOP_PROOF_INVALID", "DPOP_NONCE_REQUIRED"]);

/** Writes the `www-authenticate` of a refusal: Bearer (RFC 6750 §3), or DPoP with its algorithms (RFC 9449 §7.1). */
export function writeChallenge({ reason, scheme, dpopAlgorithms = [] }: Refusal, challenge: Challenge): string {
  const isDpop = scheme === "DPoP" || ofProofs.has(reason);
  const algs = isDpop && dpopAlgorithms.length > 0 ? { algs: dpopAlgorithms.join(" ") } : {};
  const parameters = Object.entries({ ...challenge, ...algs }).map(([name, value]) => `${name}="${value}"`);
  return [isDpop ? "DPoP" : "Bearer", parameters.join(", ")].join(" ").trimEnd();
}
