// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import type { Clock } from "../platform/clock.js";

/** The longest that an authorization server can ask to be left alone. */
export const maxPauseMs = 300_000;

/**
 * Reads a Retry-After header (RFC 9110 §10.2.3), in milliseconds from now, at most 5 minutes. A delay of 0 and a date in
 * the past say nothing: the ordinary back-off is what keeps the server from being hammered.
 */
export function parseRetryAfter(value: string | null, clock: Clock): number | undefined {
  if (value === null) return undefined;
  const ms = /^\d+$/.test(value) ? Number(value) * 1000 : Date.parse(value) - clock.now();
  return ms > 0 ? Math.min(ms, maxPauseMs) : undefined;
}

/** Whether a pause is still on. One with more left than any pause has is not: the wall clock was set back. */
export function isWithinPause(now: number, until: number): boolean {
  return now < until && until - now <= maxPauseMs;
}
