// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import type { Failure } from "../lib/authorization-server.js";
import type { Peer } from "../peers/peer.js";
import { type Client, type Outage, type OutageResult, runOutage } from "./experiment.js";
import type { Moment } from "./moment.js";

/** What is varied. */
export interface Grid {
  readonly peers: readonly Peer[];
  readonly lifetimeSeconds: number;
  readonly callsPerSecond: number;
  readonly outagesSeconds: readonly number[];
  readonly failure: Failure;
  readonly moments: (client: Omit<Client, "seed">) => Promise<Moment[]> | Moment[];
}

/** The outcome of all moments, by peer and outage, in the order of the grid. */
export type GridResults = readonly (readonly (readonly OutageResult[])[])[];

/** Runs every outage of a grid for every peer at every moment. */
export async function runGrid(grid: Grid): Promise<GridResults> {
  const rows: OutageResult[][][] = [];
  for (const peer of grid.peers) {
    const client = { peer, lifetimeSeconds: grid.lifetimeSeconds, callsPerSecond: grid.callsPerSecond };
    const moments = await grid.moments(client);
    const row: OutageResult[][] = [];
    for (const outageSeconds of grid.outagesSeconds) {
      row.push(await runAll({ ...client, outageSeconds, failure: grid.failure }, moments));
    }
    rows.push(row);
  }
  return rows;
}

/**
 * The longest outage, in whole seconds, that no call notices at any of these moments, found by halving between 0 and two
 * lifetimes; `undefined` if calls fail without any outage.
 */
export async function longestUnnoticed(
  client: Omit<Client, "seed">,
  moments: readonly Moment[],
): Promise<number | undefined> {
  const isUnnoticed = async (outageSeconds: number): Promise<boolean> =>
    (await runAll({ ...client, outageSeconds, failure: "unreachable", untilFailure: true }, moments)).every(
      ({ failed }) => failed === 0,
    );
  if (!(await isUnnoticed(0))) return undefined;
  let unnoticed = 0;
  let noticed = 2 * client.lifetimeSeconds;
  while (noticed - unnoticed > 1) {
    const middle = Math.floor((unnoticed + noticed) / 2);
    if (await isUnnoticed(middle)) unnoticed = middle;
    else noticed = middle;
  }
  return unnoticed;
}

async function runAll(outage: Omit<Outage, keyof Moment>, moments: readonly Moment[]): Promise<OutageResult[]> {
  const results: OutageResult[] = [];
  for (const moment of moments) results.push(await runOutage({ ...outage, ...moment }));
  return results;
}
