// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { type Meter, type MeterProvider, metrics } from "@opentelemetry/api";
import type { DecisionEvent } from "../verification/decision/decision.js";
import type { ServerEvent } from "../verification/server-event.js";
import { type Count, createDecisionCounts } from "./decision-counts.js";
import { createServerEventRecorder } from "./server-events.js";

/** Options of createServerMetrics(). */
export interface ServerMetricsOptions {
  /** Where instruments come from. By default, the global meter provider, which has to be set before. */
  readonly meterProvider?: MeterProvider;
}

/** Listeners for the options of the same names of createResourceServer(). */
export interface ServerMetrics {
  readonly onDecision: (event: DecisionEvent) => void;
  readonly onEvent: (event: ServerEvent) => void;
}

// Two callbacks of one instrument would overwrite each other's numbers, so a meter provider has one.
const created = new WeakMap<MeterProvider, ServerMetrics>();

/**
 * Creates listeners for `onDecision` and `onEvent` of createResourceServer() that record OpenTelemetry metrics:
 *
 * - `meshauth.server.decisions` ({decision}): by `rpc.method`, `rpc.system.name`, `meshauth.decision`, `error.type` (the
 *   reason), `meshauth.enforced`, `meshauth.next`
 * - `meshauth.server.token.checks` ({token}): by `meshauth.token.check`, "cached" or "verified"
 * - `meshauth.server.token.verification.duration` (s): by `outcome` and `error.type`
 * - `meshauth.server.key.refreshes` ({request}), `meshauth.server.key.refresh.duration` (s): by `outcome`
 * - `meshauth.server.key.count` ({key}): keys in use
 * - `meshauth.server.introspection.requests` ({request}), `meshauth.server.introspection.request.duration` (s): by `outcome`
 *
 * What concerns an issuer has `server.address` (its host) and `meshauth.issuer`. Nothing that a caller chooses becomes a
 * series: an RPC without a rule is "_OTHER".
 *
 * All resource servers of a process can share them; for the same meter provider, they are the same.
 */
export function createServerMetrics(options: ServerMetricsOptions = {}): ServerMetrics {
  const provider = options.meterProvider ?? metrics.getMeterProvider();
  const existing = created.get(provider);
  if (existing !== undefined) return existing;
  const meter = provider.getMeter("meshauth");
  const counts = createDecisionCounts();
  observe(meter, "meshauth.server.decisions", "{decision}", "Decisions on calls", counts.decisions);
  observe(meter, "meshauth.server.token.checks", "{token}", "Checks of tokens of calls", counts.tokenChecks);
  const serverMetrics = { onDecision: counts.add, onEvent: createServerEventRecorder(meter) };
  created.set(provider, serverMetrics);
  return serverMetrics;
}

function observe(meter: Meter, name: string, unit: string, description: string, counts: () => Iterable<Count>): void {
  meter.createObservableCounter(name, { unit, description }).addCallback((result) => {
    for (const { value, attributes } of counts()) result.observe(value, attributes);
  });
}
