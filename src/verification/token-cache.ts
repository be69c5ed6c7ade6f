// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { ownText } from "../platform/own-text.js";
import type { Principal } from "./principal.js";

/** A token that was verified, for as long as nothing could have changed that. Never a decision: rules are evaluated anew. */
export interface CachedToken {
  readonly principal: Principal;
  /** From when, in milliseconds since the Unix epoch: before, after the clock was set back, the token may not be valid. */
  readonly validFrom: number;
  /** Until when. */
  readonly validUntil: number;
  /** What proved it. */
  readonly proof: Proof;
}

/** What proved a token: a key, an answer. */
export interface Proof {
  /** Whether it is still believed. Asked with every hit, which is when fresh keys get fetched as well. */
  isBelieved(): boolean;
}

/** Verified tokens by the credentials that carried them. */
export interface TokenCache {
  /** The principal of exactly these credentials; `undefined` if they have to be verified. */
  get(credentials: string, now: number): Principal | undefined;
  /** Keeps a token. The credentials are kept as they are: copy a header's value with ownText() first. */
  set(credentials: string, token: CachedToken): void;
  /** How many tokens are held. */
  readonly size: number;
}

interface Entry extends CachedToken {
  readonly credentials: string;
}

// The end of a signature tells tokens apart; what decides is the comparison of the whole. Too short to keep the text alive
// that it was cut from.
const keyLength = 12;

/**
 * Creates a cache of at most `maxTokens` tokens. Of more, those that were not used lately go: it consists of two
 * generations, and whatever was not asked for during one of them is dropped with it.
 */
export function createTokenCache(maxTokens: number): TokenCache {
  const generationSize = Math.max(1, Math.floor(maxTokens / 2));
  let young = new Map<string, Entry>();
  let old = new Map<string, Entry>();
  let last: Entry | undefined;

  function add(key: string, entry: Entry): void {
    if (young.size >= generationSize && !young.has(key)) {
      old = young;
      young = new Map();
    }
    young.set(key, entry);
  }

  function find(credentials: string): Entry | undefined {
    if (last?.credentials === credentials) return last;
    const key = credentials.slice(-keyLength);
    const entry = young.get(key) ?? old.get(key);
    if (entry === undefined || entry.credentials !== credentials) return undefined;
    if (!young.has(key)) {
      old.delete(key);
      add(key, entry);
    }
    return entry;
  }

  function drop(entry: Entry): void {
    const key = entry.credentials.slice(-keyLength);
    // Whatever was found is in the young generation.
    if (young.get(key) === entry) young.delete(key);
    last = undefined;
  }

  return {
    get(credentials, now) {
      const entry = find(credentials);
      if (entry === undefined) return undefined;
      if (now < entry.validFrom || now >= entry.validUntil || !entry.proof.isBelieved()) {
        drop(entry);
        return undefined;
      }
      last = entry;
      return entry.principal;
    },
    set(credentials, token) {
      if (maxTokens === 0) return;
      const { principal, validFrom, validUntil, proof } = token;
      const key = ownText(credentials.slice(-keyLength));
      last = undefined;
      old.delete(key);
      add(key, { principal, validFrom, validUntil, proof, credentials });
    },
    get size() {
      return young.size + old.size;
    },
  };
}
