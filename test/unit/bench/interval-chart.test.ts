// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { describe, expect, it } from "vitest";
import { type IntervalChart, intervalChart } from "../../../bench/lib/interval-chart.js";

const chart: IntervalChart = {
  title: "Calls & answers",
  xLabel: "ratio",
  highest: 1,
  tick: 0.2,
  groups: [
    {
      label: "grpc-js",
      rows: [
        { label: "ours", estimate: { value: 0.5, low: 0.4, high: 0.6 }, isOurs: true },
        { label: "<theirs>", estimate: { value: 2, low: 0, high: 3 }, isOurs: false },
      ],
    },
  ],
};

describe("intervalChart", () => {
  const svg = intervalChart(chart);

  it("draws a dot at each value and a bar over its interval, between 250 and 700", () => {
    expect([...svg.matchAll(/<circle class="(d\d)" cx="([\d.]+)"/g)].map(([, dot, x]) => [dot, x])).toEqual([
      ["d1", "475"],
      ["d0", "700"],
    ]);
    const bars = [...svg.matchAll(/<rect class="d\d" x="([\d.]+)" y="[\d.]+" width="([\d.]+)"/g)];
    expect(bars.map(([, x, width]) => [x, width])).toEqual([
      ["430", "90"],
      ["250", "450"],
    ]);
  });

  it("writes the value, also of a dot that would lie outside", () => {
    expect(svg).toContain(">0.50</text>");
    expect(svg).toContain(">2.00</text>");
  });

  it("draws an interval of no width so that it can be seen", () => {
    const estimate = { value: 0.5, low: 0.5, high: 0.5 };
    const one = { ...chart, groups: [{ label: "", rows: [{ label: "", estimate, isOurs: true }] }] };
    expect(intervalChart(one)).toMatch(/<rect [^>]* width="1"/);
  });

  it("makes room for every row", () => {
    expect(svg).toContain('viewBox="0 0 760 158"');
    for (const [, y] of svg.matchAll(/ y="([\d.]+)"/g)) expect(Number(y)).toBeLessThanOrEqual(158);
  });

  it("marks the axis from 0 to its end", () => {
    const marks = [...svg.matchAll(/<line class="grid" x1="([\d.]+)"/g)].map(([, x]) => x);
    expect(marks).toEqual(["250", "340", "430", "520", "610", "700"]);
    expect(svg).toContain(">0.6</text>");
  });

  it("names the chart for those who do not see it, and escapes what is markup", () => {
    expect(svg).toContain("<title>Calls &#38; answers</title>");
    expect(svg).toContain("&#60;theirs&#62;");
  });

  it("follows the reader's dark theme, and loads nothing", () => {
    expect(svg).toContain("prefers-color-scheme: dark");
    expect(svg).not.toMatch(/<script|href|@import|url\(/);
  });
});
