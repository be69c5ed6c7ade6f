// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

export type { Fault, RewriteFault, StatusFault } from "./testing/fault.js";
export { type FaultProxy, type FaultProxyOptions, startFaultProxy } from "./testing/fault-proxy.js";
export type { FaultTarget, QueuedFaultTarget } from "./testing/fault-script.js";
export type { ProxiedRequest } from "./testing/proxied-request.js";
export { createTestClock, type TestClock } from "./testing/test-clock.js";
