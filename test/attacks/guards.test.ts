// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { describeAttacks } from "./describe.js";
import { foreignGuards, guards } from "./guards.js";
import { families } from "./table/index.js";

const root = new URL("../../", import.meta.url);
const attacks = Object.values(families).flat();

describe("the attack table", () => {
  it("has 150 attacks and more, each by a name of its own", () => {
    const stopped = attacks.filter(({ verdict }) => verdict !== "allowed");
    expect(stopped.length).toBeGreaterThanOrEqual(150);
    for (const rows of Object.values(families)) {
      expect(new Set(rows.map(({ name }) => name)).size).toBe(rows.length);
    }
  });

  it("names a check for every attack, and none for a control", () => {
    const ids = [...Object.keys(guards), ...foreignGuards];
    const unnamed = attacks.filter(({ guard, verdict }) =>
      verdict === "allowed" ? guard !== "none" : !ids.includes(guard),
    );
    expect(unnamed.map(({ name }) => name)).toEqual([]);
  });

  it("has an attack for every check", () => {
    const named = new Set(attacks.map(({ guard }) => guard));
    expect(Object.keys(guards).filter((guard) => !named.has(guard))).toEqual([]);
  });

  it("is the one in the documentation", () => {
    expect(readFileSync(new URL("docs/attacks.md", root), "utf8")).toBe(describeAttacks());
  });
});

describe.each(Object.entries(guards))("what takes out %s", (_id, edits) => {
  it("is for the sources as they are", () => {
    const missing = edits.filter(({ file, find }) => !readFileSync(new URL(file, root), "utf8").includes(find));
    expect(missing).toEqual([]);
  });
});
