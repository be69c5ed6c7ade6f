// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import {
  AggregationTemporality,
  InMemoryMetricExporter,
  MeterProvider,
  PeriodicExportingMetricReader,
} from "@opentelemetry/sdk-metrics";
import { describe, expect, it, onTestFinished } from "vitest";
import type { TokenEvent, TokenRequestEvent } from "../../../src/index.js";
import { createTokenMetrics } from "../../../src/opentelemetry.js";

const subject = {
  issuer: "https://login.example.com:8443/realms/one",
  clientId: "order-service",
  audience: "https://payment-service.internal",
  scopes: ["payments:write"],
};
const common = {
  "server.address": "login.example.com",
  "meshauth.client_id": "order-service",
  "meshauth.audience": "https://payment-service.internal",
};

function request(event: Partial<TokenRequestEvent>): TokenRequestEvent {
  return {
    ...subject,
    kind: "request",
    outcome: "issued",
    oauthError: undefined,
    durationMs: 250,
    previousFailures: 0,
    waiters: 0,
    lifetimeMs: undefined,
    refreshLagMs: undefined,
    ...event,
  };
}

interface Recorded {
  readonly unit: string;
  readonly points: readonly { readonly attributes: unknown; readonly value: unknown }[];
}

/** Records events and reads what a collector would get. */
async function record(...events: TokenEvent[]): Promise<Record<string, Recorded>> {
  const exporter = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE);
  const reader = new PeriodicExportingMetricReader({ exporter });
  const meterProvider = new MeterProvider({ readers: [reader] });
  onTestFinished(() => meterProvider.shutdown());
  const listen = createTokenMetrics({ meterProvider });
  for (const event of events) listen(event);
  await reader.forceFlush();
  const metrics = exporter.getMetrics().flatMap(({ scopeMetrics }) => scopeMetrics.flatMap((scope) => scope.metrics));
  return Object.fromEntries(
    metrics.map(({ descriptor, dataPoints }) => [
      descriptor.name.replace("meshauth.client.token.", ""),
      {
        unit: descriptor.unit,
        points: dataPoints.map(({ attributes, value }) => ({
          attributes,
          value:
            typeof value === "object" ? { count: value.count, sum: "sum" in value ? value.sum : undefined } : value,
        })),
      },
    ]),
  );
}

describe("token metrics", () => {
  it("count token requests by outcome and error, and time them in seconds", async () => {
    const { requests, "request.duration": duration } = await record(
      request({}),
      request({ outcome: "unavailable" }),
      request({ outcome: "refused", oauthError: "invalid_scope" }),
    );
    expect(requests).toEqual({
      unit: "{request}",
      points: [
        { attributes: { ...common, outcome: "issued" }, value: 1 },
        { attributes: { ...common, outcome: "unavailable", "error.type": "unavailable" }, value: 1 },
        { attributes: { ...common, outcome: "refused", "error.type": "invalid_scope" }, value: 1 },
      ],
    });
    expect(duration?.unit).toBe("s");
    expect(duration?.points[0]?.value).toEqual({ count: 1, sum: 0.25 });
  });

  it("make no series of what an authorization server invents", async () => {
    const invented = Array.from({ length: 20 }, (_, index) => request({ outcome: "refused", oauthError: `e${index}` }));
    const { requests } = await record(...invented);
    expect(requests?.points).toEqual([
      { attributes: { ...common, outcome: "refused", "error.type": "refused" }, value: 20 },
    ]);
  });

  it("have the callers that waited, the lifetime of tokens and the lag of refreshes", async () => {
    const {
      waiters,
      lifetime,
      "refresh.lag": lag,
    } = await record(
      request({ waiters: 12, lifetimeMs: 300_000 }),
      request({ lifetimeMs: 300_000, refreshLagMs: 1500 }),
    );
    expect(waiters).toEqual({ unit: "{caller}", points: [{ attributes: common, value: { count: 2, sum: 12 } }] });
    expect(lifetime).toEqual({ unit: "s", points: [{ attributes: common, value: { count: 2, sum: 600 } }] });
    expect(lag).toEqual({ unit: "s", points: [{ attributes: common, value: { count: 1, sum: 1.5 } }] });
  });

  it("count stale tokens with their remaining lifetime, refusals by whether they were retried, and warnings", async () => {
    const {
      stale,
      remaining_lifetime: remaining,
      refused,
      warnings,
    } = await record(
      { ...subject, kind: "stale", remainingMs: 20_000 },
      { ...subject, kind: "refused", retried: true },
      { ...subject, kind: "refused", retried: false },
      { ...subject, kind: "warning", message: "the token has no audience" },
    );
    expect(stale).toEqual({ unit: "{call}", points: [{ attributes: common, value: 1 }] });
    expect(remaining).toEqual({ unit: "s", points: [{ attributes: common, value: { count: 1, sum: 20 } }] });
    expect(refused?.points).toEqual([
      { attributes: { ...common, "meshauth.retried": true }, value: 1 },
      { attributes: { ...common, "meshauth.retried": false }, value: 1 },
    ]);
    expect(warnings).toEqual({ unit: "{finding}", points: [{ attributes: common, value: 1 }] });
  });

  it("go to the global meter provider by default, which may be none", () => {
    expect(() => createTokenMetrics()(request({}))).not.toThrow();
  });
});
