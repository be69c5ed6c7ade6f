// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { fullJitterMs } from "../platform/backoff.js";

/** When a token is refreshed, in milliseconds since the Unix epoch. */
export interface RefreshSchedule {
  /** From here on a refresh runs behind the callers. */
  readonly softAt: number;
  /** From here on callers wait for the refresh, for a moment. */
  readonly marginAt: number;
}

const maxLeadMs = 15 * 60_000;
const maxMarginMs = 30_000;
const jitterOfLead = 0.25;
const maxBackoffMs = 60_000;

/** What a schedule is made from: see AccessToken. */
export interface TokenLife {
  readonly obtainedAt: number;
  readonly expiresAt: number;
  readonly refreshAt?: number | undefined;
}

/**
 * Schedules the refresh of a token: softly at 20 % of its lifetime before it expires (at most 15 minutes), or when the
 * authorization server asks for it, or `refreshBeforeMs` before; never more than half of the lifetime unless the
 * authorization server says so; up to a quarter of that later at random, so that replicas do not ask in step. Urgently at
 * 10 % of the lifetime (at most 30 seconds).
 */
export function scheduleRefresh(
  { obtainedAt, expiresAt, refreshAt }: TokenLife,
  refreshBeforeMs: number | undefined,
  random: () => number,
): RefreshSchedule {
  const lifetime = Math.max(0, expiresAt - obtainedAt);
  const chosen = Math.min(refreshBeforeMs ?? Math.min(lifetime * 0.2, maxLeadMs), lifetime / 2);
  const lead = refreshBeforeMs === undefined && refreshAt !== undefined ? expiresAt - refreshAt : chosen;
  const margin = Math.min(maxMarginMs, lifetime * 0.1, lead / 2);
  return { softAt: expiresAt - lead * (1 - jitterOfLead * random()), marginAt: expiresAt - margin };
}

/** How long to leave the authorization server alone after so many failures in a row: full jitter, exponential. */
export function backoffMs(failures: number, lifetimeMs: number | undefined, random: () => number): number {
  return fullJitterMs(failures, Math.min(maxBackoffMs, (lifetimeMs ?? Infinity) / 2), random);
}
