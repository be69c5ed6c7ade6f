// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { create } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { CallSchema, RuleSchema } from "../../../src/gen/meshauth/v1/options_pb.js";
import { clientIdOf, parseCalls, parseServiceIdentity } from "../../../src/rules/service-identity.js";
import { compileServices, rawService, serviceOf } from "../../support/compile.js";
import { refusal } from "./refusal.js";
import { field, numberOccurrence, occurrence } from "./wire.js";

const file = compileServices(`
  service Nobody {}
  service AudienceOnly { option (meshauth.v1.service).audience = "https://payment.internal"; }
  service ClientOnly { option (meshauth.v1.service).client_id = "batch"; }
  service DefaultOnly { option (meshauth.v1.service).default_rule.public = {}; }
  service Whole {
    option (meshauth.v1.service) = {
      audience: "orders"
      client_id: "order-service"
      default_rule: {scope: "orders:read"}
      calls: [{rpc: "pay.v1.PaymentService/Charge"}, {rpc: "Stock/Reserve_2" scopes: ["a", "b"]}]
    };
  }
  service Empty1 { option (meshauth.v1.service) = {}; }
  service EmptyTexts { option (meshauth.v1.service) = {audience: "" client_id: ""}; }
  service CallsOnly { option (meshauth.v1.service) = {calls: {rpc: "a.v1.A/B"}}; }
  service AllWrong {
    option (meshauth.v1.service) = {
      audience: "my audience"
      client_id: "caf\\303\\251"
      calls: [{rpc: "a.v1.A.B"}, {rpc: "a.v1.A/C"}, {rpc: "a.v1.A/C" scopes: "x"}]
    };
  }
  service BrokenDefault {
    option (meshauth.v1.service).audience = "a";
    option (meshauth.v1.service).default_rule.callers = "";
  }`);

const unannotated = { audience: undefined, clientId: undefined, defaultRule: undefined, calls: [] };

describe("parseServiceIdentity", () => {
  it.each<[string, object]>([
    ["Nobody", unannotated],
    ["AudienceOnly", { ...unannotated, audience: "https://payment.internal" }],
    ["ClientOnly", { ...unannotated, clientId: "batch" }],
    [
      "DefaultOnly",
      { ...unannotated, defaultRule: create(RuleSchema, { requirement: { case: "public", value: {} } }) },
    ],
    [
      "Whole",
      {
        audience: "orders",
        clientId: "order-service",
        defaultRule: create(RuleSchema, { requirement: { case: "scope", value: "orders:read" } }),
        calls: [
          { rpc: "pay.v1.PaymentService/Charge", scopes: [] },
          { rpc: "Stock/Reserve_2", scopes: ["a", "b"] },
        ],
      },
    ],
    ["BrokenDefault", { ...unannotated, audience: "a", defaultRule: create(RuleSchema, { callers: [""] }) }],
  ])("reads the service %s", (name, identity) => {
    expect(parseServiceIdentity(serviceOf(file, name))).toEqual(identity);
  });

  it.each(["Empty1", "EmptyTexts"])("refuses an annotation that says nothing: %s", (name) => {
    expect(parseServiceIdentity(serviceOf(file, name))).toEqual({
      problems: ["(meshauth.v1.service) is empty; set at least its audience, or remove it"],
    });
  });

  it("refuses calls without a client id", () => {
    expect(parseServiceIdentity(serviceOf(file, "CallsOnly"))).toEqual({
      problems: ["calls needs a client_id: who is it that calls?"],
    });
  });

  it("lists everything that is wrong at once", () => {
    expect(parseServiceIdentity(serviceOf(file, "AllWrong"))).toEqual({
      problems: [
        'audience "my audience" has blank space or characters outside of ASCII',
        'client_id "café" has blank space or characters outside of ASCII',
        'calls has the rpc "a.v1.A.B"; write it as "package.Service/Method"',
        "calls lists a.v1.A/C twice",
      ],
    });
  });

  it("refuses data that does not decode, and data of another option", () => {
    expect(parseServiceIdentity(rawService({ service: [numberOccurrence(1)] }))).toEqual({
      problems: [
        "(meshauth.v1.service) does not decode as meshauth.v1.Service; build the descriptors again from the protos",
      ],
    });
    expect(parseServiceIdentity(rawService({ service: [occurrence(field(1, "a"))], dependencies: [] }))).toEqual({
      problems: [
        "carries data at extension number 518955728, but its file does not import meshauth/v1/options.proto: " +
          "another option uses the number of meshauth; nothing of it is read as a rule",
      ],
    });
  });
});

describe("parseCalls", () => {
  function parse(...rpcs: string[]): string[] {
    const problems: string[] = [];
    const calls = parseCalls(
      rpcs.map((rpc) => create(CallSchema, { rpc })),
      problems,
    );
    expect(calls).toEqual(rpcs.map((rpc) => ({ rpc, scopes: [] })));
    return problems;
  }

  it("accepts RPCs of services with and without a package", () => {
    expect(parse("a.b_c.v1.Service/Method", "Service/Method", "S1/M_2")).toEqual([]);
  });

  it.each([
    "",
    "Charge",
    "/a.v1.A/Charge",
    "a.v1.A/",
    "/Charge",
    "a.v1.A/B/C",
    "a.v1.A/B.C",
    "a.v1.A /B",
    "a.v1.A/B\n",
    "https://a/B",
    "a.v1.A/*",
  ])("refuses the RPC %j", (rpc) => {
    expect(parse(rpc)).toEqual([`calls has the rpc ${JSON.stringify(rpc)}; write it as "package.Service/Method"`]);
  });

  it("refuses an RPC that stands twice, once for every time too many", () => {
    expect(parse("a.A/B", "a.A/C", "a.A/B", "a.A/B")).toEqual(["calls lists a.A/B twice", "calls lists a.A/B twice"]);
  });
});

describe("clientIdOf", () => {
  it("is the client id that the proto declares", () => {
    expect(clientIdOf(serviceOf(file, "Whole"))).toBe("order-service");
  });

  it.each(["Nobody", "AudienceOnly"])("refuses a service that declares none: %s", (name) => {
    expect(refusal(() => clientIdOf(serviceOf(file, name)))).toEqual([
      `input.proto: test.v1.${name}: has no client_id; set it in option (meshauth.v1.service)`,
    ]);
  });

  it("refuses a service whose annotation is wrong, with everything that is", () => {
    expect(refusal(() => clientIdOf(serviceOf(file, "AllWrong")))).toEqual([
      'input.proto: test.v1.AllWrong: audience "my audience" has blank space or characters outside of ASCII',
      'input.proto: test.v1.AllWrong: client_id "café" has blank space or characters outside of ASCII',
      'input.proto: test.v1.AllWrong: calls has the rpc "a.v1.A.B"; write it as "package.Service/Method"',
      "input.proto: test.v1.AllWrong: calls lists a.v1.A/C twice",
    ]);
  });
});
