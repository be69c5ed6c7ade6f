// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { providers } from "../../../src/providers/presets.js";
import { type ClaimPath, type Provider, standardProvider } from "../../../src/providers/provider.js";
import { describeScopeClaims, readScopes, readType } from "../../../src/providers/read-claims.js";

const reading = (...scopeClaims: ClaimPath[]): Provider => ({ ...standardProvider, scopeClaims });

function scopes(claims: Record<string, unknown>, provider: Provider): string[] | undefined {
  const found = readScopes(claims, provider, "payments");
  return found === undefined ? undefined : [...found];
}

describe("reading scopes", () => {
  const realm = reading(["realm_access", "roles"]);

  it("follows a way to a nested claim", () => {
    expect(scopes({ realm_access: { roles: ["a", "b"] } }, realm)).toEqual(["a", "b"]);
    expect(scopes({ realm_access: { roles: "  a  b " } }, realm)).toEqual(["a", "b"]);
  });

  it.each([
    {},
    { realm_access: null },
    { realm_access: "roles" },
    { realm_access: ["roles"] },
    { realm_access: { other: [] } },
    { "realm_access.roles": ["a"] },
    { realm_access: Object.create({ roles: ["a"] }) as unknown },
  ])("takes %j for a token without the claim", (claims) => {
    expect(scopes(claims, realm)).toEqual([]);
  });

  it.each([null, 7, { a: {} }, [["a"]], ["a", 7]])("does not read %j", (roles) => {
    expect(scopes({ realm_access: { roles } }, realm)).toBeUndefined();
  });

  it("takes a name with dots, slashes or colons as one name", () => {
    expect(scopes({ "https://example.com/roles": ["a"] }, reading("https://example.com/roles"))).toEqual(["a"]);
    expect(scopes({ realm_access: { roles: ["a"] } }, reading("realm_access.roles"))).toEqual([]);
  });

  it("finds the claim of the audience, and not of another one", () => {
    const client = reading(["resource_access", "{audience}", "roles"]);
    expect(scopes({ resource_access: { inventory: { roles: ["a"] }, payments: { roles: ["b"] } } }, client)).toEqual([
      "b",
    ]);
    expect(scopes({ resource_access: { inventory: { roles: ["a"] } } }, client)).toEqual([]);
  });

  it("reads the names of an object's members only where the way ends in *", () => {
    const members = reading(["roles", "*"]);
    expect(scopes({ roles: { a: {}, b: { org: "c" } } }, members)).toEqual(["a", "b"]);
    expect(scopes({ roles: {} }, members)).toEqual([]);
    expect(scopes({}, members)).toEqual([]);
    for (const roles of [["a"], "a", null, 7]) expect(scopes({ roles }, members)).toBeUndefined();
    expect(scopes({ roles: { a: {} } }, reading("roles"))).toBeUndefined();
  });

  it("takes * for a name where it is not the end of a way", () => {
    expect(scopes({ "*": ["a"], b: {} }, reading("*"))).toEqual(["a"]);
    expect(scopes({ "*": ["a"], b: {} }, reading(["*"]))).toEqual(["a"]);
    expect(scopes({ a: { b: { roles: ["c"] } } }, reading(["a", "*", "roles"]))).toEqual([]);
  });

  it("takes the first claim that is there, even if it is empty", () => {
    const both = reading(["a", "b"], "scope");
    expect(scopes({ a: { b: "x" }, scope: "y" }, both)).toEqual(["x"]);
    expect(scopes({ a: {}, scope: "y" }, both)).toEqual(["y"]);
    expect(scopes({ a: { b: [] }, scope: "y" }, both)).toEqual([]);
    expect(scopes({ a: { b: null }, scope: "y" }, both)).toBeUndefined();
  });

  it("finds roles of the audience's project at Zitadel, and of no other project", () => {
    const claims = {
      "urn:zitadel:iam:org:project:other:roles": { "payments:admin": {} },
      "urn:zitadel:iam:org:project:payments:roles": { "payments:write": { "1": "example.com" } },
    };
    expect(scopes(claims, providers.zitadel)).toEqual(["payments:write"]);
  });

  it("never throws", () => {
    fc.assert(
      fc.property(
        fc.dictionary(fc.constantFrom("a", "b", "scope"), fc.jsonValue({ maxDepth: 3 })),
        fc.array(fc.oneof(fc.string(), fc.array(fc.constantFrom("a", "b", "*", "0", "__proto__"))), { maxLength: 4 }),
        (claims, scopeClaims) => {
          expect(() => readScopes(claims, reading(...scopeClaims), "payments")).not.toThrow();
        },
      ),
    );
  });
});

it("names the claims as a person would", () => {
  expect(describeScopeClaims(reading("scp", ["realm_access", "roles"]))).toBe("scp, realm_access.roles");
});

describe("reading the type", () => {
  it.each([
    [undefined, ""],
    ["", ""],
    ["JWT", "jwt"],
    ["application/AT+JWT", "at+jwt"],
    [null, undefined],
    [7, undefined],
    [[], undefined],
  ])("reads %j as %j", (typ, type) => {
    expect(readType(typ)).toBe(type);
  });
});
