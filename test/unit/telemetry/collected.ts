// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import {
  AggregationTemporality,
  InMemoryMetricExporter,
  MeterProvider,
  PeriodicExportingMetricReader,
} from "@opentelemetry/sdk-metrics";
import { onTestFinished } from "vitest";

/** What a collector gets of one instrument. */
export interface Collected {
  readonly unit: string;
  readonly points: readonly { readonly attributes: unknown; readonly value: unknown }[];
}

/** A meter provider, and what it would export. */
export interface Collector {
  readonly meterProvider: MeterProvider;
  /** The instruments, by name without this prefix. */
  collect(prefix: string): Promise<Record<string, Collected>>;
}

/** Creates a collector, until the test is over. */
export function createCollector(temporality: AggregationTemporality = AggregationTemporality.CUMULATIVE): Collector {
  const exporter = new InMemoryMetricExporter(temporality);
  const reader = new PeriodicExportingMetricReader({ exporter });
  const meterProvider = new MeterProvider({ readers: [reader] });
  onTestFinished(() => meterProvider.shutdown());
  return {
    meterProvider,
    async collect(prefix) {
      exporter.reset();
      await reader.forceFlush();
      const all = exporter.getMetrics().flatMap(({ scopeMetrics }) => scopeMetrics.flatMap(({ metrics }) => metrics));
      return Object.fromEntries(
        all.map(({ descriptor: { name, unit }, dataPoints }) => [
          name.replace(prefix, ""),
          { unit, points: dataPoints.map(({ attributes, value }) => ({ attributes, value: plain(value) })) },
        ]),
      );
    },
  };
}

// Of a histogram, what does not depend on its buckets.
function plain(value: unknown): unknown {
  if (typeof value !== "object" || value === null) return value;
  const { count, sum } = value as { count?: number; sum?: number };
  return { count, sum };
}
