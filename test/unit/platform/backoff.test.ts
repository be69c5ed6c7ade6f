// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { describe, expect, it } from "vitest";
import { fullJitterMs } from "../../../src/platform/backoff.js";

describe("full jitter", () => {
  it("doubles its ceiling with each failure, from one second on, up to the highest", () => {
    const ceilings = [0, 1, 2, 3, 4, 5, 6, 1e6].map((failures) => fullJitterMs(failures, 30_000, () => 1));
    expect(ceilings).toEqual([1000, 2000, 4000, 8000, 16_000, 30_000, 30_000, 30_000]);
  });

  it("spreads over everything below", () => {
    expect(fullJitterMs(3, 30_000, () => 0)).toBe(0);
    expect(fullJitterMs(3, 30_000, () => 0.25)).toBe(2000);
  });
});
