// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { describe, expect, it } from "vitest";
import { createSeededRandom } from "../../../bench/lib/seeded-random.js";

const draw = (seed: number, count: number): number[] => Array.from({ length: count }, createSeededRandom(seed));

describe("createSeededRandom", () => {
  it("repeats itself for the same seed", () => {
    expect(draw(7, 50)).toEqual(draw(7, 50));
  });

  it("differs from seed to seed", () => {
    expect(draw(1, 5)).not.toEqual(draw(2, 5));
  });

  it("stays within [0, 1) and covers it evenly", () => {
    const tenths = new Array<number>(10).fill(0);
    for (const value of draw(1, 10_000)) {
      expect(value).toBeGreaterThanOrEqual(0);
      expect(value).toBeLessThan(1);
      const tenth = Math.floor(value * 10);
      tenths[tenth] = (tenths[tenth] ?? 0) + 1;
    }
    for (const count of tenths) expect(Math.abs(count - 1000)).toBeLessThan(150);
  });
});
