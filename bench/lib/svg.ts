// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

/** One line of a chart: its values, at equal distances from the left edge to the right. */
export interface Series {
  readonly label: string;
  readonly values: readonly number[];
}

/** A mark on an axis. */
export interface Tick {
  readonly at: number;
  readonly label: string;
}

/** What a chart shows. */
export interface LineChart {
  readonly title: string;
  readonly xLabel: string;
  readonly yLabel: string;
  /** Marks between 0, the left edge, and 1, the right one. */
  readonly xTicks: readonly Tick[];
  /** One or two lines; the first one is drawn below. */
  readonly series: readonly Series[];
}

const width = 760;
const height = 320;
const left = 56;
const right = 16;
const top = 56;
const bottom = 48;
const plotWidth = width - left - right;
const plotHeight = height - top - bottom;

/** Colours that are told apart by colour-blind readers as well, on white and on black. */
export const style: string = `
text { font: 13px system-ui, sans-serif; fill: #24292f }
.title { font-size: 15px; font-weight: 600 }
.grid { stroke: #d0d7de; stroke-width: 1 }
.line { fill: none; stroke-width: 1.5; stroke-linejoin: round }
.s0 { stroke: #bc4c00 } .s1 { stroke: #0969da }
@media (prefers-color-scheme: dark) {
text { fill: #e6edf3 } .grid { stroke: #3d444d } .s0 { stroke: #f0883e } .s1 { stroke: #58a6ff }
}`;

/** Draws a line chart as an SVG document that follows the reader's light or dark theme. */
export function lineChart(chart: LineChart): string {
  const highest = niceCeiling(Math.max(...chart.series.flatMap(({ values }) => values)));
  const summary = chart.series.map(({ label }) => label).join(", ");
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" role="img">`,
    `<title>${escapeXml(`${chart.title}: ${summary}`)}</title>`,
    `<style>${style}\n</style>`,
    text(left, 20, chart.title, "start", "title"),
    ...legend(chart.series),
    ...yAxis(highest, chart.yLabel),
    ...xAxis(chart.xTicks, chart.xLabel),
    ...chart.series.map(({ values }, index) => `<path class="line s${index}" d="${path(values, highest)}"/>`),
    "</svg>\n",
  ].join("\n");
}

/** The next of 1, 2, 2.5, 5, 10, 20, 25, 50, ... that is no smaller. */
export function niceCeiling(value: number): number {
  const power = 10 ** Math.floor(Math.log10(Math.max(value, 1)));
  const step = [1, 2, 2.5, 5, 10].find((factor) => factor * power >= value) ?? 10;
  return step * power;
}

/** Makes a text safe to stand in XML. */
export function escapeXml(text: string): string {
  return text.replace(/[&<>"]/g, (character) => `&#${character.charCodeAt(0)};`);
}

function legend(series: readonly Series[]): string[] {
  return series.flatMap(({ label }, index) => {
    const x = left + index * 220;
    return [
      `<line class="line s${index}" x1="${x}" y1="38" x2="${x + 22}" y2="38"/>`,
      text(x + 28, 42, label, "start"),
    ];
  });
}

function yAxis(highest: number, label: string): string[] {
  const marks = [0, 0.5, 1].flatMap((share) => {
    const y = round(top + plotHeight * (1 - share));
    return [
      `<line class="grid" x1="${left}" y1="${y}" x2="${width - right}" y2="${y}"/>`,
      text(left - 6, y + 4, String(highest * share), "end"),
    ];
  });
  return [...marks, text(width - right, 42, label, "end")];
}

function xAxis(ticks: readonly Tick[], label: string): string[] {
  const marks = ticks.map((tick) => text(left + plotWidth * tick.at, height - bottom + 18, tick.label, "middle"));
  return [...marks, text(left + plotWidth / 2, height - 8, label, "middle")];
}

function path(values: readonly number[], highest: number): string {
  const step = plotWidth / Math.max(values.length - 1, 1);
  const points = values.map((value, index) => {
    const y = top + plotHeight * (1 - value / highest);
    return `${round(left + index * step)} ${round(y)}`;
  });
  return `M${points.join("L")}`;
}

/** A text; `anchor` is that of SVG. */
export function text(x: number, y: number, content: string, anchor: string, className?: string): string {
  const classAttribute = className === undefined ? "" : ` class="${className}"`;
  return `<text x="${round(x)}" y="${round(y)}" text-anchor="${anchor}"${classAttribute}>${escapeXml(content)}</text>`;
}

/** A coordinate, to a tenth. */
export function round(value: number): number {
  return Math.round(value * 10) / 10;
}
