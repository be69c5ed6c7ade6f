// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Caller, type Evaluation, evaluate } from "../../../src/rules/evaluate.js";
import type { Requirement, Rule, ScopeSet } from "../../../src/rules/rule.js";

function rule(requirement: Requirement, ...callers: string[]): Rule {
  return {
    requirement,
    callers: callers.length === 0 ? undefined : new Set(callers),
    onTokenExpiry: "keep",
    next: undefined,
  };
}

function scopes(...anyOf: ScopeSet[]): Requirement {
  return { kind: "scopes", anyOf };
}

function caller(clientId: string, ...held: string[]): Caller {
  return { clientId, scopes: new Set(held) };
}

const allowed: Evaluation = { allowed: true };
const callerNotAllowed: Evaluation = { allowed: false, reason: "CALLER_NOT_ALLOWED" };

function insufficient(required: ScopeSet, ...missing: string[]): Evaluation {
  return { allowed: false, reason: "SCOPE_INSUFFICIENT", required, missing };
}

describe("evaluate", () => {
  it("lets any caller in where any valid token will do", () => {
    expect(evaluate(rule({ kind: "authenticated" }), caller("a"))).toEqual(allowed);
  });

  it("lets any caller in where the rule is public", () => {
    expect(evaluate(rule({ kind: "public" }), caller("a"))).toEqual(allowed);
  });

  it("lets a caller in that has the scope, whatever else it has", () => {
    expect(evaluate(rule(scopes(["x"])), caller("a", "w", "x", "y"))).toEqual(allowed);
  });

  it("refuses a caller without scopes", () => {
    expect(evaluate(rule(scopes(["x"])), caller("a"))).toEqual(insufficient(["x"], "x"));
  });

  it("wants every scope of an alternative", () => {
    const both = rule(scopes(["x", "y"]));
    expect(evaluate(both, caller("a", "x", "y"))).toEqual(allowed);
    expect(evaluate(both, caller("a", "x"))).toEqual(insufficient(["x", "y"], "y"));
    expect(evaluate(both, caller("a", "y"))).toEqual(insufficient(["x", "y"], "x"));
  });

  it("is content with any one of the alternatives", () => {
    const either = rule(scopes(["admin"], ["read", "write"], ["all"]));
    expect(evaluate(either, caller("a", "admin"))).toEqual(allowed);
    expect(evaluate(either, caller("a", "write", "read"))).toEqual(allowed);
    expect(evaluate(either, caller("a", "all"))).toEqual(allowed);
  });

  it("does not add up scopes of different alternatives", () => {
    const either = rule(scopes(["a1", "a2"], ["b1", "b2"]));
    expect(evaluate(either, caller("a", "a1", "b2"))).toEqual(insufficient(["a1", "a2"], "a2"));
  });

  it.each([
    ["a prefix of it", "payments"],
    ["a longer one", "payments:write:all"],
    ["another case", "Payments:Write"],
    ["a part of it", "write"],
    ["a pattern", "payments:*"],
    ["blank space around it", " payments:write "],
    ["a list in one string", "payments:write payments:read"],
  ])("does not take %s for the scope", (_, held) => {
    expect(evaluate(rule(scopes(["payments:write"])), caller("a", held))).toEqual(
      insufficient(["payments:write"], "payments:write"),
    );
  });

  it("names the alternative of which the fewest scopes are missing", () => {
    const either = rule(scopes(["a", "b", "c"], ["d", "e"], ["f", "g", "h", "i"]));
    expect(evaluate(either, caller("me", "d"))).toEqual(insufficient(["d", "e"], "e"));
    expect(evaluate(either, caller("me", "f", "g", "h"))).toEqual(insufficient(["f", "g", "h", "i"], "i"));
  });

  it("names the first of several that are equally near", () => {
    const either = rule(scopes(["a", "b"], ["c"], ["d"]));
    expect(evaluate(either, caller("me"))).toEqual(insufficient(["c"], "c"));
    expect(evaluate(either, caller("me", "a"))).toEqual(insufficient(["a", "b"], "b"));
  });

  it("lets a listed caller in that meets the requirement", () => {
    expect(evaluate(rule({ kind: "authenticated" }, "a", "b"), caller("b"))).toEqual(allowed);
    expect(evaluate(rule(scopes(["x"]), "a", "b"), caller("a", "x"))).toEqual(allowed);
  });

  it("refuses a listed caller that lacks the scope", () => {
    expect(evaluate(rule(scopes(["x"]), "a"), caller("a", "y"))).toEqual(insufficient(["x"], "x"));
  });

  it("refuses a caller that is not listed, whatever its scopes, and does not tell it which would be needed", () => {
    expect(evaluate(rule({ kind: "authenticated" }, "a"), caller("b"))).toEqual(callerNotAllowed);
    expect(evaluate(rule(scopes(["x"]), "a"), caller("b", "x"))).toEqual(callerNotAllowed);
    expect(evaluate(rule(scopes(["x"]), "a"), caller("b"))).toEqual(callerNotAllowed);
  });

  it.each(["order", "order-service-2", "Order-Service", ""])(
    "compares callers exactly: %j is another one",
    (clientId) => {
      expect(evaluate(rule({ kind: "authenticated" }, "order-service"), caller(clientId))).toEqual(callerNotAllowed);
    },
  );

  it("lets nobody in where the list of callers or of alternatives is empty, which parsing refuses", () => {
    expect(evaluate({ ...rule({ kind: "authenticated" }), callers: new Set() }, caller("a"))).toEqual(callerNotAllowed);
    expect(evaluate(rule(scopes()), caller("a", "x"))).toEqual(callerNotAllowed);
  });

  it("does not look at next", () => {
    const next = rule(scopes(["x"]), "b");
    expect(evaluate({ ...rule({ kind: "authenticated" }), next }, caller("a"))).toEqual(allowed);
  });

  it("agrees with what rules mean, said naively", () => {
    const name = fc.constantFrom<string[]>("a", "b", "c", "d", "aa", "A");
    const names = fc.uniqueArray(name, { maxLength: 4 });
    const scopeSet = fc.uniqueArray(name, { minLength: 1, maxLength: 3 }) as unknown as fc.Arbitrary<ScopeSet>;
    const requirement: fc.Arbitrary<Requirement> = fc.oneof(
      fc.constant<Requirement>({ kind: "public" }),
      fc.constant<Requirement>({ kind: "authenticated" }),
      fc.array(scopeSet, { minLength: 1, maxLength: 4 }).map((anyOf): Requirement => ({ kind: "scopes", anyOf })),
    );
    fc.assert(
      fc.property(requirement, names, name, names, (required, callers, clientId, held) => {
        const evaluation = evaluate(rule(required, ...callers), caller(clientId, ...held));
        const listed = callers.length === 0 || callers.includes(clientId);
        const alternatives = required.kind === "scopes" ? required.anyOf : [];
        const lacking = alternatives.map((allOf) => allOf.filter((scope) => !held.includes(scope)));
        const enough = required.kind !== "scopes" || lacking.some((missing) => missing.length === 0);
        expect(evaluation.allowed).toBe(listed && enough);
        if (evaluation.allowed) return;
        expect(evaluation.reason).toBe(listed ? "SCOPE_INSUFFICIENT" : "CALLER_NOT_ALLOWED");
        if (evaluation.reason !== "SCOPE_INSUFFICIENT") return;
        const fewest = Math.min(...lacking.map((missing) => missing.length));
        const nearest = lacking.findIndex((missing) => missing.length === fewest);
        expect(evaluation.required).toEqual(alternatives[nearest]);
        expect(evaluation.missing).toEqual(lacking[nearest]);
      }),
      { numRuns: 1000 },
    );
  });
});
