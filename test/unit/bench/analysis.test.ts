// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { describe, expect, it } from "vitest";
import type { Epoch, Sample } from "../../../bench/server-check/sample.js";
import type { Cell, Suite } from "../../../bench/server-check/suites.js";
import { analyse, compare, geometricMean } from "../../../bench/server-report/analysis.js";

const cell = (name: string): Cell => ({ name, check: "nothing", client: "header" });
const base = cell("base");
const control = cell("control");
const ours = cell("ours");
const suite: Suite = { name: "warm", freshTokens: false, cells: [base, control, ours] };

const sample = (callsPerSecond: number): Sample => ({
  callsPerSecond,
  serverMicrosecondsPerCall: 1e6 / callsPerSecond,
  p50Ms: 1000 / callsPerSecond,
  p99Ms: 1000 / callsPerSecond,
});

/** Rounds of base, control and ours. */
const epochOf = (...rounds: readonly (readonly [number, number, number])[]): Epoch => ({
  base: rounds.map(([each]) => sample(each)),
  control: rounds.map(([, each]) => sample(each)),
  ours: rounds.map(([, , each]) => sample(each)),
});

describe("compare", () => {
  it("compares within a round, so that a slow moment of the machine counts for nothing", () => {
    const epochs = [epochOf([1000, 1000, 900], [100, 100, 90]), epochOf([10, 10, 9])];
    expect(compare(epochs, ours, [base], "callsPerSecond").value).toBeCloseTo(0.9);
  });

  it("compares with the geometric mean of several others", () => {
    expect(compare([epochOf([400, 100, 100])], ours, [base, control], "callsPerSecond").value).toBeCloseTo(0.5);
  });

  it("takes the measure that is asked for", () => {
    expect(compare([epochOf([100, 100, 50])], ours, [base], "serverMicrosecondsPerCall").value).toBeCloseTo(2);
  });
});

describe("analyse", () => {
  it("compares the control with the base alone, and all others with both", () => {
    const results = analyse(suite, [epochOf([400, 100, 100])]);
    const ratios = results.map(({ name, ratios: { callsPerSecond } }) => [name, callsPerSecond.value.toFixed(2)]);
    expect(ratios).toEqual([
      ["base", "2.00"],
      ["control", "0.25"],
      ["ours", "0.50"],
    ]);
  });

  it("gives the medians over the rounds of all epochs", () => {
    const [, , { medians } = { medians: undefined }] = analyse(suite, [
      epochOf([1, 1, 10], [1, 1, 30]),
      epochOf([1, 1, 20]),
    ]);
    expect(medians?.callsPerSecond).toBe(20);
    expect(medians?.p50Ms).toBe(50);
  });
});

describe("geometricMean", () => {
  it("is the root of the product", () => {
    expect(geometricMean([2, 8])).toBeCloseTo(4);
    expect(geometricMean([5])).toBeCloseTo(5);
  });
});
