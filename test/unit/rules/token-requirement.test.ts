// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import type { DescMethod } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import type { Requirement, Rule } from "../../../src/rules/rule.js";
import type { ConfiguredRule } from "../../../src/rules/rule-set.js";
import { createTokenRequirements, requestedScopes } from "../../../src/rules/token-requirement.js";
import { compile, compileServices, methodOf, serviceOf } from "../../support/compile.js";
import { refusal } from "./refusal.js";

const file = compileServices(`
  service Payments {
    option (meshauth.v1.service).audience = "https://payments";
    rpc One(Empty) returns (Empty) { option (meshauth.v1.rule).scope = "payments:write"; }
    rpc Several(Empty) returns (Empty) {
      option (meshauth.v1.rule) = {scopes: {any_of: [{all_of: "z"}, {all_of: ["b", "a"]}, {all_of: ["a", "b", "c"]}]}};
    }
    rpc Authenticated(Empty) returns (Empty) { option (meshauth.v1.rule).authenticated = {}; }
    rpc Public(Empty) returns (Empty) { option (meshauth.v1.rule) = {public: {} next: {scope: "n"}}; }
    rpc Uncalled(Empty) returns (Empty) { option (meshauth.v1.rule).scope = "payments:uncalled"; }
  }
  service Ruleless {
    option (meshauth.v1.service).audience = "https://ruleless";
    rpc None(Empty) returns (Empty);
    rpc Fine(Empty) returns (Empty) { option (meshauth.v1.rule).authenticated = {}; }
  }
  service Caller {
    option (meshauth.v1.service) = {
      client_id: "caller"
      calls: [{rpc: "test.v1.Payments/Several" scopes: ["a", "b"]}, {rpc: "test.v1.Payments/One"}]
    };
  }
  service WrongCaller {
    option (meshauth.v1.service) = {
      client_id: "wrong-caller"
      calls: [
        {rpc: "test.v1.Payments/Several" scopes: ["a", "z"]},
        {rpc: "test.v1.Payments/Authenticated" scopes: "x"},
        {rpc: "test.v1.Payments/Public" scopes: "x"}
      ]
    };
  }
  service ManyCalls {
    option (meshauth.v1.service) = {
      client_id: "many-calls"
      calls: [
        {rpc: "test.v1.Payments/One"},
        {rpc: "test.v1.Payments/Several" scopes: ["a", "b"]},
        {rpc: "test.v1.Payments/Public"},
        {rpc: "test.v1.Payments/Authenticated"},
        {rpc: "test.v1.Ruleless/Fine"},
        {rpc: "grpc.health.v1.Health/Check"},
        {rpc: "grpc.health.v1.Health/Watch"}
      ]
    };
  }
  service BrokenCaller { option (meshauth.v1.service) = {client_id: "a b" calls: {rpc: "nothing"}}; }`);

const payments = serviceOf(file, "Payments");
const health = serviceOf(
  compile(`
    syntax = "proto3";
    package grpc.health.v1;
    message M {}
    service Health { rpc Check(M) returns (M); rpc Watch(M) returns (stream M); }`),
  "Health",
);

function rpc(name: string): DescMethod {
  return methodOf(payments, name);
}

describe("createTokenRequirements", () => {
  it("asks for the audience of the service and the scope of the RPC", () => {
    expect(createTokenRequirements()(rpc("One"))).toEqual({
      audience: "https://payments",
      scopes: ["payments:write"],
    });
  });

  it("asks for the first of several alternatives, as it is written", () => {
    expect(createTokenRequirements()(rpc("Several"))).toEqual({ audience: "https://payments", scopes: ["z"] });
  });

  it("asks for no scope where any valid token will do", () => {
    expect(createTokenRequirements()(rpc("Authenticated"))).toEqual({ audience: "https://payments", scopes: [] });
  });

  it("asks for no token where the RPC is public, whatever is next", () => {
    expect(createTokenRequirements()(rpc("Public"))).toBeUndefined();
  });

  it("asks for the alternative that the calls of the service name, as the rule writes it", () => {
    const requirements = createTokenRequirements({ service: serviceOf(file, "Caller") });
    expect(requirements(rpc("Several"))).toEqual({ audience: "https://payments", scopes: ["b", "a"] });
    expect(requirements(rpc("One"))).toEqual({ audience: "https://payments", scopes: ["payments:write"] });
  });

  it("asks for what it would ask for anyway where the calls of the service do not name the RPC", () => {
    const requirements = createTokenRequirements({ service: serviceOf(file, "Caller") });
    expect(requirements(rpc("Authenticated"))).toEqual({ audience: "https://payments", scopes: [] });
    expect(requirements(rpc("Public"))).toBeUndefined();
  });

  it("refuses a call whose entry names an alternative that the rule does not have", () => {
    const requirements = createTokenRequirements({ service: serviceOf(file, "WrongCaller") });
    expect(refusal(() => requirements(rpc("Several")))).toEqual([
      "input.proto: test.v1.Payments/Several: has no alternative a z, which a calls entry asks for",
    ]);
    for (const name of ["Authenticated", "Public"]) {
      expect(refusal(() => requirements(rpc(name)))).toEqual([
        `input.proto: test.v1.Payments/${name}: has no alternatives, yet a calls entry names scopes for it`,
      ]);
    }
    expect(requirements(rpc("One"))).toEqual({ audience: "https://payments", scopes: ["payments:write"] });
  });

  it("refuses a calling service whose annotation is wrong, before any call", () => {
    expect(refusal(() => createTokenRequirements({ service: serviceOf(file, "BrokenCaller") }))).toEqual([
      'input.proto: test.v1.BrokenCaller: client_id "a b" has blank space or characters outside of ASCII',
      'input.proto: test.v1.BrokenCaller: calls has the rpc "nothing"; write it as "package.Service/Method"',
    ]);
  });

  it("refuses every RPC of a service of which one has no rule, at every call", () => {
    const requirements = createTokenRequirements();
    const ruleless = serviceOf(file, "Ruleless");
    for (const name of ["None", "Fine", "None"]) {
      expect(refusal(() => requirements(methodOf(ruleless, name)))).toEqual([
        "input.proto: test.v1.Ruleless/None: has no rule; add option (meshauth.v1.rule) to the RPC, " +
          "default_rule to its service, or, for a proto that is not yours, a rule in configuration",
      ]);
    }
    expect(requirements(rpc("One"))).toBeDefined();
  });

  it("refuses an RPC that is not one of its service's descriptor", () => {
    const stranger = { ...rpc("One"), name: "Stranger" };
    expect(refusal(() => createTokenRequirements()(stranger))).toEqual([
      "input.proto: test.v1.Payments/Stranger: is not an RPC of its service's descriptor",
    ]);
  });

  it("remembers the rules of a service: they are read at its first call only", () => {
    let reads = 0;
    const method = rpc("One");
    const parent = {
      ...method.parent,
      // Whoever reads rules goes through the RPCs.
      get methods() {
        reads++;
        return [first, second];
      },
    };
    const first: DescMethod = { ...method, parent };
    const second: DescMethod = { ...rpc("Authenticated"), parent };
    const requirements = createTokenRequirements();
    expect(reads).toBe(0);
    expect(requirements(first)).toEqual({ audience: "https://payments", scopes: ["payments:write"] });
    const readsOfFirstCall = reads;
    expect(readsOfFirstCall).toBeGreaterThan(0);
    expect(requirements(first)).toEqual({ audience: "https://payments", scopes: ["payments:write"] });
    expect(requirements(second)).toEqual({ audience: "https://payments", scopes: [] });
    expect(reads).toBe(readsOfFirstCall);
  });

  it("remembers what an RPC needs: it is the same object at every call", () => {
    const requirements = createTokenRequirements();
    expect(requirements(rpc("One"))).toBe(requirements(rpc("One")));
    expect(requirements(rpc("One"))).not.toBe(requirements(rpc("Several")));
  });

  it("remembers nothing of a failure", () => {
    const requirements = createTokenRequirements({ service: serviceOf(file, "WrongCaller") });
    for (const _ of ["first", "second"]) expect(refusal(() => requirements(rpc("Several")))).toHaveLength(1);
  });
});

describe("tokenPer", () => {
  const caller = serviceOf(file, "ManyCalls");

  it("is by default the RPC", () => {
    expect(createTokenRequirements({ service: caller, tokenPer: "rpc" })(rpc("One"))).toEqual(
      createTokenRequirements({ service: caller })(rpc("One")),
    );
    expect(createTokenRequirements({ service: caller, tokenPer: "rpc" })(rpc("One"))).toEqual({
      audience: "https://payments",
      scopes: ["payments:write"],
    });
  });

  it('"service" asks for what all calls of that service need, sorted and each once, and for nothing that is not called', () => {
    const requirements = createTokenRequirements({ service: caller, tokenPer: "service" });
    const expected = { audience: "https://payments", scopes: ["a", "b", "payments:write"] };
    expect(requirements(rpc("One"))).toEqual(expected);
    expect(requirements(rpc("Several"))).toEqual(expected);
    expect(requirements(rpc("Authenticated"))).toEqual(expected);
  });

  it('"service" asks for what the RPC itself needs where calls do not name it', () => {
    const requirements = createTokenRequirements({ service: caller, tokenPer: "service" });
    expect(requirements(rpc("Uncalled"))).toEqual({
      audience: "https://payments",
      scopes: ["a", "b", "payments:uncalled", "payments:write"],
    });
  });

  it('"service" asks for the scopes of its audience only', () => {
    const watch = methodOf(health, "Watch");
    const rules: ConfiguredRule[] = [
      { target: methodOf(health, "Check"), rule: { scope: "check" }, audience: "https://check" },
      { target: watch, rule: { scope: "watch" }, audience: "https://watch" },
    ];
    const requirements = createTokenRequirements({ service: caller, tokenPer: "service", rules });
    expect(requirements(watch)).toEqual({ audience: "https://watch", scopes: ["watch"] });
  });

  it('"service" refuses every call of a service of which one entry names an alternative that there is not', () => {
    const requirements = createTokenRequirements({ service: serviceOf(file, "WrongCaller"), tokenPer: "service" });
    expect(refusal(() => requirements(rpc("One")))).toEqual([
      "input.proto: test.v1.Payments/Several: has no alternative a z, which a calls entry asks for",
    ]);
  });

  it('"service" needs the service whose calls it is about', () => {
    expect(() => createTokenRequirements({ tokenPer: "service" })).toThrow(
      new TypeError('tokenPer "service" needs service: its calls say what the token is for'),
    );
  });

  it('"audience" asks for no scopes, whatever the RPC needs, and needs no service', () => {
    const requirements = createTokenRequirements({ tokenPer: "audience" });
    for (const name of ["One", "Several", "Authenticated"]) {
      expect(requirements(rpc(name))).toEqual({ audience: "https://payments", scopes: [] });
    }
  });

  it.each(["rpc", "service", "audience"] as const)("%j asks for no token where the RPC is public", (tokenPer) => {
    expect(createTokenRequirements({ service: caller, tokenPer })(rpc("Public"))).toBeUndefined();
  });
});

describe("configured rules of a client", () => {
  const check = methodOf(health, "Check");
  const watch = methodOf(health, "Watch");

  it("say which token a service needs whose proto cannot", () => {
    const rules: ConfiguredRule[] = [
      { target: check, rule: { public: {} } },
      { target: watch, rule: { scope: "ops:read" }, audience: "https://ops" },
    ];
    const requirements = createTokenRequirements({ rules });
    expect(requirements(check)).toBeUndefined();
    expect(requirements(watch)).toEqual({ audience: "https://ops", scopes: ["ops:read"] });
  });

  it("are taken for their own service only, by service too", () => {
    const rules: ConfiguredRule[] = [{ target: health, rule: { authenticated: {} }, audience: "https://ops" }];
    const requirements = createTokenRequirements({ rules });
    expect(requirements(rpc("One"))).toEqual({ audience: "https://payments", scopes: ["payments:write"] });
    expect(requirements(check)).toEqual({ audience: "https://ops", scopes: [] });
  });

  it("do not trouble the calls of other services where they are wrong", () => {
    const rules: ConfiguredRule[] = [{ target: check, rule: {} }];
    const requirements = createTokenRequirements({ rules });
    expect(requirements(rpc("Authenticated"))).toEqual({ audience: "https://payments", scopes: [] });
    expect(refusal(() => requirements(check))[0]).toBe(
      "input.proto: grpc.health.v1.Health/Check: " +
        "rule demands nothing; set exactly one of public, authenticated, scope, scopes",
    );
  });
});

describe("requestedScopes", () => {
  function rule(requirement: Requirement): Rule {
    return { requirement, callers: undefined, onTokenExpiry: "keep", next: undefined };
  }
  const several = rule({ kind: "scopes", anyOf: [["z"], ["b", "a"]] });

  it("is the first alternative where none is named, as it is written", () => {
    expect(requestedScopes(rule({ kind: "scopes", anyOf: [["b", "a"], ["z"]] }), [])).toEqual(["b", "a"]);
  });

  it.each([[["b", "a"]], [["a", "b"]]])("finds a named alternative in whatever order: %j", (named) => {
    expect(requestedScopes(several, named)).toEqual(["b", "a"]);
  });

  it("finds the first alternative by its name, too", () => {
    expect(requestedScopes(several, ["z"])).toEqual(["z"]);
  });

  it.each([
    ["a part of an alternative", ["a"]],
    ["more than an alternative", ["a", "b", "z"]],
    ["a scope twice", ["a", "a"]],
    ["two alternatives mixed", ["z", "a"]],
    ["another case", ["Z"]],
    ["an alternative in one string", ["b a"]],
    ["an empty scope", [""]],
  ])("does not take %s for an alternative", (_, named) => {
    expect(requestedScopes(several, named)).toEqual({
      problem: `has no alternative ${named.join(" ")}, which a calls entry asks for`,
    });
  });

  it("is empty for a rule without alternatives, which parsing refuses and nobody meets", () => {
    expect(requestedScopes(rule({ kind: "scopes", anyOf: [] }), [])).toEqual([]);
  });

  it("is empty where any valid token will do, and nothing where the RPC is public", () => {
    expect(requestedScopes(rule({ kind: "authenticated" }), [])).toEqual([]);
    expect(requestedScopes(rule({ kind: "public" }), [])).toBeUndefined();
  });

  it.each<Requirement>([{ kind: "authenticated" }, { kind: "public" }])("cannot be named for %j", (requirement) => {
    expect(requestedScopes(rule(requirement), ["a"])).toEqual({
      problem: "has no alternatives, yet a calls entry names scopes for it",
    });
  });
});
