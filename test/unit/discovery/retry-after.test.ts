// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { describe, expect, it } from "vitest";
import { isWithinPause } from "../../../src/discovery/retry-after.js";

describe("isWithinPause", () => {
  it("lasts until the pause ends", () => {
    expect(isWithinPause(999, 1000)).toBe(true);
    expect(isWithinPause(1000, 1000)).toBe(false);
    expect(isWithinPause(1001, 1000)).toBe(false);
  });

  it("does not believe in a pause that is longer than any pause, which a clock set back makes of one", () => {
    expect(isWithinPause(500_000, 800_000)).toBe(true);
    expect(isWithinPause(500_000, 800_001)).toBe(false);
  });
});
