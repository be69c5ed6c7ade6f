// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { MeterProvider } from "@opentelemetry/sdk-metrics";
import { PaymentService } from "../../src/gen/payment/v1/payment_pb.js";
import { createResourceServer, type DecisionEvent, type ResourceServer } from "../../src/index.js";

/** The part of createServerMetrics() that is used here. */
interface ServerMetrics {
  readonly onDecision: (event: DecisionEvent) => void;
  readonly onEvent?: (event: never) => void;
}

/** meshauth with everything on: metrics by OpenTelemetry's SDK, and an audit whose events go nowhere. */
export async function createMeasuredResourceServer(issuer: string): Promise<ResourceServer> {
  const metrics = await createMetrics();
  const resourceServer = createResourceServer({
    services: [PaymentService],
    issuer,
    onDecision: auditWith(metrics),
    ...(metrics?.onEvent !== undefined && { onEvent: metrics.onEvent }),
  });
  await resourceServer.ready();
  return resourceServer;
}

/** Creates a listener of decisions: metrics, and an audit whose events go nowhere. */
export async function createAudit(): Promise<(event: DecisionEvent) => void> {
  return auditWith(await createMetrics());
}

function auditWith(metrics: ServerMetrics | undefined): (event: DecisionEvent) => void {
  return (event) => {
    metrics?.onDecision(event);
    auditNowhere(event);
  };
}

function auditNowhere(_event: DecisionEvent): void {}

// Exported by newer versions only.
async function createMetrics(): Promise<ServerMetrics | undefined> {
  const entry: Readonly<Record<string, unknown>> = await import("../../src/opentelemetry.js");
  const create = entry["createServerMetrics"];
  if (typeof create !== "function") return undefined;
  return create({ meterProvider: new MeterProvider() }) as ServerMetrics;
}
