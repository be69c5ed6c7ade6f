// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { table } from "../lib/markdown.js";
import type { OutageResult } from "./experiment.js";
import type { Grid, GridResults } from "./grid.js";

/** Calls that failed, and in parentheses those that failed although a token was valid; the mean of all moments. */
export function failedCalls(results: readonly OutageResult[]): string {
  const failed = mean(results.map((result) => result.failed));
  const thoughValid = mean(results.map((result) => result.failedThoughValid));
  return thoughValid === 0 ? count(failed) : `${count(failed)} (${count(thoughValid)})`;
}

/** Token requests during the outage; the mean of all moments. */
export function requestsDuring(results: readonly OutageResult[]): string {
  return count(mean(results.map(({ requests }) => requests)));
}

/** Seconds until a call got a new token; the mean of the moments at which the client had asked for one. */
export function secondsUntilFresh(results: readonly OutageResult[]): string {
  const seconds = results.flatMap((result) => result.secondsUntilFresh ?? []);
  return seconds.length === 0 ? "–" : mean(seconds).toFixed(1);
}

/** A table of peers by outages. */
export function outageTable(
  grid: Grid,
  results: GridResults,
  cell: (results: readonly OutageResult[]) => string,
): string {
  const head = ["outage", ...grid.outagesSeconds.map((seconds) => `${seconds.toLocaleString("en")} s`)];
  return table(
    head,
    results.map((row, index) => [grid.peers[index]?.name ?? "", ...row.map(cell)]),
  );
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

function count(value: number): string {
  return value > 0 && value < 1 ? value.toFixed(1) : Math.round(value).toLocaleString("en");
}
