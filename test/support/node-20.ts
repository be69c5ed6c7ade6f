// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

// vitest's reporter needs Map.groupBy to print failures; Node 20 does not have it.
if (!("groupBy" in Map)) Object.assign(Map, { groupBy });

function groupBy<K, T>(items: Iterable<T>, keyOf: (item: T) => K): Map<K, T[]> {
  const groups = new Map<K, T[]>();
  for (const item of items) groups.set(keyOf(item), [...(groups.get(keyOf(item)) ?? []), item]);
  return groups;
}
