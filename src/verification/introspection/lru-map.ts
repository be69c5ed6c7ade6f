// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

/** A map that forgets what was used least recently when there is too much in it. */
export interface LruMap<V> {
  get(key: string): V | undefined;
  set(key: string, value: V): void;
  delete(key: string): void;
}

/** Creates a map of at most so many entries. */
export function createLruMap<V>(maxEntries: number): LruMap<V> {
  // A map is in the order in which its entries were set.
  const entries = new Map<string, V>();
  return {
    get(key) {
      const value = entries.get(key);
      if (value === undefined) return undefined;
      entries.delete(key);
      entries.set(key, value);
      return value;
    },
    set(key, value) {
      entries.delete(key);
      entries.set(key, value);
      const [oldest] = entries.keys();
      if (entries.size > maxEntries && oldest !== undefined) entries.delete(oldest);
    },
    delete: (key) => void entries.delete(key),
  };
}
