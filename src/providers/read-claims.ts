// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import type { ClaimPath, Provider } from "./provider.js";
import { expand } from "./template.js";

/** The claims of a token, or the header of one. */
export type Claims = Readonly<Record<string, unknown>>;

/** The scopes that a token has; none if no claim of the provider is there, `undefined` if it cannot be read. */
export function readScopes(claims: Claims, provider: Provider, audience: string): ReadonlySet<string> | undefined {
  const found = provider.scopeClaims
    .map((path) => follow(claims, segments(path, audience)))
    .find((claim) => claim !== undefined);
  if (found === undefined) return new Set();
  if (typeof found.value === "string") return new Set(found.value.split(" ").filter((scope) => scope !== ""));
  const list = stringList(found.value);
  return list === undefined ? undefined : new Set(list);
}

/** The scopes that a token has for an audience, as the protos write them; `undefined` if they cannot be read. */
export function readGrantedScopes(
  claims: Claims,
  provider: Provider,
  audience: string,
): ReadonlySet<string> | undefined {
  const scopes = readScopes(claims, provider, audience);
  const prefix = expand(provider.scopePrefix ?? "", { audience });
  if (scopes === undefined || prefix === "") return scopes;
  return new Set([...scopes].filter((scope) => scope.startsWith(prefix)).map((scope) => scope.slice(prefix.length)));
}

/** The claims that may hold the scopes, for messages. */
export function describeScopeClaims({ scopeClaims }: Provider): string {
  return scopeClaims.map((path) => (typeof path === "string" ? path : path.join("."))).join(", ");
}

/**
 * The type that a `typ` header says, in lower case and without "application/" (RFC 7515 §4.1.9): the empty string if
 * there is no such header, `undefined` if it is no text.
 */
export function readType(typ: unknown): string | undefined {
  if (typ === undefined) return "";
  return typeof typ === "string" ? typ.toLowerCase().replace(/^application\//, "") : undefined;
}

/** A claim that is a text or a list of texts, as a list. */
export function stringList(value: unknown): readonly string[] | undefined {
  if (typeof value === "string") return [value];
  return Array.isArray(value) && value.every((item) => typeof item === "string") ? value : undefined;
}

function segments(path: ClaimPath, audience: string): readonly string[] {
  return (typeof path === "string" ? [path] : path).map((segment) => expand(segment, { audience }));
}

/** The claim at the end of a way; `undefined` if the way ends before. */
function follow(claims: Claims, path: readonly string[]): { readonly value: unknown } | undefined {
  let value: unknown = claims;
  for (const [index, segment] of path.entries()) {
    if (segment === "*" && index > 0 && index === path.length - 1) return { value: memberNames(value) };
    if (!isObject(value) || !Object.hasOwn(value, segment)) return undefined;
    value = value[segment];
  }
  return { value };
}

function memberNames(value: unknown): readonly string[] | undefined {
  return isObject(value) ? Object.keys(value) : undefined;
}

function isObject(value: unknown): value is Claims {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
