// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { describe, expect, it } from "vitest";
import { deepFreeze, frozenSet } from "../../../src/platform/frozen.js";

describe("frozenSet", () => {
  it("is a set like any other for whoever reads it", () => {
    const set = frozenSet(["a", "b", "a"]);
    expect(set).toEqual(new Set(["a", "b"]));
    expect([...set, set.size, set.has("a"), set.has("c")]).toEqual(["a", "b", 2, true, false]);
  });

  it.each(["add", "delete", "clear"] as const)("cannot be changed with %s", (method) => {
    const set = frozenSet(["a"]);
    const change = (set as Set<string>)[method] as (value: string) => unknown;
    expect(() => change.call(set, "a")).toThrow(new TypeError("this set cannot be changed: other calls share it"));
    expect(() => Object.assign(set, { has: () => true })).toThrow(TypeError);
    expect([...set]).toEqual(["a"]);
  });
});

describe("deepFreeze", () => {
  it("freezes everything in a value of JSON", () => {
    const value = deepFreeze({ a: [{ b: null }], c: "d", e: 1 });
    expect([value, value.a, value.a[0]].every(Object.isFrozen)).toBe(true);
  });

  it("leaves what is no object as it is", () => {
    expect([deepFreeze(null), deepFreeze(7), deepFreeze("a")]).toEqual([null, 7, "a"]);
  });

  it("comes to an end where an object is frozen already", () => {
    const value = Object.freeze({ a: { b: 1 } });
    expect(deepFreeze(value)).toBe(value);
    expect(Object.isFrozen(value.a)).toBe(false);
  });
});
