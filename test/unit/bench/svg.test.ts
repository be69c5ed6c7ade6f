// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { describe, expect, it } from "vitest";
import { escapeXml, type LineChart, lineChart, niceCeiling } from "../../../bench/lib/svg.js";

const chart: LineChart = {
  title: "Requests & answers",
  xLabel: "hours",
  yLabel: "per second",
  xTicks: [
    { at: 0, label: "0" },
    { at: 1, label: "24" },
  ],
  series: [
    { label: "without <jitter>", values: [0, 80, 0] },
    { label: "with jitter", values: [10, 10, 10] },
  ],
};

describe("lineChart", () => {
  const svg = lineChart(chart);
  const paths = [...svg.matchAll(/<path class="line s(\d)" d="([^"]*)"/g)].map(([, , d]) => d);

  it("draws one path for each series, from the left edge to the right, higher values further up", () => {
    expect(paths).toEqual(["M56 272L400 99.2L744 272", "M56 250.4L400 250.4L744 250.4"]);
  });

  it("names the chart and its lines for those who do not see it", () => {
    expect(svg).toContain("<title>Requests &#38; answers: without &#60;jitter&#62;, with jitter</title>");
    expect(svg).toContain('role="img"');
  });

  it("follows the reader's dark theme", () => {
    expect(svg).toContain("prefers-color-scheme: dark");
  });

  it("loads nothing and runs nothing", () => {
    expect(svg).not.toMatch(/<script|href|@import|url\(/);
  });

  it("draws no numbers that are none, not even of lines without values", () => {
    expect(lineChart({ ...chart, series: [{ label: "zeros", values: [0] }] })).not.toContain("NaN");
    expect(lineChart({ ...chart, series: [{ label: "nothing", values: [] }] })).not.toMatch(/NaN|Infinity/);
  });
});

describe("niceCeiling", () => {
  it.each([
    [0, 1],
    [1, 1],
    [3, 5],
    [75, 100],
    [100, 100],
    [193, 200],
    [207, 250],
    [10_000, 10_000],
  ])("%d fits below %d", (value, expected) => {
    expect(niceCeiling(value)).toBe(expected);
  });
});

describe("escapeXml", () => {
  it("makes markup and quotes harmless", () => {
    expect(escapeXml(`<a b="c">&`)).toBe("&#60;a b=&#34;c&#34;&#62;&#38;");
  });
});
