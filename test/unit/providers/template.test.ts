// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { describe, expect, it } from "vitest";
import { standardProvider } from "../../../src/providers/provider.js";
import { asksByName, expand, spellScopes } from "../../../src/providers/template.js";

describe("a template", () => {
  it("is filled at every placeholder", () => {
    expect(expand("{audience}/{scope}/{audience}", { audience: "a", scope: "s" })).toBe("a/s/a");
  });

  it("keeps what nothing is given for, and what is no placeholder", () => {
    expect(expand("{scope}", { audience: "a" })).toBe("{scope}");
    expect(expand("{Audience} { audience } {} {x}", { audience: "a", scope: "s" })).toBe(
      "{Audience} { audience } {} {x}",
    );
  });

  it("takes empty values", () => {
    expect(expand("<{audience}{scope}>", { audience: "", scope: "" })).toBe("<>");
  });
});

describe("scopes", () => {
  const scopes = ["b", "a"];

  it("are spelt one by one where the template has {scope}", () => {
    const provider = { ...standardProvider, scopeFormat: "{audience}/{scope}" };
    expect(asksByName(provider)).toBe(true);
    expect(spellScopes(provider, "x", scopes)).toEqual(["x/b", "x/a"]);
    expect(spellScopes(provider, "x", [])).toEqual([]);
  });

  it("are asked for all at once, needed or not, where it has not", () => {
    const provider = { ...standardProvider, scopeFormat: "{audience}/.default" };
    expect(asksByName(provider)).toBe(false);
    expect(spellScopes(provider, "x", scopes)).toEqual(["x/.default"]);
    expect(spellScopes(provider, "x", [])).toEqual(["x/.default"]);
  });
});
