// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

// Loaded on demand by meshauth: here before time stops.
import "openid-client";
import { clientSecret, createTokenSource, type TokenRequirement, type TokenSource } from "../../src/index.js";
import { createTestClock } from "../../src/testing.js";
import { AuthorizationServer } from "../lib/authorization-server.js";
import { createSeededRandom } from "../lib/seeded-random.js";

/** A fleet of services. */
export interface FleetOptions {
  readonly services: number;
  readonly replicas: number;
  readonly hours: number;
  readonly lifetimeSeconds: number;
  /** All replicas make their first call within so many seconds; 0 for all at once. */
  readonly startWithinSeconds: number;
  /** Whether the refreshes are jittered. */
  readonly jitter: boolean;
  readonly seed: number;
}

/** What the authorization server saw of it. */
export interface FleetResult {
  /** When each token request arrived, in milliseconds since the start. */
  readonly requests: readonly number[];
  /** Calls that got no token. */
  readonly failedCalls: number;
}

interface Replica {
  readonly source: TokenSource;
  readonly requirement: TokenRequirement;
  /** Until then its calls can only be cache hits: they are left out. */
  quietUntil: number;
}

/** How often each replica makes a call: from its second one on, at a moment of its own within this period. */
export const callPeriodSeconds = 10;

const tickMs = 100;
// No token is refreshed before 20 % of its lifetime are left.
const lastShare = 0.25;
const ticksPerCall = (callPeriodSeconds * 1000) / tickMs;

/** Lets a fleet work for some hours, in fake time. */
export async function runFleet(options: FleetOptions): Promise<FleetResult> {
  const begin = Date.UTC(2026, 0, 1);
  const clock = createTestClock(begin);
  const server = new AuthorizationServer({ clock, lifetimeSeconds: options.lifetimeSeconds, latencyMs: 0 });
  const random = createSeededRandom(options.seed);
  const starts = plan(options, random);
  const rounds: Replica[][] = Array.from({ length: ticksPerCall }, () => []);
  let failedCalls = 0;

  function call(replica: Replica): void {
    if (clock.now() < replica.quietUntil) return;
    const token = replica.source.get(replica.requirement);
    if (token instanceof Promise) void token.catch(() => (failedCalls += 1));
    else replica.quietUntil = token.expiresAt - lastShare * options.lifetimeSeconds * 1000;
  }

  function start(service: number): void {
    const replica: Replica = {
      source: createTokenSource({
        issuer: server.issuer,
        clientId: `service-${service}`,
        credential: clientSecret("a secret of the simulation"),
        fetch: server.fetch,
        clock,
        random: options.jitter ? random : () => 0,
      }),
      requirement: { audience: "payment-service", scopes: ["payments:write"] },
      quietUntil: 0,
    };
    call(replica);
    rounds[Math.floor(random() * ticksPerCall)]?.push(replica);
  }

  for (let tick = 0; tick * tickMs < options.hours * 3_600_000; tick += 1) {
    for (const replica of rounds[tick % ticksPerCall] ?? []) call(replica);
    for (const service of starts.get(tick) ?? []) start(service);
    await clock.advance(tickMs);
  }
  return { requests: server.tokenRequests.map((time) => time - begin), failedCalls };
}

/** The replicas that start in each tick, each by the number of its service. */
function plan(options: FleetOptions, random: () => number): Map<number, number[]> {
  const starts = new Map<number, number[]>();
  for (let replica = 0; replica < options.services * options.replicas; replica += 1) {
    const tick = Math.floor((random() * options.startWithinSeconds * 1000) / tickMs);
    const service = replica % options.services;
    const now = starts.get(tick);
    if (now === undefined) starts.set(tick, [service]);
    else now.push(service);
  }
  return starts;
}
