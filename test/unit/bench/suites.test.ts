// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { describe, expect, it } from "vitest";
import { suitesOf } from "../../../bench/server-check/suites.js";

const names = (transport: "connect" | "grpc-js", cells?: readonly string[]): Record<string, string[]> =>
  Object.fromEntries(suitesOf(transport, cells).map((suite) => [suite.name, suite.cells.map(({ name }) => name)]));

describe("suitesOf", () => {
  it("begins each suite with a base, and the same again as its control", () => {
    for (const { cells } of suitesOf("connect")) {
      const [base, control] = cells;
      expect(control).toEqual({ ...base, name: `${base.name} once more (control)` });
    }
  });

  it("gives every cell of a suite another name, without a comma, so that it can be asked for", () => {
    for (const each of Object.values(names("connect"))) {
      expect(new Set(each).size).toBe(each.length);
      expect(each.join("")).not.toContain(",");
    }
  });

  it("leaves out on grpc-js what is for Connect only", () => {
    expect(names("connect")["warm"]).toContain("Connectum's shape");
    expect(names("grpc-js")["warm"]).not.toContain("Connectum's shape");
  });

  it("keeps the cells that are asked for, and base and control in any case", () => {
    expect(names("connect", ["meshauth"])).toEqual({
      warm: ["unchecked", "unchecked once more (control)", "meshauth"],
      fresh: ["jose", "jose once more (control)", "meshauth"],
      full: ["no header", "no header once more (control)"],
    });
  });
});
