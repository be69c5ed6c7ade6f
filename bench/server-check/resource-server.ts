// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import {
  AggregationTemporality,
  InMemoryMetricExporter,
  MeterProvider,
  PeriodicExportingMetricReader,
} from "@opentelemetry/sdk-metrics";
import { PaymentService } from "../../src/gen/payment/v1/payment_pb.js";
import { createResourceServer, type DecisionEvent, type ResourceServer } from "../../src/index.js";
import { createServerMetrics, type ServerMetrics } from "../../src/opentelemetry.js";

/** meshauth with everything on: metrics by OpenTelemetry's SDK, and an audit whose events go nowhere. */
export async function createMeasuredResourceServer(issuer: string): Promise<ResourceServer> {
  const metrics = createMetrics();
  const resourceServer = createResourceServer({
    services: [PaymentService],
    issuer,
    onDecision: auditWith(metrics),
    onEvent: metrics.onEvent,
  });
  await resourceServer.ready();
  return resourceServer;
}

/** Creates a listener of decisions: metrics, and an audit whose events go nowhere. */
export function createAudit(): (event: DecisionEvent) => void {
  return auditWith(createMetrics());
}

function auditWith(metrics: ServerMetrics): (event: DecisionEvent) => void {
  return (event) => {
    metrics.onDecision(event);
    auditNowhere(event);
  };
}

function auditNowhere(_event: DecisionEvent): void {}

function createMetrics(): ServerMetrics {
  // Without a reader, the SDK would record nothing.
  const exporter = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE);
  const reader = new PeriodicExportingMetricReader({ exporter, exportIntervalMillis: 60_000 });
  return createServerMetrics({ meterProvider: new MeterProvider({ readers: [reader] }) });
}
