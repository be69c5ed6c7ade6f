// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { inspect } from "node:util";
import { describe, expect, it } from "vitest";
import { createStamp } from "../../../src/platform/stamp.js";

describe("a stamp", () => {
  it("knows the value of exactly the object that it was put on", () => {
    const stamp = createStamp<string>();
    const [first, second] = [new Headers(), new Headers()];
    stamp.set(first, "a");
    expect([stamp.get(first), stamp.get(second)]).toEqual(["a", undefined]);
    stamp.set(first, "b");
    expect(stamp.get(first)).toBe("b");
  });

  it("knows nothing of another stamp's values, nor of copies and descendants", () => {
    const [stamp, other] = [createStamp<string>(), createStamp<string>()];
    const object = { a: 1 };
    stamp.set(object, "a");
    expect(other.get(object)).toBeUndefined();
    expect([{ ...object }, Object.create(object), structuredClone(object)].map(stamp.get)).toEqual([
      undefined,
      undefined,
      undefined,
    ]);
  });

  it("is seen by nobody who looks at the object, and can be put on one that is frozen", () => {
    const stamp = createStamp<string>();
    const object = Object.freeze({ a: 1 });
    stamp.set(object, "secret");
    expect(stamp.get(object)).toBe("secret");
    expect([Reflect.ownKeys(object), inspect(object, { showHidden: true }), JSON.stringify(object)]).toEqual([
      ["a"],
      "{ a: 1 }",
      '{"a":1}',
    ]);
  });
});
