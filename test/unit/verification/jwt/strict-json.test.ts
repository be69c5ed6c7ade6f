// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { findJsonProblem } from "../../../../src/verification/jwt/strict-json.js";

const nested = (depth: number): string => `${"[".repeat(depth)}${"]".repeat(depth)}`;

describe("findJsonProblem", () => {
  it.each([
    ["two members of one name", '{"a":1,"a":2}'],
    ["the second of them in another spelling", '{"exp":1,"\\u0065xp":2}'],
    ["names with an escaped quotation mark", '{"a\\"b":1,"a\\"b":2}'],
    ["names with a backslash at their end", '{"a\\\\":1,"a\\\\":2}'],
    ["blank space before the colon", '{"a" :1,"a"\n\t\r :2}'],
    ["others between them", '{"a":{"b":[1]},"c":"a","a":2}'],
    ["names further in", '{"a":[{"b":{"c":1,"c":2}}]}'],
    ["the name __proto__", '{"__proto__":1,"__proto__":2}'],
    ["empty names", '{"":1,"":2}'],
  ])("finds %s", (_, json) => {
    expect(() => JSON.parse(json)).not.toThrow();
    expect(findJsonProblem(json)).toBe("has a member twice");
  });

  it.each([
    ["the same name in two objects", '{"a":{"a":1},"b":{"a":2}}'],
    ["the same name in objects of a list", '[{"a":1},{"a":2}]'],
    ["a value that is like a name", '{"a":"b","b":"a"}'],
    ["equal values in a list", '["a","a",{"a":"a"}]'],
    ["names that differ in case", '{"a":1,"A":2}'],
    ["brackets in texts", '{"a":"[[{{","b":"}]}]"}'],
    ["an escaped quotation mark in a value", '{"a":"\\",\\"a\\":","b":1}'],
    ["an object after one that was closed", '{"a":{},"b":{},"c":[]}'],
  ])("has nothing against %s", (_, json) => {
    expect(() => JSON.parse(json)).not.toThrow();
    expect(findJsonProblem(json)).toBeUndefined();
  });

  it("takes 32 levels, and not one more", () => {
    expect(findJsonProblem(nested(32))).toBeUndefined();
    expect(findJsonProblem(nested(33))).toBe("nests deeper than 32 levels");
    expect(findJsonProblem(`{"a":${nested(31)}}`)).toBeUndefined();
    expect(findJsonProblem(`{"a":${nested(32)}}`)).toBe("nests deeper than 32 levels");
    expect(findJsonProblem(`[${"[],".repeat(100)}[]]`)).toBeUndefined();
  });

  it("has nothing against what JSON.stringify() writes, and finds whatever is said twice", () => {
    fc.assert(
      fc.property(fc.object({ maxDepth: 4 }), fc.string(), fc.nat(3), (value, name, indent) => {
        const json = JSON.stringify(value, undefined, indent);
        expect(findJsonProblem(json)).toBeUndefined();
        const key = JSON.stringify(name);
        const twice = `{${key}:${json},${key}:${json}}`;
        expect(findJsonProblem(twice)).toBe("has a member twice");
      }),
    );
  });
});
