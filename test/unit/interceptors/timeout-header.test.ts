// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { describe, expect, it, vi } from "vitest";
import { deadlineOf } from "../../../src/interceptors/timeout-header.js";

const now = Date.UTC(2026, 0, 1);

function timeoutOf(headers: Record<string, string>): number | undefined {
  vi.spyOn(Date, "now").mockReturnValue(now);
  const deadline = deadlineOf(new Headers(headers));
  return deadline === undefined ? undefined : deadline - now;
}

describe("deadlineOf", () => {
  it.each([
    ["0", 0],
    ["1", 1],
    ["5000", 5_000],
    ["9999999999", 9_999_999_999],
  ])("reads connect-timeout-ms: %s", (value, ms) => {
    expect(timeoutOf({ "connect-timeout-ms": value })).toBe(ms);
  });

  it.each([
    ["1H", 3_600_000],
    ["2M", 120_000],
    ["3S", 3_000],
    ["4m", 4],
    ["5000u", 5],
    ["6000000n", 6],
    ["99999999m", 99_999_999],
    ["0m", 0],
  ])("reads grpc-timeout: %s", (value, ms) => {
    expect(timeoutOf({ "grpc-timeout": value })).toBeCloseTo(ms, 6);
  });

  it.each<Record<string, string>>([
    {},
    { "connect-timeout-ms": "" },
    { "connect-timeout-ms": "-1" },
    { "connect-timeout-ms": "1.5" },
    { "connect-timeout-ms": "1m" },
    { "connect-timeout-ms": "99999999999" },
    { "grpc-timeout": "" },
    { "grpc-timeout": "5" },
    { "grpc-timeout": "m" },
    { "grpc-timeout": "5x" },
    { "grpc-timeout": "5h" },
    { "grpc-timeout": "-5m" },
    { "grpc-timeout": "999999999m" },
    { "grpc-timeout": "1S 2S" },
  ])("reads nothing out of %j", (headers) => {
    expect(timeoutOf(headers)).toBeUndefined();
  });

  it("reads grpc-timeout where connect-timeout-ms is nonsense", () => {
    expect(timeoutOf({ "connect-timeout-ms": "soon", "grpc-timeout": "3S" })).toBe(3_000);
  });
});
