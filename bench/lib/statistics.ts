// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

/**
 * The value below which a share of all values lies, `share` from 0 to 1, interpolated between neighbours. Throws a
 * RangeError if there are no values.
 */
export function quantile(values: readonly number[], share: number): number {
  if (values.length === 0) throw new RangeError("no values");
  const sorted = [...values].sort((a, b) => a - b);
  const position = (sorted.length - 1) * share;
  const low = sorted[Math.floor(position)] as number;
  const high = sorted[Math.ceil(position)] as number;
  return low + (high - low) * (position - Math.floor(position));
}

/** The value in the middle. */
export function median(values: readonly number[]): number {
  return quantile(values, 0.5);
}

/** Counts how many times fall into each bin of `binMs`, from 0 up to `endMs`; what lies outside is left out. */
export function histogram(timesMs: Iterable<number>, binMs: number, endMs: number): number[] {
  const bins = new Array<number>(Math.ceil(endMs / binMs)).fill(0);
  for (const time of timesMs) {
    const bin = Math.floor(time / binMs);
    const count = bins[bin];
    if (count !== undefined) bins[bin] = count + 1;
  }
  return bins;
}

/** The largest value of each group of `size` neighbours. */
export function peaks(values: readonly number[], size: number): number[] {
  return Array.from({ length: Math.ceil(values.length / size) }, (_, group) =>
    Math.max(...values.slice(group * size, (group + 1) * size)),
  );
}
