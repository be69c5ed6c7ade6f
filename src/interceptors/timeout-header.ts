// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

/** Units of `grpc-timeout` in milliseconds (gRPC over HTTP/2, "Requests"). */
const unitMs: Readonly<Record<string, number>> = { H: 3_600_000, M: 60_000, S: 1000, m: 1, u: 1e-3, n: 1e-6 };

/** When a call of a Connect client must be done, by the timeout header that its transport sends; `undefined` without one. */
export function deadlineOf(header: Headers): number | undefined {
  const timeoutMs = readConnect(header.get("connect-timeout-ms")) ?? readGrpc(header.get("grpc-timeout"));
  return timeoutMs === undefined ? undefined : Date.now() + timeoutMs;
}

function readConnect(value: string | null): number | undefined {
  return value !== null && /^\d{1,10}$/.test(value) ? Number(value) : undefined;
}

function readGrpc(value: string | null): number | undefined {
  const [, amount, unit = ""] = /^(\d{1,8})([HMSmun])$/.exec(value ?? "") ?? [];
  const ms = unitMs[unit];
  return ms === undefined ? undefined : Number(amount) * ms;
}
