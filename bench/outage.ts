// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

// Outages of the authorization server, seen by clients that keep calling: npx tsx bench/outage.ts [--write]

import { runCompiled } from "./lib/compiled.js";
import { table } from "./lib/markdown.js";
import { report } from "./lib/report.js";
import { coldStart } from "./outage/experiment.js";
import { type Grid, longestUnnoticed, runGrid } from "./outage/grid.js";
import { randomMoments, worstMoments } from "./outage/moment.js";
import { failedCalls, outageTable, requestsDuring, secondsUntilFresh } from "./outage/tables.js";
import { peers } from "./peers/all.js";
import { googleAuthLibrary60 } from "./peers/google-auth-library.js";
import { msalNodeRefreshIn } from "./peers/msal-node.js";
import type { Peer } from "./peers/peer.js";

// About as many calls in the lifetime of one token. What makes no difference at a lifetime is left out there.
const loads = [
  { lifetimeSeconds: 300, callsPerSecond: 10, peers: peers.filter((peer) => peer !== msalNodeRefreshIn) },
  { lifetimeSeconds: 3600, callsPerSecond: 1, peers: peers.filter((peer) => peer !== googleAuthLibrary60) },
];
type OutageLoad = (typeof loads)[number];

if (!runCompiled(import.meta.url)) {
  await reportColdStart(10_000);
  await reportLongestUnnoticed();
  for (const load of loads) await reportOutages(load);
}

async function reportColdStart(callers: number): Promise<void> {
  const rows: string[][] = [];
  for (const peer of peers) rows.push([peer.name, (await coldStart(peer, callers)).toLocaleString("en")]);
  report("cold-start", table(["10,000 callers, no token yet", "token requests"], rows));
}

async function reportLongestUnnoticed(): Promise<void> {
  const rows: string[][] = [];
  for (const peer of peers) {
    const cells = [];
    for (const load of loads) cells.push(load.peers.includes(peer) ? await longest(peer, load) : "–");
    rows.push([peer.name, ...cells]);
  }
  const head = ["longest outage that no call notices", ...loads.map((load) => `L = ${load.lifetimeSeconds} s`)];
  report("longest-unnoticed", table(head, rows));
}

async function longest(peer: Peer, { lifetimeSeconds, callsPerSecond }: OutageLoad): Promise<string> {
  const client = { peer, lifetimeSeconds, callsPerSecond };
  const seconds = await longestUnnoticed(client, await worstMoments(client));
  return seconds === undefined ? "none" : `${seconds.toLocaleString("en")} s`;
}

async function reportOutages(load: OutageLoad): Promise<void> {
  const { lifetimeSeconds } = load;
  const name = (what: string): string => `${what}-${lifetimeSeconds}`;
  const outagesSeconds = durations(lifetimeSeconds);
  const worst: Grid = { ...load, outagesSeconds, failure: "unreachable", moments: worstMoments };
  const results = await runGrid(worst);
  report(name("worst-failed"), outageTable(worst, results, failedCalls));
  report(name("worst-requests"), outageTable(worst, results, requestsDuring));
  report(name("worst-fresh"), outageTable(worst, results, secondsUntilFresh));
  const random: Grid = { ...worst, moments: () => randomMoments(lifetimeSeconds) };
  report(name("random-failed"), outageTable(random, await runGrid(random), failedCalls));
  const unwell: Grid = { ...worst, outagesSeconds: [10, 60, lifetimeSeconds], failure: "503" };
  const answers = await runGrid(unwell);
  report(name("503-failed"), outageTable(unwell, answers, failedCalls));
  report(name("503-requests"), outageTable(unwell, answers, requestsDuring));
}

/** From nothing to twice the lifetime of a token. */
function durations(lifetimeSeconds: number): number[] {
  const shares = [0.1, 0.2, 0.5, 1, 1.5, 2].map((share) => share * lifetimeSeconds);
  return [...new Set([0, 10, 60, ...shares])].sort((a, b) => a - b);
}
