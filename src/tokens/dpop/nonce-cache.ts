// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

/** The last nonce of each server (RFC 9449 §8.2). */
export interface NonceCache {
  of(origin: string): string | undefined;
  note(origin: string, nonce: string): void;
}

const maxOrigins = 100;
const maxNonceLength = 1_024;

/** Creates a cache that keeps the nonces of the servers that sent one last. */
export function createNonceCache(): NonceCache {
  const nonces = new Map<string, string>();
  return {
    of: (origin) => nonces.get(origin),
    note(origin, nonce) {
      // Proofs with a longer one would not fit into a header.
      if (nonce === "" || nonce.length > maxNonceLength) return;
      nonces.delete(origin);
      nonces.set(origin, nonce);
      if (nonces.size > maxOrigins) nonces.delete(nonces.keys().next().value as string);
    },
  };
}
