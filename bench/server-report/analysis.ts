// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { bootstrapMedian, type Estimate } from "../lib/bootstrap.js";
import { createSeededRandom } from "../lib/seeded-random.js";
import { median } from "../lib/statistics.js";
import type { Epoch, Sample } from "../server-check/sample.js";
import type { Cell, Suite } from "../server-check/suites.js";

/** A number of a sample. */
export type Measure = keyof Sample;

/** What is known of one cell, and how it compares. */
export interface CellResult {
  readonly name: string;
  readonly medians: Sample;
  /** By measure. Those of the control are to the base alone: they should be 1, and show how much is noise. */
  readonly ratios: Readonly<Record<Measure, Estimate>>;
}

const measures: readonly Measure[] = ["callsPerSecond", "serverMicrosecondsPerCall", "p50Ms", "p99Ms"];

/** Compares every cell of a suite with the base of its round. */
export function analyse({ cells }: Suite, epochs: readonly Epoch[]): CellResult[] {
  const [base, control] = cells;
  return cells.map((cell) => ({
    name: cell.name,
    medians: byMeasure((measure) => median(epochs.flatMap((epoch) => valuesOf(epoch, cell, measure)))),
    ratios: byMeasure((measure) => compare(epochs, cell, cell === control ? [base] : [base, control], measure)),
  }));
}

/**
 * The ratio of a cell to others, the median over all rounds. Of several others it is their geometric mean that counts:
 * base and control are the same twice, and halve the noise of each other.
 */
export function compare(epochs: readonly Epoch[], cell: Cell, others: readonly Cell[], measure: Measure): Estimate {
  const groups = epochs.map((epoch) =>
    valuesOf(epoch, cell, measure).map(
      (value, round) =>
        value / geometricMean(others.map((other) => valuesOf(epoch, other, measure)[round] ?? Number.NaN)),
    ),
  );
  return bootstrapMedian(groups, createSeededRandom(1));
}

/** The number of which the logarithm is the mean of the logarithms. */
export function geometricMean(values: readonly number[]): number {
  return Math.exp(values.reduce((sum, value) => sum + Math.log(value), 0) / values.length);
}

function valuesOf(epoch: Epoch, { name }: Cell, measure: Measure): number[] {
  return (epoch[name] ?? []).map((sample) => sample[measure]);
}

function byMeasure<T>(of: (measure: Measure) => T): Record<Measure, T> {
  return Object.fromEntries(measures.map((measure) => [measure, of(measure)])) as Record<Measure, T>;
}
