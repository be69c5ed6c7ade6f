// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { setImmediate } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { runBatch } from "../../../bench/server-check/load.js";

const authorizations = Array.from({ length: 20 }, (_, index) => `Bearer ${index}`);

describe("runBatch", () => {
  it("makes one call for each header, never more than so many at a time", async () => {
    const called: string[] = [];
    let underWay = 0;
    let most = 0;
    const call = async (authorization: string): Promise<void> => {
      called.push(authorization);
      underWay += 1;
      most = Math.max(most, underWay);
      await setImmediate();
      underWay -= 1;
    };
    const { latenciesMs } = await runBatch({ call, close() {} }, authorizations, 6);
    expect(called).toEqual(authorizations);
    expect(most).toBe(6);
    expect(latenciesMs).toHaveLength(20);
    expect(Math.min(...latenciesMs)).toBeGreaterThan(0);
  });

  it("rejects if a call fails: what refuses is not what is to be measured", async () => {
    const call = (authorization: string): Promise<unknown> =>
      authorization === "Bearer 3" ? Promise.reject(new Error("refused")) : Promise.resolve();
    await expect(runBatch({ call, close() {} }, authorizations, 2)).rejects.toThrow("refused");
  });
});
