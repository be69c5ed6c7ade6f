// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

export { createTokenMetrics, type TokenMetricsOptions } from "./telemetry/token-metrics.js";
