// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

/** A set that cannot be changed; trying to throws a TypeError, as with a frozen object. */
export function frozenSet<T>(values: Iterable<T>): ReadonlySet<T> {
  const set = new Set(values);
  Object.defineProperties(set, { add: refused, delete: refused, clear: refused });
  return Object.freeze(set);
}

const refused: PropertyDescriptor = {
  value() {
    throw new TypeError("this set cannot be changed: other calls share it");
  },
};

/** Freezes a value of JSON, with everything in it. */
export function deepFreeze<T>(value: T): T {
  if (typeof value === "object" && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value);
    for (const member of Object.values(value)) deepFreeze(member);
  }
  return value;
}
