// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { describe, expect, it } from "vitest";
import { histogram, median, peaks, quantile } from "../../../bench/lib/statistics.js";

describe("quantile and median", () => {
  it("find the middle of values in any order, and leave them as they are", () => {
    const values = [30, 10, 20];
    expect(median(values)).toBe(20);
    expect(values).toEqual([30, 10, 20]);
  });

  it("compare numbers, not texts", () => {
    expect(median([9, 10, 100])).toBe(10);
  });

  it("interpolate between neighbours", () => {
    expect(median([1, 2])).toBe(1.5);
    expect(quantile([0, 10, 20, 30], 0.25)).toBe(7.5);
  });

  it("give the ends for shares of 0 and 1", () => {
    expect(quantile([3, 1, 2], 0)).toBe(1);
    expect(quantile([3, 1, 2], 1)).toBe(3);
  });

  it("refuse to summarise nothing", () => {
    expect(() => median([])).toThrow(RangeError);
  });
});

describe("histogram", () => {
  it("counts times by bin; the start of a bin belongs to it", () => {
    expect(histogram([0, 999, 1000, 2500], 1000, 3000)).toEqual([2, 1, 1]);
  });

  it("leaves out what lies outside", () => {
    expect(histogram([-1, 3000], 1000, 3000)).toEqual([0, 0, 0]);
  });
});

describe("peaks", () => {
  it("keeps the largest value of each group, the last one cut short", () => {
    expect(peaks([1, 5, 2, 0, 7], 2)).toEqual([5, 2, 7]);
  });
});
