// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { create, type DescFile, type DescService, toBinary, type UnknownField } from "@bufbuild/protobuf";
import { WireType } from "@bufbuild/protobuf/wire";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  type Rule as RuleMessage,
  RuleSchema,
  rule as ruleExtension,
  ServiceSchema,
  service as serviceExtension,
  TokenExpiry,
} from "../../../src/gen/meshauth/v1/options_pb.js";
import { type Annotation, readRuleAnnotation, readServiceAnnotation } from "../../../src/rules/annotation.js";
import { compile, compileService, compileServices, methodOf, rawService, serviceOf } from "../../support/compile.js";
import { field, numberOccurrence, occurrence, optionNumber, varint } from "./wire.js";

const ruleDoesNotDecode =
  "(meshauth.v1.rule) does not decode as meshauth.v1.Rule; build the descriptors again from the protos";
const serviceDoesNotDecode =
  "(meshauth.v1.service) does not decode as meshauth.v1.Service; build the descriptors again from the protos";
const foreignReason =
  "carries data at extension number 518955728, but its file does not import meshauth/v1/options.proto: " +
  "another option uses the number of meshauth; nothing of it is read as a rule";

/** In one build a number has one extension: those of others can only be compiled where ours are not. */
const withoutOurs = { "meshauth/v1/options.proto": 'syntax = "proto3";' };

/** The rule of an RPC whose option data is these occurrences. */
function readRaw(method: readonly UnknownField[], dependencies?: readonly DescFile[]): Annotation<RuleMessage> {
  return readRuleAnnotation(methodOf(rawService({ method, ...(dependencies && { dependencies }) })));
}

function readRule(...parts: readonly Uint8Array[]): Annotation<RuleMessage> {
  return readRaw([occurrence(...parts)]);
}

function readService(...parts: readonly Uint8Array[]): ReturnType<typeof readServiceAnnotation> {
  return readServiceAnnotation(rawService({ service: [occurrence(...parts)] }));
}

function unreadable(reason: string): { kind: "unreadable"; reason: string } {
  return { kind: "unreadable", reason };
}

function unknown(name: string): { kind: "unreadable"; reason: string } {
  return unreadable(`has ${name}, which this version of meshauth does not know; update meshauth or remove it`);
}

describe("the extension number", () => {
  it("is the same for both options, and the one that was published", () => {
    expect([ruleExtension.number, serviceExtension.number]).toEqual([optionNumber, optionNumber]);
  });
});

describe("readRuleAnnotation", () => {
  const service = compileService(`
    service Everything {
      rpc Plain(Empty) returns (Empty);
      rpc Deprecated(Empty) returns (Empty) { option deprecated = true; }
      rpc Public(Empty) returns (Empty) { option (meshauth.v1.rule).public = {}; }
      rpc Authenticated(Empty) returns (Empty) { option (meshauth.v1.rule).authenticated = {}; }
      rpc Scope(Empty) returns (Empty) { option (meshauth.v1.rule).scope = "payments:write"; }
      rpc Scopes(Empty) returns (Empty) {
        option (meshauth.v1.rule) = {scopes: {any_of: [{all_of: "admin"}, {all_of: ["read", "write"]}]}};
      }
      rpc Whole(Empty) returns (stream Empty) {
        option (meshauth.v1.rule) = {
          authenticated: {}
          callers: ["order-service", "back-office"]
          on_token_expiry: TOKEN_EXPIRY_CLOSE
          next: {scope: "orders:watch"}
        };
      }
    }`);
  const read = (name: string): Annotation<RuleMessage> => readRuleAnnotation(methodOf(service, name));

  it("finds no annotation on an RPC without options", () => {
    expect(read("Plain")).toEqual({ kind: "absent" });
  });

  it("finds no annotation on an RPC that has only options of others", () => {
    expect(read("Deprecated")).toEqual({ kind: "absent" });
  });

  it("finds no annotation among unknown options at other numbers", () => {
    expect(readRaw([{ ...occurrence(field(1)), no: optionNumber + 1 }])).toEqual({ kind: "absent" });
  });

  it.each<[string, Parameters<typeof create<typeof RuleSchema>>[1]]>([
    ["Public", { requirement: { case: "public", value: {} } }],
    ["Authenticated", { requirement: { case: "authenticated", value: {} } }],
    ["Scope", { requirement: { case: "scope", value: "payments:write" } }],
    [
      "Scopes",
      {
        requirement: { case: "scopes", value: { anyOf: [{ allOf: ["admin"] }, { allOf: ["read", "write"] }] } },
      },
    ],
    [
      "Whole",
      {
        requirement: { case: "authenticated", value: {} },
        callers: ["order-service", "back-office"],
        onTokenExpiry: TokenExpiry.CLOSE,
        next: { requirement: { case: "scope", value: "orders:watch" } },
      },
    ],
  ])("reads the rule of the RPC %s as it is written", (name, rule) => {
    expect(read(name)).toEqual({ kind: "message", message: create(RuleSchema, rule) });
  });

  it("reads an annotation that sets nothing as an empty rule", () => {
    expect(readRule()).toEqual({ kind: "message", message: create(RuleSchema) });
  });

  it("merges occurrences that do not contradict each other", () => {
    expect(
      readRaw([
        occurrence(field(5, "a")),
        occurrence(field(4, field(1, field(1, "x"))), field(5, "b")),
        occurrence(field(4, field(1, field(1, "y"))), varint(6, 1)),
      ]),
    ).toEqual({
      kind: "message",
      message: create(RuleSchema, {
        requirement: { case: "scopes", value: { anyOf: [{ allOf: ["x"] }, { allOf: ["y"] }] } },
        callers: ["a", "b"],
        onTokenExpiry: TokenExpiry.KEEP,
      }),
    });
  });

  it("takes the same member of the oneof twice for what it is, no contradiction", () => {
    expect(readRaw([occurrence(field(1)), occurrence(field(1))])).toEqual({
      kind: "message",
      message: create(RuleSchema, { requirement: { case: "public", value: {} } }),
    });
  });
});

describe("readServiceAnnotation", () => {
  it("finds no annotation on a service without options", () => {
    expect(readServiceAnnotation(compileService("service Plain {}"))).toEqual({ kind: "absent" });
  });

  it("reads a service as it is written", () => {
    const service = compileService(`
      service Orders {
        option (meshauth.v1.service) = {
          audience: "https://orders.internal"
          client_id: "order-service"
          default_rule: {scope: "orders:read"}
          calls: [{rpc: "a.v1.A/B"}, {rpc: "a.v1.A/C" scopes: ["x", "y"]}]
        };
      }`);
    expect(readServiceAnnotation(service)).toEqual({
      kind: "message",
      message: create(ServiceSchema, {
        audience: "https://orders.internal",
        clientId: "order-service",
        defaultRule: { requirement: { case: "scope", value: "orders:read" } },
        calls: [{ rpc: "a.v1.A/B" }, { rpc: "a.v1.A/C", scopes: ["x", "y"] }],
      }),
    });
  });

  it("reads a service whose options stand in several statements", () => {
    const service = compileService(`
      service Orders {
        option (meshauth.v1.service).audience = "orders";
        option (meshauth.v1.service).default_rule.authenticated = {};
        option (meshauth.v1.service).default_rule.callers = "a";
        option (meshauth.v1.service).default_rule.callers = "b";
      }`);
    expect(readServiceAnnotation(service)).toEqual({
      kind: "message",
      message: create(ServiceSchema, {
        audience: "orders",
        defaultRule: { requirement: { case: "authenticated", value: {} }, callers: ["a", "b"] },
      }),
    });
  });
});

describe("contradictions on the wire", () => {
  const scopes = field(4, field(1, field(1, "x")));

  it.each<[string, Uint8Array, Uint8Array, string]>([
    ["public and authenticated", field(1), field(2), "public and authenticated"],
    ["authenticated and public", field(2), field(1), "authenticated and public"],
    ["public and scope", field(1), field(3, "x"), "public and scope"],
    ["scope and scopes", field(3, "x"), scopes, "scope and scopes"],
    ["scopes and public", scopes, field(1), "scopes and public"],
  ])("are refused: %s, in one occurrence, in two, and inside next", (_, first, second, names) => {
    const refused = unreadable(`sets ${names} at once; a rule says exactly one of them`);
    expect(readRule(first, second)).toEqual(refused);
    expect(readRaw([occurrence(first), occurrence(second)])).toEqual(refused);
    expect(readRule(field(3, "x"), field(7, first, second))).toEqual(refused);
  });

  it("are named all, however many there are", () => {
    expect(readRule(field(3, "x"), field(1), scopes, field(2))).toEqual(
      unreadable("sets scope and public and scopes and authenticated at once; a rule says exactly one of them"),
    );
  });

  it("are refused where next stands twice, once with each member", () => {
    const refused = unreadable("sets scope and public at once; a rule says exactly one of them");
    expect(readRule(field(2), field(7, field(3, "x")), field(7, field(1)))).toEqual(refused);
    expect(readRaw([occurrence(field(2), field(7, field(3, "x"))), occurrence(field(7, field(1)))])).toEqual(refused);
  });

  it("are refused in the default rule of a service, also over two occurrences", () => {
    const refused = unreadable("sets scope and public at once; a rule says exactly one of them");
    expect(readService(field(1, "a"), field(3, field(3, "x"), field(1)))).toEqual(refused);
    expect(readService(field(3, field(3, "x")), field(1, "a"), field(3, field(1)))).toEqual(refused);
    expect(
      readServiceAnnotation(
        rawService({ service: [occurrence(field(3, field(3, "x"))), occurrence(field(3, field(1)))] }),
      ),
    ).toEqual(refused);
    expect(readService(field(3, field(2), field(7, field(3, "x"), field(1))))).toEqual(refused);
  });

  it("are refused where a scope stands twice, the same one included", () => {
    const refused = unreadable("sets scope twice; say it once");
    expect(readRule(field(3, "x"), field(3, "y"))).toEqual(refused);
    expect(readRule(field(3, "x"), field(3, "x"))).toEqual(refused);
    expect(readRaw([occurrence(field(3, "x")), occurrence(field(3, "y"))])).toEqual(refused);
    expect(readRule(field(2), field(7, field(3, "x"), field(3, "y")))).toEqual(refused);
  });

  it("are refused where any other single value stands twice", () => {
    expect(readRule(field(2), varint(6, 1), varint(6, 2))).toEqual(
      unreadable("sets on_token_expiry twice; say it once"),
    );
    expect(readService(field(1, "a"), field(1, "b"))).toEqual(unreadable("sets audience twice; say it once"));
    expect(readService(field(2, "a"), field(2, "b"))).toEqual(unreadable("sets client_id twice; say it once"));
    expect(readService(field(2, "a"), field(4, field(1, "a.A/B"), field(1, "a.A/C")))).toEqual(
      unreadable("sets rpc twice; say it once"),
    );
  });

  it("are not seen between two entries of a list", () => {
    expect(readService(field(2, "me"), field(4, field(1, "a.A/B")), field(4, field(1, "a.A/C")))).toEqual({
      kind: "message",
      message: create(ServiceSchema, { clientId: "me", calls: [{ rpc: "a.A/B" }, { rpc: "a.A/C" }] }),
    });
  });
});

describe("data that does not decode", () => {
  const publicByNumber = varint(1, 0);

  it.each<[string, UnknownField]>([
    ["a number instead of a message", numberOccurrence(1)],
    ["the number zero, which looks like an empty message", numberOccurrence(0)],
    [
      "four bytes that look like a message",
      { no: optionNumber, wireType: WireType.Bit32, data: Uint8Array.of(3, 0x1a, 1, 0x78) },
    ],
    ["eight bytes instead of a message", { no: optionNumber, wireType: WireType.Bit64, data: new Uint8Array(8) }],
    ["a message that ends early", { ...occurrence(), data: Uint8Array.of(3, 0x1a, 5) }],
    ["nothing at all", { ...occurrence(), data: new Uint8Array(0) }],
    ["bytes behind the message", { ...occurrence(), data: Uint8Array.of(2, 0x0a, 0, 0) }],
    ["a value that ends early", occurrence(Uint8Array.of(0x1a, 5, 0x61))],
    ["a tag that ends early", occurrence(Uint8Array.of(0x80))],
    ["an impossible field number", occurrence(Uint8Array.of(0x02, 0))],
    ["an impossible wire type", occurrence(Uint8Array.of(0x0f, 0))],
    ["an unknown field that ends early", occurrence(Uint8Array.of(0x4a, 5))],
    ["an unknown group that never ends", occurrence(field(1), Uint8Array.of(0x4b))],
    ["text that is not UTF-8", occurrence(field(3, Uint8Array.of(0xff)))],
    ["a callers entry that is not UTF-8", occurrence(field(2), field(5, Uint8Array.of(0xc3)))],
    ["an inner message that ends early", occurrence(field(4, Uint8Array.of(0x0a, 9)))],
    ["an inner message that reaches into what follows", occurrence(field(4, Uint8Array.of(0x0a, 2)), field(5, ""))],
    ["scope as a number", occurrence(varint(3, 1))],
    ["on_token_expiry as text", occurrence(field(2), field(6, "x"))],
    ["scope as a group", occurrence(Uint8Array.of(0x1b, 0x1c))],
    ["next as a group", occurrence(field(2), Uint8Array.of(0x3b, 0x3c))],
    ["a number in the list of callers", occurrence(field(2), varint(5, 0))],
  ])("is refused: %s", (_, data) => {
    expect(readRaw([data])).toEqual(unreadable(ruleDoesNotDecode));
  });

  it("is refused where protobuf-es would read a number at field 1 as public", () => {
    expect(readRule(publicByNumber)).toEqual(unreadable(ruleDoesNotDecode));
    expect(readRule(field(3, "x"), field(7, publicByNumber))).toEqual(unreadable(ruleDoesNotDecode));
    expect(readService(field(1, "a"), field(3, publicByNumber))).toEqual(unreadable(serviceDoesNotDecode));
  });

  it("is refused where only one of several occurrences is damaged", () => {
    expect(readRaw([occurrence(field(3, "x")), numberOccurrence(1)])).toEqual(unreadable(ruleDoesNotDecode));
    expect(readRaw([numberOccurrence(1), occurrence(field(3, "x"))])).toEqual(unreadable(ruleDoesNotDecode));
  });

  it("is refused where rules are nested deeper than a decoder goes", () => {
    let nested = field(2);
    for (let depth = 0; depth < 120; depth++) nested = Buffer.concat([field(2), field(7, nested)]);
    expect(readRule(nested)).toEqual(unreadable(ruleDoesNotDecode));
  });

  it("is refused on a service", () => {
    expect(readServiceAnnotation(rawService({ service: [numberOccurrence(1)] }))).toEqual(
      unreadable(serviceDoesNotDecode),
    );
    expect(readService(varint(1, 7))).toEqual(unreadable(serviceDoesNotDecode));
  });
});

describe("fields that this version does not know", () => {
  const alien = field(99, "x");

  it.each<[string, Uint8Array[], string]>([
    ["on the rule", [field(3, "x"), alien], "field 99 of meshauth.v1.Rule"],
    ["on the rule, before all others", [alien, field(3, "x")], "field 99 of meshauth.v1.Rule"],
    ["on the rule, as a number", [field(3, "x"), varint(8, 1)], "field 8 of meshauth.v1.Rule"],
    ["on a rule that says nothing else", [alien], "field 99 of meshauth.v1.Rule"],
    ["inside public", [field(1, alien)], "field 99 of meshauth.v1.Public"],
    ["inside authenticated", [field(2, alien)], "field 99 of meshauth.v1.Authenticated"],
    ["inside scopes", [field(4, field(1, field(1, "x")), alien)], "field 99 of meshauth.v1.Scopes"],
    ["inside an alternative", [field(4, field(1, field(1, "x"), alien))], "field 99 of meshauth.v1.Alternative"],
    [
      "inside an alternative that is not the first",
      [field(4, field(1, field(1, "x")), field(1, field(1, "y"), alien))],
      "field 99 of meshauth.v1.Alternative",
    ],
    ["on next", [field(3, "x"), field(7, field(3, "y"), alien)], "field 99 of meshauth.v1.Rule"],
    [
      "inside an alternative of next",
      [field(3, "x"), field(7, field(4, field(1, field(1, "y"), alien)))],
      "field 99 of meshauth.v1.Alternative",
    ],
  ])("are refused %s", (_, parts, name) => {
    expect(readRule(...parts)).toEqual(unknown(name));
  });

  it.each<[string, Uint8Array[], string]>([
    ["on the service", [field(1, "a"), alien], "field 99 of meshauth.v1.Service"],
    ["on the default rule", [field(1, "a"), field(3, field(2), alien)], "field 99 of meshauth.v1.Rule"],
    [
      "inside a requirement of the default rule",
      [field(1, "a"), field(3, field(1, alien))],
      "field 99 of meshauth.v1.Public",
    ],
    [
      "in a calls entry",
      [field(2, "a"), field(4, field(1, "a.A/B")), field(4, field(1, "a.A/C"), alien)],
      "field 99 of meshauth.v1.Call",
    ],
  ])("are refused %s of a service annotation", (_, parts, name) => {
    expect(readService(...parts)).toEqual(unknown(name));
  });

  it("are refused whichever occurrence has them", () => {
    expect(readRaw([occurrence(alien), occurrence(field(3, "x"))])).toEqual(unknown("field 99 of meshauth.v1.Rule"));
    expect(readRaw([occurrence(field(3, "x")), occurrence(alien)])).toEqual(unknown("field 99 of meshauth.v1.Rule"));
  });
});

describe("data of another option at our number", () => {
  const foreign = { kind: "foreign", reason: foreignReason };

  function compileForeign(type: string, value: string): DescService {
    const file = compile(
      `syntax = "proto3";
       package theirs.v1;
       import "theirs/v1/theirs.proto";
       message Empty {}
       service Theirs {
         option (theirs.v1.on_service) = ${value};
         rpc Call(Empty) returns (Empty) { option (theirs.v1.on_method) = ${value}; }
       }`,
      {
        ...withoutOurs,
        "theirs/v1/theirs.proto": `syntax = "proto3";
          package theirs.v1;
          import "google/protobuf/descriptor.proto";
          message Visibility { Everyone everyone = 1; }
          message Everyone {}
          extend google.protobuf.MethodOptions { ${type} on_method = ${optionNumber}; }
          extend google.protobuf.ServiceOptions { ${type} on_service = ${optionNumber}; }`,
      },
    );
    return serviceOf(file, "Theirs");
  }

  it.each([
    ["a number", "int32", "1"],
    ["a message that would decode as public", "Visibility", "{everyone: {}}"],
    ["text that would decode as public", "string", '"\\n\\000"'],
  ])("is not read: %s", (_, type, value) => {
    const service = compileForeign(type, value);
    expect(readRuleAnnotation(methodOf(service))).toEqual(foreign);
    expect(readServiceAnnotation(service)).toEqual(foreign);
  });

  it("is not read in a file that imports nothing", () => {
    expect(readRaw([occurrence(field(1))], [])).toEqual(foreign);
    expect(readServiceAnnotation(rawService({ service: [occurrence(field(1, "a"))], dependencies: [] }))).toEqual(
      foreign,
    );
  });

  it.each([
    ["another name", "mine", "MethodOptions", optionNumber],
    ["another number", "rule", "MethodOptions", optionNumber + 1],
    ["another extendee", "rule", "ServiceOptions", optionNumber],
  ])("is not read where the imported option has %s", (_, name, extendee, number) => {
    const lookalike = compile(
      `syntax = "proto3";
       package meshauth.v1;
       import "google/protobuf/descriptor.proto";
       message Rule {}
       extend google.protobuf.${extendee} { Rule ${name} = ${number}; }`,
      withoutOurs,
    );
    expect(readRaw([occurrence(field(1))], [lookalike])).toEqual(foreign);
  });

  it("is not taken for ours because the file imports messages of ours, but not the option", () => {
    const messagesOnly = compile('syntax = "proto3"; package meshauth.v1; message Rule {}', withoutOurs);
    expect(readRaw([occurrence(field(1))], [messagesOnly])).toEqual(foreign);
  });
});

describe("visibility of our options file", () => {
  const message = {
    kind: "message",
    message: create(RuleSchema, { requirement: { case: "scope", value: "x" } }),
  };
  const ours = 'import "meshauth/v1/options.proto";';
  const publicOurs = 'import public "meshauth/v1/options.proto";';
  const head = 'syntax = "proto3"; package chain.v1;';

  /** Reads our data in a file that imports `imported`, out of `files`. */
  function readThrough(files: Record<string, string>, ...imported: string[]): Annotation<RuleMessage> {
    const file = compile(
      `${head} ${imported.map((name) => `import "${name}";`).join(" ")}`,
      Object.fromEntries(Object.entries(files).map(([name, body]) => [name, `${head} ${body}`])),
    );
    const method = methodOf(rawService({ method: [occurrence(field(3, "x"))] }));
    return readRuleAnnotation({ ...method, parent: { ...method.parent, file } });
  }

  it("is given by a direct import, and by one among others", () => {
    expect(readThrough({}, "meshauth/v1/options.proto")).toEqual(message);
    expect(readThrough({ "a.proto": "" }, "a.proto", "meshauth/v1/options.proto")).toEqual(message);
  });

  it("is given by a public import of an imported file", () => {
    expect(readThrough({ "a.proto": publicOurs }, "a.proto")).toEqual(message);
  });

  it("is given by a chain of public imports, and by a public import behind other imports", () => {
    expect(
      readThrough(
        {
          "a.proto": 'import "c.proto"; import public "d.proto"; import public "b.proto";',
          "b.proto": `import "c.proto"; ${publicOurs}`,
          "c.proto": "message C {}",
          "d.proto": "message D {}",
        },
        "c.proto",
        "a.proto",
      ),
    ).toEqual(message);
  });

  it("lets a compiled file use the option through a public import", () => {
    const file = compile(
      `${head} import "a.proto"; message M {}
       service S { rpc R(M) returns (M) { option (meshauth.v1.rule).scope = "x"; } }`,
      { "a.proto": `${head} ${publicOurs}` },
    );
    expect(readRuleAnnotation(methodOf(serviceOf(file, "S")))).toEqual(message);
  });

  it("is not given by an import of an imported file that is not public", () => {
    expect(readThrough({ "a.proto": ours }, "a.proto")).toMatchObject({ kind: "foreign" });
  });

  it("is not given by a chain with a link that is not public", () => {
    expect(readThrough({ "a.proto": 'import public "b.proto";', "b.proto": ours }, "a.proto")).toMatchObject({
      kind: "foreign",
    });
    expect(readThrough({ "a.proto": 'import "b.proto";', "b.proto": publicOurs }, "a.proto")).toMatchObject({
      kind: "foreign",
    });
  });

  it("is not given by a public import beside ours", () => {
    expect(
      readThrough({ "a.proto": `import public "b.proto"; ${ours}`, "b.proto": "message B {}" }, "a.proto"),
    ).toMatchObject({ kind: "foreign" });
  });

  it("is given by the option import of edition 2024", () => {
    const file = compile(
      `edition = "2024"; package test.v1; import option "meshauth/v1/options.proto"; message M {}
       service S {
         option (meshauth.v1.service).audience = "a";
         rpc R(M) returns (M) { option (meshauth.v1.rule).scope = "x"; }
       }`,
    );
    const service = serviceOf(file, "S");
    expect(readRuleAnnotation(methodOf(service))).toEqual(message);
    expect(readServiceAnnotation(service)).toEqual({
      kind: "message",
      message: create(ServiceSchema, { audience: "a" }),
    });
  });

  it("is not given by an option import of another file", () => {
    const file = compile(
      `edition = "2024"; package test.v1; import option "theirs.proto"; message M {}
       service S { rpc R(M) returns (M) { option (theirs.v1.on_method) = 1; } }`,
      {
        ...withoutOurs,
        "theirs.proto": `syntax = "proto3"; package theirs.v1; import "google/protobuf/descriptor.proto";
          extend google.protobuf.MethodOptions { int32 on_method = ${optionNumber}; }`,
      },
    );
    expect(readRuleAnnotation(methodOf(serviceOf(file, "S")))).toMatchObject({ kind: "foreign" });
  });

  it("is searched once per file, however many ways lead to it", () => {
    let searched = 0;
    const replaced = new Map<string, DescFile>();
    // The same files, of which the last one counts.
    function counting(file: DescFile): DescFile {
      const copy = replaced.get(file.name) ?? {
        ...file,
        dependencies: file.dependencies.map(counting),
        get extensions() {
          if (file.name === "d") searched++;
          return file.extensions;
        },
      };
      replaced.set(file.name, copy);
      return copy;
    }
    const file = compile(`${head} import "a.proto";`, {
      "a.proto": `${head} import public "b.proto"; import public "c.proto";`,
      "b.proto": `${head} import public "d.proto";`,
      "c.proto": `${head} import public "d.proto";`,
      "d.proto": head,
    });
    const method = methodOf(rawService({ method: [occurrence(field(3, "x"))] }));
    expect(readRuleAnnotation({ ...method, parent: { ...method.parent, file: counting(file) } }).kind).toBe("foreign");
    expect(searched).toBe(1);
  });
});

describe("any data", () => {
  type Part =
    | { readonly kind: "public" | "authenticated" | "unknown" }
    | { readonly kind: "scope" | "callers"; readonly text: string }
    | { readonly kind: "scopes"; readonly anyOf: readonly (readonly string[])[] }
    | { readonly kind: "expiry"; readonly value: number }
    | { readonly kind: "next"; readonly parts: readonly Part[] };

  const text = fc.string({ maxLength: 4 });
  const { parts } = fc.letrec<{ part: Part; parts: readonly Part[] }>((tie) => ({
    parts: fc.array(tie("part"), { maxLength: 3, depthIdentifier: "rule" }),
    part: fc.oneof(
      { depthIdentifier: "rule", maxDepth: 3 },
      fc.record({ kind: fc.constantFrom("public" as const, "authenticated" as const) }),
      fc.record({ kind: fc.constantFrom("scope" as const, "callers" as const), text }),
      fc.record({ kind: fc.constant("callers" as const), text }),
      fc.record({
        kind: fc.constant("scopes" as const),
        anyOf: fc.array(fc.array(text, { maxLength: 2 }), { maxLength: 2 }),
      }),
      fc.record({ kind: fc.constant("expiry" as const), value: fc.integer() }),
      fc.record({ kind: fc.constant("next" as const), parts: tie("parts") }),
      { arbitrary: fc.constant({ kind: "unknown" as const }), weight: 1 },
    ),
  }));

  function encode(part: Part): Uint8Array {
    switch (part.kind) {
      case "public":
        return field(1);
      case "authenticated":
        return field(2);
      case "scope":
        return field(3, part.text);
      case "scopes":
        return field(4, ...part.anyOf.map((allOf) => field(1, ...allOf.map((scope) => field(1, scope)))));
      case "callers":
        return field(5, part.text);
      case "expiry":
        return varint(6, part.value);
      case "next":
        return field(7, ...part.parts.map(encode));
      case "unknown":
        return field(8, "x");
    }
  }

  /** What may not be in a rule, said without a look at the wire. */
  function acceptable(rule: readonly Part[]): boolean {
    const count = (kind: Part["kind"]): number => rule.filter((part) => part.kind === kind).length;
    const members = (["public", "authenticated", "scope", "scopes"] as const).filter((kind) => count(kind) > 0);
    const next = rule.flatMap((part) => (part.kind === "next" ? [part] : []));
    return (
      members.length <= 1 &&
      count("scope") <= 1 &&
      count("expiry") <= 1 &&
      count("unknown") === 0 &&
      (next.length === 0 || acceptable(next.flatMap(({ parts: inside }) => inside)))
    );
  }

  it("is a message exactly if nothing in it is unknown or said twice, however it is split", () => {
    fc.assert(
      fc.property(fc.array(parts, { minLength: 1, maxLength: 3 }), (occurrences) => {
        const annotation = readRaw(occurrences.map((each) => occurrence(...each.map(encode))));
        expect(annotation.kind).toBe(acceptable(occurrences.flat()) ? "message" : "unreadable");
      }),
      { numRuns: 500 },
    );
  });

  it("never makes reading throw, and is a message only without unknown fields", () => {
    const anyField = fc.record({
      no: fc.constant(optionNumber),
      wireType: fc.constantFrom(WireType.Varint, WireType.Bit64, WireType.LengthDelimited, WireType.StartGroup),
      data: fc.uint8Array({ maxLength: 12 }),
    });
    const anyBytes = fc.uint8Array({ maxLength: 24 }).map((bytes) => occurrence(bytes));
    // Bytes that look like a rule, with one of them changed.
    const damaged = fc.tuple(parts, fc.nat(), fc.nat(255)).map(([rule, position, value]) => {
      const bytes = Buffer.concat(rule.map(encode));
      if (bytes.length > 0) bytes[position % bytes.length] = value;
      return occurrence(bytes);
    });
    fc.assert(
      fc.property(fc.array(fc.oneof(anyField, anyBytes, damaged), { minLength: 1, maxLength: 3 }), (fields) => {
        const annotation = readRaw(fields);
        expect(annotation.kind).toMatch(/^(message|unreadable)$/);
        if (annotation.kind !== "message") return;
        expect(JSON.stringify(annotation.message)).not.toContain("$unknown");
        // Everything that was there is in the message: written anew, it is read as the same.
        expect(readRule(toBinary(RuleSchema, annotation.message))).toEqual(annotation);
      }),
      { numRuns: 1000 },
    );
  });

  it("is never read without an import of our options file", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 16 }), (bytes) => {
        expect(readRaw([occurrence(bytes)], []).kind).toBe("foreign");
      }),
    );
  });
});

describe("services of one file", () => {
  it("keep their annotations apart", () => {
    const file = compileServices(`
      service One {
        option (meshauth.v1.service).audience = "one";
        rpc Call(Empty) returns (Empty) { option (meshauth.v1.rule).public = {}; }
      }
      service Two { rpc Call(Empty) returns (Empty); }`);
    const two = serviceOf(file, "Two");
    expect(readServiceAnnotation(two)).toEqual({ kind: "absent" });
    expect(readRuleAnnotation(methodOf(two))).toEqual({ kind: "absent" });
  });
});
