// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { create, fromBinary, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Rule as RuleMessage, RuleSchema, TokenExpiry } from "../../../src/gen/meshauth/v1/options_pb.js";
import { failed, identifierProblem, type Parsed, parseRule } from "../../../src/rules/parse-rule.js";
import type { Rule } from "../../../src/rules/rule.js";

type Init = MessageInitShape<typeof RuleSchema>;
type Requirement = NonNullable<Init["requirement"]>;

const isPublic: Requirement = { case: "public", value: {} };
const authenticated: Requirement = { case: "authenticated", value: {} };
const scope = (value: string): Requirement => ({ case: "scope", value });
const anyOf = (...alternatives: string[][]): Requirement => ({
  case: "scopes",
  value: { anyOf: alternatives.map((allOf) => ({ allOf })) },
});

function parse(init: Init, streaming = true): Parsed<Rule> {
  return parseRule(create(RuleSchema, init), streaming);
}

function parsed(rule: Partial<Rule> & Pick<Rule, "requirement">): Rule {
  return { callers: undefined, onTokenExpiry: "keep", next: undefined, ...rule };
}

describe("failed", () => {
  it("tells problems from a rule", () => {
    expect(failed(parse({ requirement: isPublic }))).toBe(false);
    expect(failed(parse({}))).toBe(true);
  });
});

describe("parseRule", () => {
  it.each<[string, Requirement, Rule["requirement"]]>([
    ["public", isPublic, { kind: "public" }],
    ["authenticated", authenticated, { kind: "authenticated" }],
    ["one scope", scope("payments:write"), { kind: "scopes", anyOf: [["payments:write"]] }],
    ["one alternative", anyOf(["a", "b"]), { kind: "scopes", anyOf: [["a", "b"]] }],
    [
      "several alternatives, in the order in which they are written",
      anyOf(["z"], ["b", "a"], ["a"]),
      { kind: "scopes", anyOf: [["z"], ["b", "a"], ["a"]] },
    ],
  ])("reads %s", (_, requirement, expected) => {
    expect(parse({ requirement }, false)).toEqual(parsed({ requirement: expected }));
    expect(parse({ requirement }, true)).toEqual(parsed({ requirement: expected }));
  });

  it("refuses a rule that demands nothing, even if it lists callers", () => {
    const problems = ["rule demands nothing; set exactly one of public, authenticated, scope, scopes"];
    expect(parse({})).toEqual({ problems });
    expect(parse({ callers: ["a"] })).toEqual({ problems });
  });

  it("lists everything that is wrong with a rule at once", () => {
    expect(
      parse(
        {
          requirement: anyOf(["a b"], []),
          callers: ["", "x", "x"],
          onTokenExpiry: TokenExpiry.CLOSE,
          next: { next: {}, onTokenExpiry: TokenExpiry.KEEP },
        },
        false,
      ),
    ).toEqual({
      problems: [
        'scope "a b" has blank space inside; use all_of for several scopes',
        "an alternative in any_of has no scope; add at least one to its all_of",
        "a client id in callers is empty",
        "callers lists a client id twice",
        "on_token_expiry is for streaming RPCs; remove it here",
        "next: has a next of its own; roll out one step at a time",
        "next: on_token_expiry cannot be tried out; remove it there",
        "next: rule demands nothing; set exactly one of public, authenticated, scope, scopes",
      ],
    });
  });
});

describe("scopes of a rule", () => {
  it("are refused without an alternative", () => {
    expect(parse({ requirement: anyOf() })).toEqual({
      problems: ["scopes has no alternative; add at least one any_of, or use authenticated for any valid token"],
    });
  });

  it("are refused with an alternative that has no scope, also beside one that has", () => {
    const problems = ["an alternative in any_of has no scope; add at least one to its all_of"];
    expect(parse({ requirement: anyOf([]) })).toEqual({ problems });
    expect(parse({ requirement: anyOf(["a"], []) })).toEqual({ problems });
    expect(parse({ requirement: anyOf([], ["a"]) })).toEqual({ problems });
  });

  it.each([
    ["scope", scope("")],
    ["an alternative", anyOf(["a"], ["b", ""])],
  ])("are refused where one is empty, in %s", (_, requirement) => {
    expect(parse({ requirement })).toEqual({
      problems: ["scope is empty; name one, or use authenticated for any valid token"],
    });
  });

  it.each(["a b", " a", "a ", " ", "a\tb", "a\nb", "a\u00a0b", "\u2003"])(
    "are refused where one has blank space inside: %j",
    (value) => {
      const problems = [`scope ${JSON.stringify(value)} has blank space inside; use all_of for several scopes`];
      expect(parse({ requirement: scope(value) })).toEqual({ problems });
      expect(parse({ requirement: anyOf(["a"], ["b", value]) })).toEqual({ problems });
    },
  );

  it.each(['a"b', "a\\b", "\u0000", "a\u007f", "zahlung:schreiben\u00e4", "a\ud83d\ude00"])(
    "are refused where one has characters that RFC 6749 does not allow: %j",
    (value) => {
      const problems = [`scope ${JSON.stringify(value)} has characters that RFC 6749 §3.3 does not allow in a scope`];
      expect(parse({ requirement: scope(value) })).toEqual({ problems });
      expect(parse({ requirement: anyOf(["a", value]) })).toEqual({ problems });
    },
  );

  it("are accepted with every character that RFC 6749 allows", () => {
    const all = Array.from({ length: 0x7f - 0x21 }, (_, index) => String.fromCharCode(0x21 + index))
      .filter((character) => character !== '"' && character !== "\\")
      .join("");
    expect(all).toHaveLength(92);
    expect(parse({ requirement: scope(all) })).toEqual(parsed({ requirement: { kind: "scopes", anyOf: [[all]] } }));
  });

  it("are refused where an alternative lists one twice", () => {
    expect(parse({ requirement: anyOf(["a", "b", "a"]) })).toEqual({
      problems: ["an alternative in any_of lists a scope twice"],
    });
  });

  it("are refused where an alternative stands twice, in whatever order", () => {
    expect(parse({ requirement: anyOf(["a", "b"], ["c"], ["b", "a"]) })).toEqual({
      problems: ['any_of lists the alternative "a b" twice'],
    });
  });

  it("are accepted where alternatives overlap or differ in case only", () => {
    expect(parse({ requirement: anyOf(["a"], ["a", "b"], ["A"]) })).toEqual(
      parsed({ requirement: { kind: "scopes", anyOf: [["a"], ["a", "b"], ["A"]] } }),
    );
  });
});

describe("callers of a rule", () => {
  it("are a set of client ids", () => {
    expect(parse({ requirement: authenticated, callers: ["order-service", "back-office"] })).toEqual(
      parsed({ requirement: { kind: "authenticated" }, callers: new Set(["order-service", "back-office"]) }),
    );
  });

  it("cannot go with public", () => {
    expect(parse({ requirement: isPublic, callers: ["a"] })).toEqual({
      problems: ["callers cannot go with public: without a token nobody knows who calls"],
    });
  });

  it("are refused where one is empty", () => {
    expect(parse({ requirement: authenticated, callers: ["a", ""] })).toEqual({
      problems: ["a client id in callers is empty"],
    });
  });

  it.each(["a b", " a", "a\n", "café"])("are refused where one is malformed: %j", (caller) => {
    expect(parse({ requirement: authenticated, callers: [caller] })).toEqual({
      problems: [`a client id in callers ${JSON.stringify(caller)} has blank space or characters outside of ASCII`],
    });
  });

  it("are refused where one stands twice", () => {
    expect(parse({ requirement: authenticated, callers: ["a", "b", "a"] })).toEqual({
      problems: ["callers lists a client id twice"],
    });
  });

  it("may differ in case only", () => {
    expect(parse({ requirement: authenticated, callers: ["a", "A"] })).toMatchObject({ callers: new Set(["a", "A"]) });
  });
});

describe("identifierProblem", () => {
  it.each(["order-service", "https://payment-service.internal", 'api://{"x"}\\', "!", "~"])("accepts %s", (value) => {
    expect(identifierProblem(value)).toBeUndefined();
  });

  it("refuses an empty value", () => {
    expect(identifierProblem("")).toBe("is empty");
  });

  it.each([" ", "a b", "a\u007f", "\u0000", "ä", "a\n", "\na"])("refuses %j", (value) => {
    expect(identifierProblem(value)).toBe(`${JSON.stringify(value)} has blank space or characters outside of ASCII`);
  });
});

describe("on_token_expiry of a rule", () => {
  it.each<[string, TokenExpiry, Rule["onTokenExpiry"]]>([
    ["unspecified as keep", TokenExpiry.UNSPECIFIED, "keep"],
    ["keep", TokenExpiry.KEEP, "keep"],
    ["close", TokenExpiry.CLOSE, "close"],
  ])("is read on a streaming RPC: %s", (_, onTokenExpiry, expected) => {
    expect(parse({ requirement: authenticated, onTokenExpiry })).toEqual(
      parsed({ requirement: { kind: "authenticated" }, onTokenExpiry: expected }),
    );
  });

  it.each([TokenExpiry.KEEP, TokenExpiry.CLOSE])("is refused on a unary RPC: %i", (onTokenExpiry) => {
    expect(parse({ requirement: authenticated, onTokenExpiry }, false)).toEqual({
      problems: ["on_token_expiry is for streaming RPCs; remove it here"],
    });
  });

  it.each([TokenExpiry.KEEP, TokenExpiry.CLOSE])("cannot go with public, streaming or not: %i", (onTokenExpiry) => {
    const problems = ["on_token_expiry cannot go with public: there is no token that could expire"];
    expect(parse({ requirement: isPublic, onTokenExpiry }, true)).toEqual({ problems });
    expect(parse({ requirement: isPublic, onTokenExpiry }, false)).toEqual({ problems });
  });

  it.each([3, -1])("is refused with the value %i, which only a later version could know", (value) => {
    const problems = [`on_token_expiry has the value ${value}, which this version of meshauth does not know`];
    const onTokenExpiry = value as TokenExpiry;
    expect(parse({ requirement: authenticated, onTokenExpiry }, true)).toEqual({ problems });
    expect(parse({ requirement: authenticated, onTokenExpiry }, false)).toEqual({ problems });
    expect(parse({ requirement: isPublic, onTokenExpiry }, true)).toEqual({ problems });
  });
});

describe("next of a rule", () => {
  it("is a rule without a token expiry and a next of its own", () => {
    expect(
      parse({
        requirement: authenticated,
        onTokenExpiry: TokenExpiry.CLOSE,
        next: { requirement: scope("a"), callers: ["b"] },
      }),
    ).toEqual(
      parsed({
        requirement: { kind: "authenticated" },
        onTokenExpiry: "close",
        next: parsed({ requirement: { kind: "scopes", anyOf: [["a"]] }, callers: new Set(["b"]) }),
      }),
    );
  });

  it("may be stricter than public, or public itself", () => {
    expect(parse({ requirement: isPublic, next: { requirement: authenticated, callers: ["a"] } })).toEqual(
      parsed({
        requirement: { kind: "public" },
        next: parsed({ requirement: { kind: "authenticated" }, callers: new Set(["a"]) }),
      }),
    );
    expect(parse({ requirement: authenticated, callers: ["a"], next: { requirement: isPublic } })).toEqual(
      parsed({
        requirement: { kind: "authenticated" },
        callers: new Set(["a"]),
        next: parsed({ requirement: { kind: "public" } }),
      }),
    );
  });

  it("cannot have a next of its own", () => {
    expect(
      parse({ requirement: authenticated, next: { requirement: scope("a"), next: { requirement: scope("b") } } }),
    ).toEqual({ problems: ["next: has a next of its own; roll out one step at a time"] });
  });

  it.each([TokenExpiry.KEEP, TokenExpiry.CLOSE, 7 as TokenExpiry])(
    "cannot set on_token_expiry: %i",
    (onTokenExpiry) => {
      expect(parse({ requirement: authenticated, next: { requirement: scope("a"), onTokenExpiry } })).toEqual({
        problems: ["next: on_token_expiry cannot be tried out; remove it there"],
      });
    },
  );

  it("is refused where it demands nothing", () => {
    expect(parse({ requirement: authenticated, next: {} })).toEqual({
      problems: ["next: rule demands nothing; set exactly one of public, authenticated, scope, scopes"],
    });
  });

  it("is refused for what a rule is refused for", () => {
    expect(parse({ requirement: authenticated, next: { requirement: scope("a b"), callers: [""] } })).toEqual({
      problems: [
        'next: scope "a b" has blank space inside; use all_of for several scopes',
        "next: a client id in callers is empty",
      ],
    });
    expect(parse({ requirement: authenticated, next: { requirement: isPublic, callers: ["a"] } })).toEqual({
      problems: ["next: callers cannot go with public: without a token nobody knows who calls"],
    });
    expect(parse({ requirement: authenticated, next: { requirement: anyOf() } })).toEqual({
      problems: ["next: scopes has no alternative; add at least one any_of, or use authenticated for any valid token"],
    });
  });
});

describe("any rule", () => {
  it("either has problems, or what it demands can be met and is not empty", () => {
    const text = fc.oneof(fc.constantFrom("a", "b", "c:d"), fc.string({ maxLength: 3 }));
    const requirement: fc.Arbitrary<Requirement> = fc.oneof(
      fc.constantFrom(isPublic, authenticated),
      text.map(scope),
      fc.array(fc.array(text, { maxLength: 3 }), { maxLength: 3 }).map((alternatives) => anyOf(...alternatives)),
    );
    fc.assert(
      fc.property(
        fc.option(requirement, { freq: 20 }),
        fc.array(text, { maxLength: 3 }),
        fc.integer({ min: 0, max: 3 }) as fc.Arbitrary<TokenExpiry>,
        fc.boolean(),
        (required, callers, onTokenExpiry, streaming) => {
          const rule = parse({ ...(required && { requirement: required }), callers, onTokenExpiry }, streaming);
          if (failed(rule)) {
            expect(rule.problems.length).toBeGreaterThan(0);
            return;
          }
          expect(required?.case).toBe(
            rule.requirement.kind === "scopes" && required?.case === "scope" ? "scope" : rule.requirement.kind,
          );
          expect([...(rule.callers ?? [])]).toEqual(callers);
          expect(rule.callers?.size).not.toBe(0);
          if (rule.requirement.kind !== "scopes") return;
          expect(rule.requirement.anyOf.length).toBeGreaterThan(0);
          for (const allOf of rule.requirement.anyOf) {
            expect(allOf.length).toBeGreaterThan(0);
            expect(new Set(allOf.join(" ").split(" "))).toEqual(new Set(allOf));
          }
        },
      ),
      { numRuns: 1000 },
    );
  });

  it("that decodes at all is parsed without an exception", () => {
    const whole = toBinary(
      RuleSchema,
      create(RuleSchema, {
        requirement: anyOf(["a"], ["b", "c"]),
        callers: ["d"],
        onTokenExpiry: TokenExpiry.CLOSE,
        next: { requirement: scope("e") },
      }),
    );
    const damaged = fc
      .array(fc.tuple(fc.nat(whole.length - 1), fc.nat(255)), { maxLength: 3 })
      .map((changes) => changes.reduce((bytes, [position, value]) => bytes.with(position, value), whole));
    const decoded = fc
      .oneof(damaged, fc.uint8Array({ maxLength: 12 }))
      .map(decode)
      .filter((message) => message !== undefined);
    fc.assert(
      fc.property(decoded, fc.boolean(), (message, streaming) => {
        const rule = parseRule(message, streaming);
        expect(failed(rule) ? rule.problems.length : rule.requirement.kind.length).toBeGreaterThan(0);
      }),
      { numRuns: 500 },
    );
  });
});

function decode(bytes: Uint8Array): RuleMessage | undefined {
  try {
    return fromBinary(RuleSchema, bytes);
  } catch {
    return undefined;
  }
}
