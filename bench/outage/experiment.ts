// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { AuthorizationServer, type Failure } from "../lib/authorization-server.js";
import { fakeTime, processClock, settle } from "../lib/fake-time.js";
import { createSeededRandom } from "../lib/seeded-random.js";
import type { Peer } from "../peers/peer.js";
import { Load } from "./load.js";

/** One outage, seen by one client. */
export interface Outage {
  readonly peer: Peer;
  readonly lifetimeSeconds: number;
  readonly callsPerSecond: number;
  /** When it begins, in milliseconds since the client got its first token. */
  readonly beginsAtMs: number;
  readonly outageSeconds: number;
  readonly failure: Failure;
  readonly seed: number;
  /** Ends the experiment as soon as a call has failed. */
  readonly untilFailure?: boolean;
}

/** What came of it. */
export interface OutageResult {
  /** Calls that began during the outage or after it, and got no token within 5 s, or one that had expired. */
  readonly failed: number;
  /** Those of them that began while a token that the client had got was still valid. */
  readonly failedThoughValid: number;
  /** Token requests that were sent during the outage. */
  readonly requests: number;
  /**
   * How long after the outage a call got a new token, in seconds; `undefined` if the client asked for none during the
   * outage.
   */
  readonly secondsUntilFresh: number | undefined;
}

const begin = Date.UTC(2026, 0, 1);
const latencyMs = 20;

/** Lets one client live through one outage, in fake time. */
export async function runOutage(outage: Outage): Promise<OutageResult> {
  const { lifetimeSeconds, outageSeconds, failure, untilFailure = false } = outage;
  return await withLoad(outage, async (server, load, firstTokenAt) => {
    const from = firstTokenAt + outage.beginsAtMs;
    const until = from + outageSeconds * 1000;
    const isOver = (): boolean => untilFailure && load.failed > 0;
    server.fail(from, until, failure);
    await load.run(() => Date.now() >= from);
    load.observe(until);
    await load.run(() => isOver() || Date.now() >= until);
    const requests = server.tokenRequests.filter((time) => time >= from && time < until).length;
    // A client that was refused nothing has nothing to make up for.
    const patience = requests === 0 ? 10_000 : 2 * lifetimeSeconds * 1000;
    const isFresh = (): boolean => requests > 0 && load.freshAt !== undefined;
    await load.run(() => isOver() || isFresh() || Date.now() >= until + patience);
    await load.drain();
    const { failed, failedThoughValid, freshAt } = load;
    const secondsUntilFresh = requests === 0 ? undefined : ((freshAt ?? Infinity) - until) / 1000;
    return { failed, failedThoughValid, requests, secondsUntilFresh };
  });
}

/** A client under load. */
export type Client = Pick<Outage, "peer" | "lifetimeSeconds" | "callsPerSecond" | "seed">;

/** When a client asks for its second token if nothing is out of order, in milliseconds since it got the first one. */
export async function secondRequestMs(client: Client): Promise<number> {
  return await withLoad(client, async (server, load, firstTokenAt) => {
    const before = server.tokenRequests.length;
    await load.run(() => server.tokenRequests.length > before);
    return (server.tokenRequests[before] as number) - firstTokenAt;
  });
}

/** How many token requests a client sends for so many callers that all want its first token at once. */
export async function coldStart(peer: Peer, callers: number): Promise<number> {
  const time = fakeTime(begin);
  try {
    const server = createServer(peer, 3600);
    const getToken = peer.connect(server, createSeededRandom(1));
    let served = 0;
    for (let caller = 0; caller < callers; caller += 1) void Promise.resolve(getToken()).then(() => (served += 1));
    while (served < callers) {
      await settle();
      await time.pass(1);
    }
    return server.tokenRequests.length;
  } finally {
    time.end();
  }
}

async function withLoad<T>(
  { peer, lifetimeSeconds, callsPerSecond, seed }: Client,
  action: (server: AuthorizationServer, load: Load, firstTokenAt: number) => Promise<T>,
): Promise<T> {
  const time = fakeTime(begin);
  try {
    const server = createServer(peer, lifetimeSeconds);
    const load = new Load({
      server,
      getToken: peer.connect(server, createSeededRandom(seed)),
      intervalMs: 1000 / callsPerSecond,
      pass: (ms) => time.pass(ms),
    });
    await load.run(() => load.served > 0);
    return await action(server, load, Date.now());
  } finally {
    time.end();
  }
}

function createServer(peer: Peer, lifetimeSeconds: number): AuthorizationServer {
  const refreshInSeconds = peer.refreshIn === undefined ? undefined : peer.refreshIn * lifetimeSeconds;
  return new AuthorizationServer({ clock: processClock, lifetimeSeconds, latencyMs, refreshInSeconds });
}
