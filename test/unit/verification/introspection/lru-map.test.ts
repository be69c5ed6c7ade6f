// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createLruMap } from "../../../../src/verification/introspection/lru-map.js";

describe("a bounded map", () => {
  it("forgets what was used least recently", () => {
    const map = createLruMap<number>(2);
    map.set("a", 1);
    map.set("b", 2);
    expect(map.get("a")).toBe(1);
    map.set("c", 3);
    expect([map.get("a"), map.get("b"), map.get("c")]).toEqual([1, undefined, 3]);
  });

  it("has one value for each key, the last one, which counts as used", () => {
    const map = createLruMap<number>(2);
    map.set("a", 1);
    map.set("b", 2);
    map.set("a", 3);
    map.set("c", 4);
    expect([map.get("a"), map.get("b"), map.get("c")]).toEqual([3, undefined, 4]);
  });

  it("gives the place of what was deleted to something else", () => {
    const map = createLruMap<number>(2);
    map.set("a", 1);
    map.set("b", 2);
    map.delete("b");
    map.set("c", 3);
    expect([map.get("a"), map.get("b"), map.get("c")]).toEqual([1, undefined, 3]);
  });

  it("does as a plain list of entries does, whatever happens", () => {
    const step = fc.record({ kind: fc.constantFrom("get", "set", "delete"), key: fc.constantFrom(..."abcdef") });
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 4 }), fc.array(step, { maxLength: 60 }), (size, steps) => {
        const map = createLruMap<number>(size);
        let list: [string, number][] = [];
        for (const [index, { kind, key }] of steps.entries()) {
          const known = list.find(([name]) => name === key);
          list = list.filter((entry) => entry !== known);
          if (kind === "set") list.push([key, index]);
          if (kind === "get" && known !== undefined) list.push(known);
          list = list.slice(-size);
          if (kind === "set") map.set(key, index);
          if (kind === "delete") map.delete(key);
          if (kind === "get") expect(map.get(key)).toBe(known?.[1]);
        }
      }),
    );
  });
});
