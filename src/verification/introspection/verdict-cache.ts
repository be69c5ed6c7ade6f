// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import type { Clock } from "../../platform/clock.js";
import { createLruMap } from "./lru-map.js";
import type { Verdict } from "./verdict.js";

/** A moment, by both clocks. */
export interface Moment {
  readonly wall: number;
  readonly monotonic: number;
}

/** What both clocks say now. */
export function momentOf(clock: Clock): Moment {
  const wall = clock.now();
  return { wall, monotonic: clock.monotonic?.() ?? wall };
}

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

  // Whichever clock says that more time has passed is right: the wall clock may be set back, the other one may stop while
  // the machine sleeps. An answer from the future is none.
  function isUsable({ askedAt, lifetimeMs }: Entry): boolean {
    const now = momentOf(clock);
    const age = now.wall - askedAt.wall;
    return age >= 0 && Math.max(age, now.monotonic - askedAt.monotonic) < lifetimeMs;
  }

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
