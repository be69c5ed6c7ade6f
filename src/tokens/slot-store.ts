// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import type { Credential } from "../credentials/credential.js";
import type { Provider } from "../providers/provider.js";
import type { TokenRequirement } from "../rules/token-requirement.js";
import type { DpopSettings } from "./dpop/dpop-options.js";
import { createTokenRequest, fingerprint, mapAudience } from "./token-request.js";
import type { TokenSlot } from "./token-slot.js";

/** The slots of a token source. */
export interface SlotStore {
  /** The slot of a requirement: one for all requirements of an audience that lead to the same token request. */
  of(requirement: TokenRequirement): TokenSlot;
}

/** What a slot store needs. */
export interface SlotStoreOptions {
  readonly issuer: string;
  readonly clientId: string;
  readonly credential: Credential;
  readonly provider: Provider;
  readonly audiences: Readonly<Record<string, string>>;
  readonly dpop: DpopSettings | undefined;
  /** How many slots are kept at most. */
  readonly maxTokens: number;
}

interface Entry {
  readonly slot: TokenSlot;
  evicted: boolean;
}

/** Creates a store of slots that forgets the one that was used least recently when there are too many. */
export function createSlotStore(
  options: SlotStoreOptions,
  create: (requirement: TokenRequirement) => TokenSlot,
): SlotStore {
  const { issuer, clientId, credential, provider, audiences, maxTokens } = options;
  const dpopThumbprint = options.dpop?.binder.key.thumbprint;
  const entries = new Map<string, Entry>();
  // A requirement object stands for itself once it was seen: the hot path builds no string.
  const known = new WeakMap<TokenRequirement, Entry>();

  function find(requirement: TokenRequirement): Entry {
    const form = createTokenRequest(provider, requirement, audiences);
    const { method, keyId } = credential;
    const { audience } = mapAudience(requirement, audiences);
    const key = fingerprint({ issuer, clientId, method, keyId, audience, dpopThumbprint, form });
    let entry = entries.get(key);
    if (entry === undefined) {
      if (entries.size >= maxTokens) evict(entries);
      entry = { slot: create(requirement), evicted: false };
      entries.set(key, entry);
    }
    known.set(requirement, entry);
    return entry;
  }

  return {
    of(requirement) {
      const entry = known.get(requirement);
      return entry !== undefined && !entry.evicted ? entry.slot : find(requirement).slot;
    },
  };
}

function evict(entries: Map<string, Entry>): void {
  let oldest: [string, Entry] | undefined;
  for (const candidate of entries) {
    if (oldest === undefined || candidate[1].slot.usedAt < oldest[1].slot.usedAt) oldest = candidate;
  }
  if (oldest === undefined) return;
  oldest[1].evicted = true;
  entries.delete(oldest[0]);
}
