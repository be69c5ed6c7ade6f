// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { describe, expect, it } from "vitest";
import { bootstrapMedian } from "../../../bench/lib/bootstrap.js";
import { createSeededRandom } from "../../../bench/lib/seeded-random.js";

const normal = (groups: number, size: number, shift: (group: number) => number): number[][] => {
  const random = createSeededRandom(7);
  const noise = (): number => random() + random() + random() - 1.5;
  return Array.from({ length: groups }, (_, group) => Array.from({ length: size }, () => shift(group) + noise()));
};

describe("bootstrapMedian", () => {
  it("gives the median of all values, between the ends of its interval", () => {
    const { value, low, high } = bootstrapMedian([[3, 1], [2]], createSeededRandom(1));
    expect(value).toBe(2);
    expect(low).toBeLessThanOrEqual(value);
    expect(high).toBeGreaterThanOrEqual(value);
  });

  it("is certain of values that are all the same", () => {
    expect(bootstrapMedian([[5, 5], [5]], createSeededRandom(1))).toEqual({ value: 5, low: 5, high: 5 });
  });

  it("is surer of more values", () => {
    const width = (size: number): number => {
      const { low, high } = bootstrapMedian(
        normal(4, size, () => 0),
        createSeededRandom(1),
      );
      return high - low;
    };
    expect(width(400)).toBeLessThan(width(25) / 2);
  });

  it("is less sure where groups differ than where their values do", () => {
    const alike = bootstrapMedian(
      normal(5, 100, () => 0),
      createSeededRandom(1),
    );
    const apart = bootstrapMedian(
      normal(5, 100, (group) => group),
      createSeededRandom(1),
    );
    expect(apart.high - apart.low).toBeGreaterThan(3 * (alike.high - alike.low));
  });

  it("covers the true median about 95 times out of 100", () => {
    const random = createSeededRandom(3);
    const covers = Array.from({ length: 200 }, () => {
      const { low, high } = bootstrapMedian([Array.from({ length: 41 }, random)], random);
      return low <= 0.5 && 0.5 <= high;
    }).filter(Boolean).length;
    expect(covers).toBeGreaterThan(180);
    expect(covers).toBeLessThan(200);
  }, 30_000);

  it("repeats itself for the same seed", () => {
    const values = normal(3, 20, () => 0);
    expect(bootstrapMedian(values, createSeededRandom(9))).toEqual(bootstrapMedian(values, createSeededRandom(9)));
  });

  it("refuses to summarise nothing", () => {
    expect(() => bootstrapMedian([], createSeededRandom(1))).toThrow(RangeError);
  });
});
