// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

/** Finds something like a token in a text, whatever stands around it. */
export function findToken(text: string): string | undefined {
  const tokens = [
    text,
    text
      .replaceAll(/%2E/gi, ".")
      .replaceAll(/[^\w.:-]|é/g, "")
      .replaceAll(":", "."),
  ];
  for (const candidate of tokens) {
    const [found] = /eyJ[\w-]+\.[\w-]+\.[\w-]{86}/.exec(candidate) ?? [];
    if (found !== undefined) return found;
  }
  return undefined;
}

/** Finds a token anywhere in some texts, also where one of them is base64. */
export function findTokenIn(texts: readonly string[]): string | undefined {
  const decoded = texts.map((text) => Buffer.from(text, "base64").toString("latin1"));
  return [...texts, ...decoded].map(findToken).find((token) => token !== undefined);
}

/** Takes the first of a list for the object, and a text for one that is encoded once more. */
export function unwrap(value: unknown): unknown {
  if (Array.isArray(value)) return value[0];
  if (typeof value === "string") return JSON.parse(value);
  if (typeof value !== "object" || value === null) throw new Error("no object");
  return value;
}

/** Copies an object as many programs do, which sets its prototype if it says so. */
export function copy(value: object): object {
  const target: Record<string, unknown> = {};
  for (const [name, member] of Object.entries(value)) target[name] = member;
  return target;
}
