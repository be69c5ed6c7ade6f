// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

export { createServerMetrics, type ServerMetrics, type ServerMetricsOptions } from "./telemetry/server-metrics.js";
export { createTokenMetrics, type TokenMetricsOptions } from "./telemetry/token-metrics.js";
