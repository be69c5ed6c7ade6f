// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import type { Clock } from "../../platform/clock.js";
import { parseOrigin } from "../../platform/origin.js";
import { createMemoryReplayStore } from "./memory-replay-store.js";
import type { NonceSource } from "./nonce-source.js";
import type { ReplayStore } from "./replay-store.js";

/** How proofs of DPoP-bound tokens are checked (RFC 9449 §4.3). */
export interface DpopOptions {
  /**
   * The origin that clients call, such as "https://payments.example.com": the proof of a call has to name it. Not what a
   * request says, which is whoever sends it. Several if the server has several names.
   */
  readonly origin: string | readonly string[];
  /** How old a proof may be, in seconds, from 1 to 3,600; clock tolerance comes on top. By default, 60. */
  readonly maxAgeSeconds?: number;
  /**
   * The algorithms that a proof may be signed with. By default, ES256, ES384, ES512, RS256, PS256, EdDSA and Ed25519.
   */
  readonly algorithms?: readonly string[];
  /** Makes every proof have a nonce of this server: createNonceSource(). By default, none is needed. */
  readonly nonce?: NonceSource;
  /**
   * Where used proofs are remembered. By default, createMemoryReplayStore(), which is for one replica: with several, give
   * them one createRedisReplayStore(), or a proof can be used once at each.
   */
  readonly replayStore?: ReplayStore;
}

/** Options that were checked, with their defaults. */
export interface DpopSettings {
  readonly origins: readonly string[];
  readonly maxAgeMs: number;
  readonly algorithms: readonly string[];
  readonly nonce: NonceSource | undefined;
  readonly replayStore: ReplayStore;
}

const defaultAlgorithms: readonly string[] = ["ES256", "ES384", "ES512", "RS256", "PS256", "EdDSA", "Ed25519"];

/** Every algorithm with a public key that a proof can carry. */
const possibleAlgorithms: readonly string[] = [...defaultAlgorithms, "RS384", "RS512", "PS384", "PS512"];

/** Checks the options. Throws a TypeError if one is wrong. */
export function validateDpopOptions(options: DpopOptions, clock: Clock): DpopSettings {
  const { maxAgeSeconds = 60, algorithms = defaultAlgorithms, nonce, replayStore } = options;
  const origins = typeof options.origin === "string" ? [options.origin] : [...(options.origin ?? [])];
  if (origins.length === 0) throw new TypeError("dpop.origin is missing; give the origin that clients call");
  if (!(maxAgeSeconds >= 1 && maxAgeSeconds <= 3_600)) {
    throw new TypeError(`dpop.maxAgeSeconds is ${maxAgeSeconds}; give a number of seconds from 1 to 3,600`);
  }
  const foreign = algorithms.filter((algorithm) => !possibleAlgorithms.includes(algorithm));
  if (algorithms.length === 0 || foreign.length > 0) {
    const has = foreign.length === 0 ? "is empty" : `has ${foreign.join(", ")}`;
    throw new TypeError(`dpop.algorithms ${has}; use some of ${possibleAlgorithms.join(", ")}`);
  }
  return {
    origins: origins.map((origin) => parseOrigin(origin, "dpop.origin")),
    maxAgeMs: maxAgeSeconds * 1000,
    algorithms: [...algorithms],
    nonce,
    replayStore: replayStore ?? createMemoryReplayStore({ clock }),
  };
}
