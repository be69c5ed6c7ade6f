// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { inspect } from "node:util";

/** Everything that a logger could make of a value, of its causes and of what it holds. */
function everyText(value: unknown, seen: Set<unknown> = new Set()): string[] {
  if ((typeof value !== "object" && typeof value !== "function") || value === null) return [String(value)];
  if (seen.has(value)) return [];
  seen.add(value);
  const options = { showHidden: true, depth: Number.POSITIVE_INFINITY, getters: true, maxStringLength: null };
  const own = Reflect.ownKeys(value).map((key) => Object.getOwnPropertyDescriptor(value, key)?.value as unknown);
  return [
    String(value),
    JSON.stringify(value) ?? "",
    inspect(value),
    inspect(value, options),
    ...(value instanceof Error ? [value.message, value.stack ?? "", ...everyText(value.cause, seen)] : []),
    ...(Symbol.iterator in value ? [...(value as Iterable<unknown>)].flatMap((item) => everyText(item, seen)) : []),
    ...own.flatMap((item) => everyText(item, seen)),
  ];
}

/** The parts of a secret that nobody shows by accident, in the ways in which it can be written. */
function fragments(value: string, length: number): string[] {
  const forms = [value, encodeURIComponent(value), btoa(value), btoa(`order%2Dservice:${encodeURIComponent(value)}`)];
  return forms.flatMap((form) =>
    Array.from({ length: Math.max(1, form.length - length + 1) }, (_, start) => form.slice(start, start + length)),
  );
}

/** The parts of secrets that show when a logger gets a value. */
export function leaksIn(value: unknown, secrets: readonly string[]): string[] {
  const texts = everyText(value);
  return secrets.flatMap((one) => fragments(one, 8)).filter((part) => texts.some((shown) => shown.includes(part)));
}
