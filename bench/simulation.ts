// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

// A fleet of services over a day: npx tsx bench/simulation.ts [--services 500] [--replicas 20] [--hours 24] [--write]

import { parseArgs } from "node:util";
import { runCompiled } from "./lib/compiled.js";
import { table } from "./lib/markdown.js";
import { report, reportImage } from "./lib/report.js";
import { histogram, peaks } from "./lib/statistics.js";
import { lineChart } from "./lib/svg.js";
import { type FleetOptions, runFleet } from "./simulation/fleet.js";

const lifetimeSeconds = 3600;
const startSeconds = 120;
const lastHours = 6;
const minutesPerPoint = 5;

const head = [
  "start, refresh",
  "peak at the start",
  "peak of the first refresh",
  `peak of the last ${lastHours} h`,
  "requests",
  "of the minimum",
  "failed calls",
];

if (!runCompiled(import.meta.url)) await main();

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      services: { type: "string", default: "500" },
      replicas: { type: "string", default: "20" },
      hours: { type: "string", default: "24" },
      write: { type: "boolean", default: false },
    },
  });
  const fleet = {
    services: Number(values.services),
    replicas: Number(values.replicas),
    hours: Number(values.hours),
    lifetimeSeconds,
    seed: 1,
  };
  const rows: string[][] = [];
  const lines = new Map<boolean, readonly number[]>();
  for (const startWithinSeconds of [60, 0]) {
    for (const jitter of [true, false]) {
      const options = { ...fleet, startWithinSeconds, jitter };
      const { requests, failedCalls } = await runFleet(options);
      const perSecond = histogram(requests, 1000, fleet.hours * 3_600_000);
      if (startWithinSeconds > 0) lines.set(jitter, peaks(perSecond, minutesPerPoint * 60));
      rows.push(row(options, perSecond, failedCalls));
    }
  }
  report("simulation", table(head, rows));
  reportImage("token-requests.svg", draw(fleet.hours, lines));
}

function row(options: FleetOptions, perSecond: readonly number[], failedCalls: number): string[] {
  const { services, replicas, hours, startWithinSeconds, jitter } = options;
  const start = startWithinSeconds === 0 ? "all at once" : `within ${startWithinSeconds} s`;
  const requests = perSecond.reduce((sum, count) => sum + count, 0);
  const minimum = services * replicas * Math.ceil((hours * 3600) / lifetimeSeconds);
  const peak = (from: number, to: number): string => `${Math.max(...perSecond.slice(from, to)).toLocaleString("en")}/s`;
  return [
    `${start}, ${jitter ? "with" : "without"} jitter`,
    peak(0, startSeconds),
    peak(startSeconds, lifetimeSeconds + startSeconds),
    peak(Math.max(startSeconds, (hours - lastHours) * 3600), hours * 3600),
    requests.toLocaleString("en"),
    `${(requests / minimum).toFixed(2)} ×`,
    failedCalls.toLocaleString("en"),
  ];
}

function draw(hours: number, lines: ReadonlyMap<boolean, readonly number[]>): string {
  const every = Math.max(1, Math.round(hours / 8));
  const ticks = Array.from({ length: Math.floor(hours / every) + 1 }, (_, index) => index * every);
  return lineChart({
    title: "Token requests per second at the authorization server",
    xLabel: "hours since the start",
    yLabel: `highest second of each ${minutesPerPoint} minutes`,
    xTicks: ticks.map((hour) => ({ at: hour / hours, label: String(hour) })),
    series: [
      { label: "without jitter", values: lines.get(false) ?? [] },
      { label: "with jitter (the default)", values: lines.get(true) ?? [] },
    ],
  });
}
