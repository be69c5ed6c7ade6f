// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

/** Values that belong to objects, out of the reach of whoever has the objects. */
export interface Stamp<V> {
  set(object: object, value: V): void;
  get(object: object): V | undefined;
}

class Itself {
  constructor(object: object) {
    // biome-ignore lint/correctness/noConstructorReturn: the fields of a derived class are then put on this object.
    return object;
  }
}

/**
 * Creates a stamp. It does what a WeakMap does, in a tenth of the time for objects that live as long as one call: the value
 * is in a private field of the object itself, which nobody else can read, write or forge.
 */
export function createStamp<V>(): Stamp<V> {
  class Stamped extends Itself {
    #value: V;

    constructor(object: object, value: V) {
      super(object);
      this.#value = value;
    }

    static set(object: object, value: V): void {
      if (#value in object) object.#value = value;
      else new Stamped(object, value);
    }

    static get(object: object): V | undefined {
      return #value in object ? object.#value : undefined;
    }
  }
  return Stamped;
}
