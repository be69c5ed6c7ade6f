// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import type { Clock } from "../../platform/clock.js";
import { ageOf, type Moment } from "../../platform/moment.js";
import { createLruMap } from "./lru-map.js";
import type { Verdict } from "./verdict.js";

/** Verdicts that can still be used, by the hash of their token. */
export interface VerdictCache {
  get(key: string): Verdict | undefined;
  /** Keeps a verdict that was asked for at a moment until another, in milliseconds since the Unix epoch. */
  set(key: string, verdict: Verdict, askedAt: Moment, until: number): void;
}

interface Entry {
  readonly verdict: Verdict;
  readonly askedAt: Moment;
  readonly lifetimeMs: number;
}

/** Creates a cache. Active tokens and others have a place each: however many are made up, none that is good has to go. */
export function createVerdictCache(maxTokens: number, clock: Clock): VerdictCache {
  const active = createLruMap<Entry>(maxTokens);
  const others = createLruMap<Entry>(maxTokens);

  const isUsable = ({ askedAt, lifetimeMs }: Entry): boolean => ageOf(askedAt, clock) < lifetimeMs;

  return {
    get(key) {
      const entry = active.get(key) ?? others.get(key);
      return entry !== undefined && isUsable(entry) ? entry.verdict : undefined;
    },
    set(key, verdict, askedAt, until) {
      const [place, other] = "claims" in verdict ? [active, others] : [others, active];
      other.delete(key);
      place.set(key, { verdict, askedAt, lifetimeMs: until - askedAt.wall });
    },
  };
}
