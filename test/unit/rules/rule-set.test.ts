// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import type { DescMethod, DescService } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import type { RuleJson } from "../../../src/gen/meshauth/v1/options_pb.js";
import { RuleError } from "../../../src/rules/problem.js";
import type { Rule } from "../../../src/rules/rule.js";
import { type ConfiguredRule, createRuleSet } from "../../../src/rules/rule-set.js";
import { compile, compileServices, methodOf, rawService, serviceOf } from "../../support/compile.js";
import { refusal } from "./refusal.js";
import { field, numberOccurrence, occurrence, optionNumber, varint } from "./wire.js";

const noRule =
  "has no rule; add option (meshauth.v1.rule) to the RPC, default_rule to its service, " +
  "or, for a proto that is not yours, a rule in configuration";
const noAudience = "needs a token, but its service names no audience; set audience in option (meshauth.v1.service)";
const noSingleAudience =
  "needs a token, but there is no single audience beside it to take; give the configured rule an audience";
const saidTwice = "has a rule in its proto; remove the configured one: a rule is said once";
const foreign =
  "carries data at extension number 518955728, but its file does not import meshauth/v1/options.proto: " +
  "another option uses the number of meshauth; nothing of it is read as a rule";
const doesNotDecode =
  "(meshauth.v1.rule) does not decode as meshauth.v1.Rule; build the descriptors again from the protos";

const file = compileServices(`
  service Payments {
    option (meshauth.v1.service).audience = "https://payments";
    rpc Charge(Empty) returns (Empty) { option (meshauth.v1.rule).scope = "payments:write"; }
    rpc Quote(Empty) returns (Empty) { option (meshauth.v1.rule).public = {}; }
    rpc Watch(Empty) returns (stream Empty) {
      option (meshauth.v1.rule) = {
        authenticated: {} callers: "order-service" on_token_expiry: TOKEN_EXPIRY_CLOSE next: {scope: "payments:read"}
      };
    }
  }
  service Orders {
    option (meshauth.v1.service).audience = "https://orders";
    rpc Get(Empty) returns (Empty) { option (meshauth.v1.rule).authenticated = {}; }
  }
  service PublicOnly {
    rpc Ping(Empty) returns (Empty) { option (meshauth.v1.rule).public = {}; }
  }
  service WithDefault {
    option (meshauth.v1.service) = {
      audience: "https://default"
      default_rule: {scope: "d" callers: ["a"] on_token_expiry: TOKEN_EXPIRY_CLOSE next: {scope: "n"}}
    };
    rpc Unary(Empty) returns (Empty);
    rpc Server(Empty) returns (stream Empty);
    rpc Client(stream Empty) returns (Empty);
    rpc Both(stream Empty) returns (stream Empty);
    rpc Own(Empty) returns (stream Empty) { option (meshauth.v1.rule).authenticated = {}; }
    rpc OwnUnary(Empty) returns (Empty) { option (meshauth.v1.rule).public = {}; }
  }
  service PublicByDefault {
    option (meshauth.v1.service).default_rule.public = {};
    rpc Ping(Empty) returns (Empty);
  }
  service Bad {
    option (meshauth.v1.service).audience = "https://bad";
    rpc None(Empty) returns (Empty);
    rpc Blank(Empty) returns (Empty) { option (meshauth.v1.rule).scope = "a b"; }
    rpc Good(Empty) returns (Empty) { option (meshauth.v1.rule).scope = "a"; }
    rpc TwoThings(Empty) returns (Empty) {
      option (meshauth.v1.rule) = {public: {} callers: "a" on_token_expiry: TOKEN_EXPIRY_KEEP};
    }
    rpc Unset(Empty) returns (Empty) { option (meshauth.v1.rule).callers = "a"; }
    rpc EmptyScope(Empty) returns (Empty) { option (meshauth.v1.rule).scope = ""; }
  }
  service AlsoBad { rpc None(Empty) returns (stream Empty); }
  service NoAudience {
    rpc Scope(Empty) returns (Empty) { option (meshauth.v1.rule).scope = "a"; }
    rpc Authenticated(Empty) returns (Empty) { option (meshauth.v1.rule).authenticated = {}; }
    rpc Public(Empty) returns (Empty) { option (meshauth.v1.rule).public = {}; }
    rpc PublicYet(Empty) returns (Empty) { option (meshauth.v1.rule) = {public: {} next: {authenticated: {}}}; }
    rpc PublicStill(Empty) returns (Empty) { option (meshauth.v1.rule) = {public: {} next: {public: {}}}; }
  }
  service BadIdentity {
    option (meshauth.v1.service).audience = "two words";
    rpc Call(Empty) returns (Empty) { option (meshauth.v1.rule).authenticated = {}; }
  }
  service BadDefault {
    option (meshauth.v1.service) = {audience: "https://x" default_rule: {scope: "a b" callers: ""}};
    rpc One(Empty) returns (Empty);
    rpc Two(Empty) returns (stream Empty);
    rpc Own(Empty) returns (Empty) { option (meshauth.v1.rule).scope = ""; }
  }
  service UnusedBadDefault {
    option (meshauth.v1.service) = {audience: "https://x" default_rule: {}};
    rpc Own(Empty) returns (Empty) { option (meshauth.v1.rule).authenticated = {}; }
  }
  service ContradictoryDefault {
    option (meshauth.v1.service).default_rule = {public: {} on_token_expiry: TOKEN_EXPIRY_CLOSE};
    rpc Unary(Empty) returns (Empty);
  }
  service NoRpcs { option (meshauth.v1.service).client_id = "job"; }`);

const health = serviceOf(
  compile(`
    syntax = "proto3";
    package grpc.health.v1;
    message M {}
    service Health { rpc Check(M) returns (M); rpc Watch(M) returns (stream M); }`),
  "Health",
);
const check = methodOf(health, "Check");
const watch = methodOf(health, "Watch");

function service(name: string): DescService {
  return serviceOf(file, name);
}

function services(...names: string[]): DescService[] {
  return names.map(service);
}

function rule(requirement: Rule["requirement"], rest: Partial<Rule> = {}): Rule {
  return { requirement, callers: undefined, onTokenExpiry: "keep", next: undefined, ...rest };
}

function scope(value: string): Rule["requirement"] {
  return { kind: "scopes", anyOf: [[value]] };
}

function refusedRules(options: Parameters<typeof createRuleSet>[0]): string[] {
  return refusal(() => createRuleSet(options));
}

describe("createRuleSet", () => {
  it("gives every RPC its rule and audience, in the order of the services", () => {
    const payments = service("Payments");
    expect(createRuleSet({ services: services("Orders", "Payments") }).all).toEqual([
      {
        method: methodOf(service("Orders")),
        rpc: "test.v1.Orders/Get",
        rule: rule({ kind: "authenticated" }),
        audience: "https://orders",
      },
      {
        method: methodOf(payments, "Charge"),
        rpc: "test.v1.Payments/Charge",
        rule: rule(scope("payments:write")),
        audience: "https://payments",
      },
      {
        method: methodOf(payments, "Quote"),
        rpc: "test.v1.Payments/Quote",
        rule: rule({ kind: "public" }),
        audience: "https://payments",
      },
      {
        method: methodOf(payments, "Watch"),
        rpc: "test.v1.Payments/Watch",
        rule: rule(
          { kind: "authenticated" },
          {
            callers: new Set(["order-service"]),
            onTokenExpiry: "close",
            next: rule(scope("payments:read")),
          },
        ),
        audience: "https://payments",
      },
    ]);
  });

  it("finds a rule by the descriptor of the RPC", () => {
    const ruleSet = createRuleSet({ services: services("Payments", "Orders") });
    const charge = methodOf(service("Payments"), "Charge");
    expect(ruleSet.forMethod(charge)).toBe(ruleSet.all[0]);
    expect(ruleSet.forMethod(methodOf(service("Orders")))).toBe(ruleSet.all[3]);
  });

  it("finds no rule for RPCs of other services, nor for a descriptor that only looks the same", () => {
    const ruleSet = createRuleSet({ services: services("Payments") });
    expect(ruleSet.forMethod(methodOf(service("Orders")))).toBeUndefined();
    expect(ruleSet.forMethod({ ...methodOf(service("Payments"), "Charge") })).toBeUndefined();
  });

  it("reads a service once that is given twice", () => {
    expect(createRuleSet({ services: services("Orders", "Orders") }).all).toHaveLength(1);
    expect(refusedRules({ services: services("AlsoBad", "AlsoBad") })).toHaveLength(1);
  });

  it("is empty without services, and for a service without RPCs", () => {
    expect(createRuleSet({ services: [] }).all).toEqual([]);
    expect(createRuleSet({ services: services("NoRpcs") }).all).toEqual([]);
  });

  it("needs no audience where every rule is public", () => {
    expect(createRuleSet({ services: services("PublicOnly") }).all).toMatchObject([{ audience: "" }]);
    expect(createRuleSet({ services: services("PublicByDefault") }).all).toMatchObject([
      { audience: "", rule: { requirement: { kind: "public" } } },
    ]);
  });
});

describe("what is wrong with rules", () => {
  it("is listed all at once, with file, service and method", () => {
    expect(refusedRules({ services: services("Bad", "Payments", "AlsoBad") })).toEqual([
      `input.proto: test.v1.Bad/None: ${noRule}`,
      'input.proto: test.v1.Bad/Blank: scope "a b" has blank space inside; use all_of for several scopes',
      "input.proto: test.v1.Bad/TwoThings: callers cannot go with public: without a token nobody knows who calls",
      "input.proto: test.v1.Bad/TwoThings: on_token_expiry cannot go with public: there is no token that could expire",
      "input.proto: test.v1.Bad/Unset: rule demands nothing; set exactly one of public, authenticated, scope, scopes",
      "input.proto: test.v1.Bad/EmptyScope: scope is empty; name one, or use authenticated for any valid token",
      `input.proto: test.v1.AlsoBad/None: ${noRule}`,
    ]);
  });

  it("is a RuleError with a stable name, a code and the problems one by one", () => {
    let error: unknown;
    try {
      createRuleSet({ services: services("AlsoBad") });
    } catch (caught) {
      error = caught;
    }
    expect(error).toBeInstanceOf(RuleError);
    expect(error).toBeInstanceOf(Error);
    expect(error).toMatchObject({
      name: "RuleError",
      code: "ERR_MESHAUTH_RULES",
      message: `input.proto: test.v1.AlsoBad/None: ${noRule}`,
      problems: [{ file: "input.proto", subject: "test.v1.AlsoBad/None", message: noRule }],
    });
  });

  it("is data of another option at our number, read neither as a rule nor as its absence", () => {
    expect(refusedRules({ services: [rawService({ method: [occurrence(field(1))], dependencies: [] })] })).toEqual([
      `raw.proto: raw.v1.RawService/Call: ${foreign}`,
    ]);
    expect(
      refusedRules({ services: [rawService({ service: [occurrence(field(3, field(1)))], dependencies: [] })] }),
    ).toEqual([`raw.proto: raw.v1.RawService: ${foreign}`]);
  });

  it("is a rule that does not decode, contradicts itself, or is from the future", () => {
    const message = (...parts: Uint8Array[]): string[] =>
      refusedRules({
        services: [rawService({ service: [occurrence(field(1, "a"))], method: [occurrence(...parts)] })],
      });
    expect(message(Uint8Array.of(0x1a, 9))).toEqual([`raw.proto: raw.v1.RawService/Call: ${doesNotDecode}`]);
    expect(message(field(3, "x"), field(1))).toEqual([
      "raw.proto: raw.v1.RawService/Call: sets scope and public at once; a rule says exactly one of them",
    ]);
    expect(message(field(3, "x"), field(8, "y"))).toEqual([
      "raw.proto: raw.v1.RawService/Call: has field 8 of meshauth.v1.Rule, " +
        "which this version of meshauth does not know; update meshauth or remove it",
    ]);
  });

  it("is a service annotation that cannot be used, whatever the rules of its RPCs", () => {
    expect(refusedRules({ services: services("BadIdentity") })).toEqual([
      'input.proto: test.v1.BadIdentity: audience "two words" has blank space or characters outside of ASCII',
    ]);
  });

  it("is a rule that demands a token where the service names no audience, in next too", () => {
    expect(refusedRules({ services: services("NoAudience") })).toEqual([
      `input.proto: test.v1.NoAudience/Scope: ${noAudience}`,
      `input.proto: test.v1.NoAudience/Authenticated: ${noAudience}`,
      `input.proto: test.v1.NoAudience/PublicYet: ${noAudience}`,
    ]);
  });

  it("does not take the audience of another service for that of an annotated one", () => {
    expect(refusedRules({ services: services("Payments", "NoAudience") })).toHaveLength(3);
  });
});

describe("the default rule of a service", () => {
  const ruleSet = createRuleSet({ services: services("WithDefault") });
  const ruleOf = (name: string): Rule | undefined => ruleSet.forMethod(methodOf(service("WithDefault"), name))?.rule;
  const next = rule(scope("n"));

  it.each(["Server", "Client", "Both"])("is the rule of a streaming RPC that declares none: %s", (name) => {
    expect(ruleOf(name)).toEqual(rule(scope("d"), { callers: new Set(["a"]), onTokenExpiry: "close", next }));
  });

  it("is the rule of a unary RPC that declares none, without what it says of streams", () => {
    expect(ruleOf("Unary")).toEqual(rule(scope("d"), { callers: new Set(["a"]), onTokenExpiry: "keep", next }));
  });

  it("is replaced whole by the rule of a method: nothing is merged", () => {
    expect(ruleOf("Own")).toEqual(rule({ kind: "authenticated" }));
    expect(ruleOf("OwnUnary")).toEqual(rule({ kind: "public" }));
  });

  it("is refused once, not for every RPC that has none, beside what is wrong with the others", () => {
    expect(refusedRules({ services: services("BadDefault") })).toEqual([
      'input.proto: test.v1.BadDefault: default_rule: scope "a b" has blank space inside; use all_of for several scopes',
      "input.proto: test.v1.BadDefault: default_rule: a client id in callers is empty",
      "input.proto: test.v1.BadDefault/Own: scope is empty; name one, or use authenticated for any valid token",
    ]);
  });

  it("is refused where it is wrong, even if every RPC has a rule of its own", () => {
    expect(refusedRules({ services: services("UnusedBadDefault") })).toEqual([
      "input.proto: test.v1.UnusedBadDefault: default_rule: " +
        "rule demands nothing; set exactly one of public, authenticated, scope, scopes",
    ]);
  });

  it("is refused for a contradiction that concerns streams, even if every RPC is unary", () => {
    expect(refusedRules({ services: services("ContradictoryDefault") })).toEqual([
      "input.proto: test.v1.ContradictoryDefault: default_rule: " +
        "on_token_expiry cannot go with public: there is no token that could expire",
    ]);
    const future = rawService({ service: [occurrence(field(1, "a"), field(3, field(2), varint(6, 9)))] });
    expect(refusedRules({ services: [future] })).toEqual([
      "raw.proto: raw.v1.RawService: default_rule: " +
        "on_token_expiry has the value 9, which this version of meshauth does not know",
    ]);
  });

  it("is refused where it contradicts itself over two occurrences", () => {
    const twice = [occurrence(field(3, field(3, "x"))), occurrence(field(3, field(1)))];
    expect(refusedRules({ services: [rawService({ service: twice })] })).toEqual([
      "raw.proto: raw.v1.RawService: sets scope and public at once; a rule says exactly one of them",
    ]);
  });
});

describe("configured rules", () => {
  function configure(target: DescService | DescMethod, json: RuleJson, audience?: string): ConfiguredRule {
    return { target, rule: json, ...(audience !== undefined && { audience }) };
  }

  it("are for every RPC of a service", () => {
    const ruleSet = createRuleSet({ services: [health], rules: [configure(health, { public: {} })] });
    expect(ruleSet.all).toEqual([
      { method: check, rpc: "grpc.health.v1.Health/Check", rule: rule({ kind: "public" }), audience: "" },
      { method: watch, rpc: "grpc.health.v1.Health/Watch", rule: rule({ kind: "public" }), audience: "" },
    ]);
  });

  it("are for single RPCs", () => {
    const ruleSet = createRuleSet({
      services: [health],
      rules: [
        configure(check, { public: {} }),
        configure(
          watch,
          { scopes: { anyOf: [{ allOf: ["ops:read"] }] }, callers: ["ops"], onTokenExpiry: "TOKEN_EXPIRY_CLOSE" },
          "https://ops",
        ),
      ],
    });
    expect(ruleSet.forMethod(check)?.rule).toEqual(rule({ kind: "public" }));
    expect(ruleSet.forMethod(watch)).toEqual({
      method: watch,
      rpc: "grpc.health.v1.Health/Watch",
      rule: rule(scope("ops:read"), { callers: new Set(["ops"]), onTokenExpiry: "close" }),
      audience: "https://ops",
    });
  });

  it("add their service to the rule set", () => {
    const ruleSet = createRuleSet({
      services: services("Orders"),
      rules: [configure(health, { public: {} })],
    });
    expect(ruleSet.all.map(({ rpc }) => rpc)).toEqual([
      "test.v1.Orders/Get",
      "grpc.health.v1.Health/Check",
      "grpc.health.v1.Health/Watch",
    ]);
  });

  it("leave the other RPCs of their service without a rule, which is refused", () => {
    expect(refusedRules({ services: [], rules: [configure(check, { public: {} })] })).toEqual([
      `input.proto: grpc.health.v1.Health/Watch: ${noRule}`,
    ]);
  });

  it("are refused twice for one RPC, also by service and by method", () => {
    const twice = "has two configured rules; leave one";
    expect(
      refusedRules({ services: [], rules: [configure(health, { public: {} }), configure(watch, { public: {} })] }),
    ).toEqual([`input.proto: grpc.health.v1.Health/Watch: ${twice}`]);
    expect(
      refusedRules({ services: [], rules: [configure(health, { public: {} }), configure(health, { public: {} })] }),
    ).toEqual([
      `input.proto: grpc.health.v1.Health/Check: ${twice}`,
      `input.proto: grpc.health.v1.Health/Watch: ${twice}`,
    ]);
  });

  it.each<[string, unknown, string]>([
    ["an unknown field", { scop: "a" }, '"scop"'],
    ["an unknown field inside", { scopes: { any: [] } }, '"any"'],
    ["the wrong type", { scope: 1 }, "scope"],
    ["an unknown enum value", { authenticated: {}, onTokenExpiry: "CLOSE" }, '"CLOSE"'],
    ["two members of the oneof", { public: {}, scope: "a" }, "requirement"],
    ["text", "public", '"public"'],
    ["nothing", null, "null"],
    ["a list", [], "Array"],
  ])("are refused where their JSON is none of ours: %s", (_, json, cause) => {
    const problems = refusedRules({ services: [], rules: [configure(health, json as RuleJson)] });
    expect(problems).toHaveLength(1);
    expect(problems[0]).toMatch(
      /^input\.proto: grpc\.health\.v1\.Health: the configured rule is not a meshauth\.v1\.Rule: cannot decode /,
    );
    expect(problems[0]).toContain(cause);
  });

  it("are refused for what a rule in a proto is refused for", () => {
    expect(refusedRules({ services: [], rules: [configure(check, {}), configure(watch, { scope: "a b" })] })).toEqual([
      "input.proto: grpc.health.v1.Health/Check: " +
        "rule demands nothing; set exactly one of public, authenticated, scope, scopes",
      'input.proto: grpc.health.v1.Health/Watch: scope "a b" has blank space inside; use all_of for several scopes',
    ]);
  });

  it("are refused with a token expiry for a unary RPC, and taken for a streaming one", () => {
    const closing: RuleJson = { authenticated: {}, onTokenExpiry: "TOKEN_EXPIRY_CLOSE" };
    expect(
      refusedRules({ services: [], rules: [configure(check, closing, "a"), configure(watch, closing, "a")] }),
    ).toEqual(["input.proto: grpc.health.v1.Health/Check: on_token_expiry is for streaming RPCs; remove it here"]);
  });

  it("are refused beside a rule in the proto, of the RPC or of its service", () => {
    const charge = methodOf(service("Payments"), "Charge");
    const unary = methodOf(service("WithDefault"), "Unary");
    expect(
      refusedRules({
        services: services("Payments"),
        rules: [configure(charge, { public: {} }), configure(unary, { public: {} })],
      }),
    ).toEqual([
      `input.proto: test.v1.Payments/Charge: ${saidTwice}`,
      `input.proto: test.v1.WithDefault/Unary: ${saidTwice}`,
    ]);
  });

  it("are refused beside a default rule that is wrong itself", () => {
    const one = methodOf(service("BadDefault"), "One");
    expect(refusedRules({ services: [], rules: [configure(one, { public: {} })] })).toContain(
      `input.proto: test.v1.BadDefault/One: ${saidTwice}`,
    );
  });

  it("stand in where another option has put its data at our number", () => {
    const data = [occurrence(field(1))];
    const theirs = rawService({ method: data, service: data, dependencies: [] });
    const ruleSet = createRuleSet({
      services: [theirs],
      rules: [configure(theirs, { scope: "a" }, "https://theirs")],
    });
    expect(ruleSet.all).toMatchObject([{ rule: rule(scope("a")), audience: "https://theirs" }]);
  });

  it("stand in for single RPCs where another option has put its data at our number", () => {
    const theirs = compile(
      `syntax = "proto3"; package theirs.v1; import "theirs.proto"; message M {}
       service Theirs {
         option (theirs.v1.on_service) = 1;
         rpc One(M) returns (M) { option (theirs.v1.on_method) = 1; }
         rpc Two(M) returns (M) { option (theirs.v1.on_method) = 1; }
         rpc Three(M) returns (M);
       }`,
      {
        "meshauth/v1/options.proto": 'syntax = "proto3";',
        "theirs.proto": `syntax = "proto3"; package theirs.v1; import "google/protobuf/descriptor.proto";
          extend google.protobuf.MethodOptions { int32 on_method = ${optionNumber}; }
          extend google.protobuf.ServiceOptions { int32 on_service = ${optionNumber}; }`,
      },
    );
    const one = methodOf(serviceOf(theirs, "Theirs"), "One");
    expect(refusedRules({ services: [], rules: [configure(one, { public: {} })] })).toEqual([
      `input.proto: theirs.v1.Theirs/Two: ${foreign}`,
      `input.proto: theirs.v1.Theirs/Three: ${noRule}`,
    ]);
  });

  it("do not excuse annotations of ours that cannot be read", () => {
    const method = rawService({ method: [numberOccurrence(1)] });
    expect(refusedRules({ services: [], rules: [configure(method, { public: {} })] })).toEqual([
      `raw.proto: raw.v1.RawService/Call: ${doesNotDecode}`,
    ]);
    const damaged = rawService({ service: [numberOccurrence(1)] });
    expect(refusedRules({ services: [], rules: [configure(damaged, { public: {} })] })).toEqual([
      "raw.proto: raw.v1.RawService: (meshauth.v1.service) does not decode as meshauth.v1.Service; " +
        "build the descriptors again from the protos",
    ]);
    const blank = rawService({ service: [occurrence(field(1, "a b"))] });
    expect(refusedRules({ services: [], rules: [configure(blank, { public: {} })] })).toEqual([
      'raw.proto: raw.v1.RawService: audience "a b" has blank space or characters outside of ASCII',
    ]);
  });
});

describe("the audience of a configured rule", () => {
  const authenticated = { target: health, rule: { authenticated: {} } };
  const audiencesOf = (options: Parameters<typeof createRuleSet>[0]): (string | undefined)[] => {
    const ruleSet = createRuleSet(options);
    return [check, watch].map((method) => ruleSet.forMethod(method)?.audience);
  };

  it("is the one that is configured, whatever the services beside it have", () => {
    const rules = [{ ...authenticated, audience: "https://health" }];
    expect(audiencesOf({ services: services("Orders"), rules })).toEqual(["https://health", "https://health"]);
    expect(audiencesOf({ services: services("Orders", "Payments"), rules })).toEqual([
      "https://health",
      "https://health",
    ]);
  });

  it("is by default the one of the annotated service beside it", () => {
    expect(audiencesOf({ services: services("Orders"), rules: [authenticated] })).toEqual([
      "https://orders",
      "https://orders",
    ]);
  });

  it("is by default the one of the annotated services, where some have none because they are public", () => {
    expect(audiencesOf({ services: services("PublicOnly", "Orders"), rules: [authenticated] })).toEqual([
      "https://orders",
      "https://orders",
    ]);
  });

  it("is by default the one of its own service, but can be another", () => {
    const raw = rawService({ service: [occurrence(field(1, "https://raw"))] });
    const ruleSet = createRuleSet({
      services: services("Orders"),
      rules: [{ target: raw, rule: { authenticated: {} } }],
    });
    expect(ruleSet.forMethod(methodOf(raw))?.audience).toBe("https://raw");
    const configured = createRuleSet({
      services: [],
      rules: [{ target: raw, rule: { authenticated: {} }, audience: "https://configured" }],
    });
    expect(configured.forMethod(methodOf(raw))?.audience).toBe("https://configured");
  });

  it("must be given where there is none beside it", () => {
    const refused = [
      `input.proto: grpc.health.v1.Health/Check: ${noSingleAudience}`,
      `input.proto: grpc.health.v1.Health/Watch: ${noSingleAudience}`,
    ];
    expect(refusedRules({ services: [], rules: [authenticated] })).toEqual(refused);
    expect(refusedRules({ services: services("PublicOnly"), rules: [authenticated] })).toEqual(refused);
    expect(refusedRules({ services: services("Orders", "Payments"), rules: [authenticated] })).toEqual(refused);
  });

  it("must be given by name: that of another configured rule is not taken", () => {
    const rules = [
      { target: check, rule: { authenticated: {} }, audience: "https://health" },
      { target: watch, rule: { authenticated: {} } },
    ];
    expect(refusedRules({ services: [], rules })).toEqual([
      `input.proto: grpc.health.v1.Health/Watch: ${noSingleAudience}`,
    ]);
  });

  it("need not be given where the rule is public", () => {
    expect(audiencesOf({ services: [], rules: [{ target: health, rule: { public: {} } }] })).toEqual(["", ""]);
  });

  it("must be given where next demands a token", () => {
    expect(
      refusedRules({
        services: [],
        rules: [
          { target: check, rule: { public: {}, next: { scope: "a" } } },
          { target: watch, rule: { public: {}, next: { public: {} } } },
        ],
      }),
    ).toEqual([`input.proto: grpc.health.v1.Health/Check: ${noSingleAudience}`]);
  });

  it("is not missed only because the rules of the service that has it are wrong", () => {
    expect(refusedRules({ services: services("UnusedBadDefault", "AlsoBad"), rules: [authenticated] })).toEqual([
      "input.proto: test.v1.UnusedBadDefault: default_rule: " +
        "rule demands nothing; set exactly one of public, authenticated, scope, scopes",
      `input.proto: test.v1.AlsoBad/None: ${noRule}`,
    ]);
    const ruleless = rawService({ service: [occurrence(field(1, "https://raw"))] });
    expect(refusedRules({ services: [ruleless], rules: [authenticated] })).toEqual([
      `raw.proto: raw.v1.RawService/Call: ${noRule}`,
    ]);
  });

  it.each([
    ["", "is empty"],
    ["a b", '"a b" has blank space or characters outside of ASCII'],
    ["ä", '"ä" has blank space or characters outside of ASCII'],
  ])("is refused where it is malformed: %j", (audience, problem) => {
    expect(refusedRules({ services: [], rules: [{ ...authenticated, audience }] })).toEqual([
      `input.proto: grpc.health.v1.Health: the configured audience ${problem}`,
    ]);
    expect(refusedRules({ services: [], rules: [{ target: watch, rule: { scop: 1 } as RuleJson, audience }] })).toEqual(
      [
        `input.proto: grpc.health.v1.Health/Watch: the configured audience ${problem}`,
        expect.stringContaining("Health/Watch: the configured rule is not a meshauth.v1.Rule: "),
      ],
    );
  });
});

describe("two copies of one proto", () => {
  it("are refused: which of their rules counts must not depend on who looks", () => {
    const copy = (): DescService =>
      serviceOf(
        compileServices(`
          service Twice {
            option (meshauth.v1.service).audience = "https://twice";
            rpc Call(Empty) returns (Empty) { option (meshauth.v1.rule).scope = "twice"; }
          }`),
        "Twice",
      );
    expect(() => createRuleSet({ services: [copy(), copy()] })).toThrow(
      /Twice\/Call: comes from two copies of its proto; use the same one everywhere/,
    );
  });
});
