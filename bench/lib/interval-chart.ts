// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import type { Estimate } from "./bootstrap.js";
import { escapeXml, round, style, text } from "./svg.js";

/** One row of a chart: a dot and its interval. */
export interface IntervalRow {
  readonly label: string;
  readonly estimate: Estimate;
  /** Whether the row is the one that the chart is about. */
  readonly isOurs: boolean;
}

/** What a chart shows. */
export interface IntervalChart {
  readonly title: string;
  readonly xLabel: string;
  /** From 0 to this value. */
  readonly highest: number;
  /** The distance of the marks on the axis. */
  readonly tick: number;
  readonly groups: readonly { readonly label: string; readonly rows: readonly IntervalRow[] }[];
}

const width = 760;
const left = 250;
const right = 60;
const rowHeight = 20;
const groupHeight = 30;
const top = 40;

/** Draws dots with intervals, below each other, as an SVG document that follows the reader's light or dark theme. */
export function intervalChart({ title, xLabel, highest, tick, groups }: IntervalChart): string {
  const toX = (value: number): number => round(left + ((width - left - right) * Math.min(value, highest)) / highest);
  let y = top;
  const drawn = groups.flatMap(({ label, rows }) => {
    y += groupHeight;
    const heading = text(12, y - 6, label, "start", "title");
    return [
      heading,
      ...rows.map((row) => {
        y += rowHeight;
        return drawRow(row, y - 6, toX);
      }),
    ];
  });
  const height = y + 48;
  const ticks = Array.from({ length: Math.floor(highest / tick + 1e-9) + 1 }, (_, index) => index * tick);
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" role="img">`,
    `<title>${escapeXml(title)}</title>`,
    `<style>${style}\n${ownStyle}\n</style>`,
    text(12, 22, title, "start", "title"),
    ...ticks.flatMap((at) => drawTick(at, toX(at), y + 8)),
    text(left + (width - left - right) / 2, height - 8, xLabel, "middle"),
    ...drawn,
    "</svg>\n",
  ].join("\n");
}

const ownStyle = `.d0 { fill: #57606a } .d1 { fill: #0969da }
@media (prefers-color-scheme: dark) { .d0 { fill: #9198a1 } .d1 { fill: #58a6ff } }`;

function drawRow({ label, estimate, isOurs }: IntervalRow, y: number, toX: (value: number) => number): string {
  const { value, low, high } = estimate;
  const dot = isOurs ? "d1" : "d0";
  return [
    text(left - 10, y + 4, label, "end"),
    `<rect class="${dot}" x="${toX(low)}" y="${y - 1}" width="${round(Math.max(toX(high) - toX(low), 1))}" height="2"/>`,
    `<circle class="${dot}" cx="${toX(value)}" cy="${y}" r="4.5"/>`,
    text(width - right + 8, y + 4, value.toFixed(2), "start"),
  ].join("\n");
}

function drawTick(value: number, x: number, bottom: number): string[] {
  return [
    `<line class="grid" x1="${x}" y1="${top}" x2="${x}" y2="${bottom}"/>`,
    text(x, bottom + 16, String(Math.round(value * 100) / 100), "middle"),
  ];
}
