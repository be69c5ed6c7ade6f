// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import type { Clock } from "./clock.js";

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

/**
 * How long ago a moment was, in milliseconds. Whichever clock says that more time has passed is right: the wall clock may be
 * set back, the other one may stop while the machine sleeps. What lies in the future was not just now: Infinity.
 */
export function ageOf(moment: Moment, clock: Clock): number {
  const now = momentOf(clock);
  const age = now.wall - moment.wall;
  return age < 0 ? Number.POSITIVE_INFINITY : Math.max(age, now.monotonic - moment.monotonic);
}

/** A moment that was never. */
export const never: Moment = { wall: Number.NEGATIVE_INFINITY, monotonic: Number.NEGATIVE_INFINITY };
