// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

/** What a replay store says of an identifier: seen for the first time, seen before, or that it can keep no more. */
export type ReplayVerdict = "new" | "seen" | "full";

/**
 * Remembers which DPoP proofs were used (RFC 9449 §11.1), so that each is used once. Proofs that one replica has seen are
 * unknown to the others unless they share a store.
 */
export interface ReplayStore {
  /**
   * Remembers an identifier for some milliseconds, and says whether that is the first time: both in one step, so that of
   * two calls with the same proof one is told "seen". It rejects, or throws, if it cannot say: then the call is refused.
   */
  add(id: string, ttlMs: number): ReplayVerdict | Promise<ReplayVerdict>;
}
