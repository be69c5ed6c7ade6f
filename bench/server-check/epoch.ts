// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { join } from "node:path";
import type { RunningIssuer } from "../lib/issuer.js";
import { quantile } from "../lib/statistics.js";
import { createMeasuredClient, type MeasuredClient } from "./clients.js";
import { launchServer, type ServerProcess } from "./launch.js";
import { runBatch } from "./load.js";
import type { Epoch, Sample } from "./sample.js";
import type { TransportName } from "./settings.js";
import type { Cell, Suite } from "./suites.js";

/** How much is measured. */
export interface EpochOptions {
  readonly rounds: number;
  readonly warmUpRounds: number;
  readonly calls: number;
  readonly inFlight: number;
  /** Where CPU profiles of the servers go; by default, none are made. */
  readonly profileFolder?: string | undefined;
}

/**
 * Measures the cells of a suite in turn, batch by batch, each round in another order, on processes that live for one
 * epoch: what differs between two processes by chance differs between two epochs, too.
 */
export async function runEpoch(
  transport: TransportName,
  suite: Suite,
  issuer: RunningIssuer,
  options: EpochOptions,
): Promise<Epoch> {
  const running: RunningCell[] = [];
  try {
    for (const cell of suite.cells) running.push(await startCell(transport, cell, issuer, options));
    const samples = new Map<string, Sample[]>(suite.cells.map(({ name }) => [name, []]));
    const same = [`Bearer ${issuer.mint()}`];
    for (let round = -options.warmUpRounds; round < options.rounds; round += 1) {
      const authorizations = Array.from({ length: options.calls }, () =>
        suite.freshTokens ? `Bearer ${issuer.mint()}` : (same[0] ?? ""),
      );
      for (const { cell, server, client } of shuffle(running)) {
        const sample = await measure(server, client, authorizations, options.inFlight);
        if (round >= 0) samples.get(cell.name)?.push(sample);
      }
    }
    return Object.fromEntries(samples);
  } finally {
    for (const { client } of running) client.close();
    for (const { server } of running) await server.close();
  }
}

interface RunningCell {
  readonly cell: Cell;
  readonly server: ServerProcess;
  readonly client: MeasuredClient;
}

async function startCell(
  transport: TransportName,
  cell: Cell,
  issuer: RunningIssuer,
  { profileFolder }: EpochOptions,
): Promise<RunningCell> {
  const { url, publicJwk } = issuer;
  const profile = profileFolder && join(profileFolder, `${transport}-${cell.name.replace(/\W+/g, "-")}.cpuprofile`);
  const server = await launchServer({ transport, check: cell.check, issuer: url, publicJwk }, profile);
  const client = createMeasuredClient({ transport, client: cell.client, port: server.port, issuer: url });
  return { cell, server, client };
}

async function measure(
  server: ServerProcess,
  client: MeasuredClient,
  authorizations: readonly string[],
  inFlight: number,
): Promise<Sample> {
  await server.cpuMicroseconds();
  const { elapsedMs, latenciesMs } = await runBatch(client, authorizations, inFlight);
  const cpu = await server.cpuMicroseconds();
  return {
    callsPerSecond: (authorizations.length * 1000) / elapsedMs,
    serverMicrosecondsPerCall: cpu / authorizations.length,
    p50Ms: quantile(latenciesMs, 0.5),
    p99Ms: quantile(latenciesMs, 0.99),
  };
}

function shuffle<T>(items: readonly T[]): T[] {
  const keyed = items.map((item) => ({ item, key: Math.random() }));
  return keyed.sort((a, b) => a.key - b.key).map(({ item }) => item);
}
