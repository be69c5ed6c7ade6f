// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { median } from "./statistics.js";

/** A number, and where it may lie if chance had fallen otherwise. */
export interface Estimate {
  readonly value: number;
  readonly low: number;
  readonly high: number;
}

const resamples = 1_000;

/**
 * The median of all values, with a 95 % interval by the bootstrap. Values of one group have something in common, such as
 * the processes that they were measured on: groups are drawn first, then values of each. Throws a RangeError if there are
 * no values.
 */
export function bootstrapMedian(groups: readonly (readonly number[])[], random: () => number): Estimate {
  const medians = Array.from({ length: resamples }, () =>
    median(draw(groups, random).flatMap((group) => draw(group, random))),
  ).sort((a, b) => a - b);
  const at = (share: number): number => medians[Math.round(share * (resamples - 1))] as number;
  return { value: median(groups.flat()), low: at(0.025), high: at(0.975) };
}

function draw<T>(items: readonly T[], random: () => number): T[] {
  return items.map(() => items[Math.floor(random() * items.length)] as T);
}
