// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { createHmac, randomBytes, timingSafeEqual } from "node:crypto";
import { type Clock, systemClock } from "../../platform/clock.js";

/** Gives out nonces for DPoP proofs, and knows them again (RFC 9449 §9). */
export interface NonceSource {
  /** The nonce that proofs should have now. */
  current(): string;
  /** Whether a nonce is one that this source, or another one with the same secret, gave out a moment ago. */
  accepts(nonce: string): boolean;
}

/** Options of createNonceSource(). */
export interface NonceSourceOptions {
  /**
   * What nonces are made with: at least 32 bytes that nobody else knows, the same for all replicas. By default, random
   * bytes, for one replica.
   */
  readonly secret?: Uint8Array;
  /** How long a nonce is given out, in seconds; it is accepted for as long again. By default, 300. */
  readonly lifetimeSeconds?: number;
  /** The time. By default, the machine's. */
  readonly clock?: Clock;
}

const smallestSecretBytes = 32;

/**
 * Creates a source of nonces that keeps nothing: a nonce is the HMAC of the time, in steps of its lifetime. That of this
 * step and that of the one before are accepted.
 *
 * Throws a TypeError if an option is wrong.
 */
export function createNonceSource(options: NonceSourceOptions = {}): NonceSource {
  const { secret = randomBytes(smallestSecretBytes), lifetimeSeconds = 300, clock = systemClock } = options;
  if (!(secret instanceof Uint8Array) || secret.length < smallestSecretBytes) {
    throw new TypeError(`secret is no Uint8Array of at least ${smallestSecretBytes} bytes; give random ones`);
  }
  if (!(lifetimeSeconds >= 1 && lifetimeSeconds <= 86_400)) {
    throw new TypeError(`lifetimeSeconds is ${lifetimeSeconds}; give a number of seconds from 1 to 86,400`);
  }
  const key = Uint8Array.from(secret);
  const slot = (): number => Math.floor(clock.now() / (lifetimeSeconds * 1000));
  const nonceOf = (at: number): string => createHmac("sha256", key).update(`${context}${at}`).digest("base64url");
  return {
    current: () => nonceOf(slot()),
    accepts(nonce) {
      const now = slot();
      return isEqual(nonce, nonceOf(now)) || isEqual(nonce, nonceOf(now - 1));
    },
  };
}

// A secret that is used for something else as well must not give the same bytes there.
const context = "meshauth DPoP nonce ";

function isEqual(a: string, b: string): boolean {
  const [left, right] = [Buffer.from(a), Buffer.from(b)];
  return left.length === right.length && timingSafeEqual(left, right);
}
