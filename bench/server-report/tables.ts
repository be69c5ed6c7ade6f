// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import type { Estimate } from "../lib/bootstrap.js";
import { intervalChart } from "../lib/interval-chart.js";
import { table } from "../lib/markdown.js";
import type { Epoch } from "../server-check/sample.js";
import { type TransportName, transports } from "../server-check/settings.js";
import type { Suite } from "../server-check/suites.js";
import { analyse, compare } from "./analysis.js";

/** What was measured of one suite on one transport. */
export interface Measured {
  readonly transport: TransportName;
  readonly suite: Suite;
  readonly epochs: readonly Epoch[];
}

/** The table of a suite: ratios to its first cell, with 95 % intervals, and medians. */
export function suiteTable({ transport, suite, epochs }: Measured): string {
  const rows = analyse(suite, epochs).map(({ name, medians, ratios }, index) => {
    const show = index === 0 ? () => "1" : showEstimate;
    return [
      name,
      Math.round(medians.callsPerSecond).toLocaleString("en"),
      show(ratios.callsPerSecond),
      medians.serverMicrosecondsPerCall.toFixed(0),
      show(ratios.serverMicrosecondsPerCall),
      medians.p50Ms.toFixed(2),
      show(ratios.p50Ms),
      show(ratios.p99Ms),
    ];
  });
  const head = ["calls/s", "ratio", "server CPU µs/call", "ratio", "p50 ms", "ratio", "p99 ratio"];
  return table([`${transports[transport]}, Node ${process.version}`, ...head], rows);
}

/** How both ends of meshauth compare with the article's design: times as many calls in a second. */
export function versusArticle({ suite, epochs }: Measured): string {
  const meshauth = suite.cells.find(({ client }) => client === "meshauth");
  const article = suite.cells.find(({ client }) => client === "article");
  if (meshauth === undefined || article === undefined) return "";
  return `Calls per second of ${meshauth.name}, to those of ${article.name}: ${showEstimate(compare(epochs, meshauth, [article], "callsPerSecond"))}`;
}

/** A chart of the throughput of all cells of a suite, a group for each transport. */
export function suiteChart(title: string, measured: readonly Measured[]): string {
  return intervalChart({
    title,
    xLabel: "calls per second, ratio",
    // Without a verification, calls are much faster than with one.
    ...(measured.some(({ suite }) => suite.name === "fresh") ? { highest: 2, tick: 0.5 } : { highest: 1.2, tick: 0.2 }),
    groups: measured.map(({ transport, suite, epochs }) => ({
      label: transports[transport],
      rows: analyse(suite, epochs)
        .slice(1)
        .map(({ name, ratios }) => ({
          label: name,
          estimate: ratios.callsPerSecond,
          isOurs: name.startsWith("meshauth"),
        })),
    })),
  });
}

function showEstimate({ value, low, high }: Estimate): string {
  return `${value.toFixed(3)} (${low.toFixed(3)}-${high.toFixed(3)})`;
}
