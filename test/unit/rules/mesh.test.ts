// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import type { DescFile, DescService } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import type { MeshJson } from "../../../src/gen/meshauth/v1/mesh_pb.js";
import { type Mesh, readMesh } from "../../../src/rules/mesh.js";
import { compileServices, serviceOf } from "../../support/compile.js";
import { refusal } from "./refusal.js";

const file = compileServices(`
  service Payments {
    option (meshauth.v1.service).audience = "https://payments";
    rpc Charge(Empty) returns (Empty) { option (meshauth.v1.rule) = {scope: "payments:write" callers: ["orders"]}; }
    rpc Refund(Empty) returns (Empty) {
      option (meshauth.v1.rule) = {
        scopes: {any_of: [{all_of: "payments:admin"}, {all_of: ["payments:write", "payments:refund"]}]}
        next: {scope: "payments:audit" callers: ["back-office"]}
      };
    }
    rpc Ping(Empty) returns (Empty) { option (meshauth.v1.rule).authenticated = {}; }
    rpc Quote(Empty) returns (Empty) { option (meshauth.v1.rule).public = {}; }
  }
  service Ledger {
    option (meshauth.v1.service).audience = "https://payments";
    rpc Read(Empty) returns (Empty) { option (meshauth.v1.rule).scope = "ledger:read"; }
  }
  service Stock {
    option (meshauth.v1.service) = {
      audience: "https://stock"
      client_id: "stock"
      default_rule: {scope: "stock:read"}
      calls: {rpc: "test.v1.Payments/Ping"}
    };
    rpc Count(Empty) returns (Empty);
  }
  service Orders {
    option (meshauth.v1.service) = {
      audience: "https://orders"
      client_id: "orders"
      calls: [
        {rpc: "test.v1.Payments/Refund" scopes: ["payments:refund", "payments:write"]},
        {rpc: "test.v1.Payments/Charge"},
        {rpc: "test.v1.Ledger/Read"},
        {rpc: "test.v1.Payments/Ping"},
        {rpc: "test.v1.Payments/Quote"},
        {rpc: "test.v1.Stock/Count"}
      ]
    };
    rpc Get(Empty) returns (Empty) { option (meshauth.v1.rule).authenticated = {}; }
  }
  service Site {
    rpc Page(Empty) returns (Empty) { option (meshauth.v1.rule).public = {}; }
  }`);

const all = file.services;
const payments = serviceOf(file, "Payments");
const backOffice: MeshJson = {
  clients: [{ clientId: "back-office", calls: [{ rpc: "test.v1.Payments/Refund" }] }, { clientId: "orders-batch" }],
};

/** Services of the package test.v1 that call, beside the service Api, whose clients they are. */
function withApi(services: string): DescFile {
  return compileServices(`
    service Api {
      option (meshauth.v1.service).audience = "https://api";
      rpc Read(Empty) returns (Empty) { option (meshauth.v1.rule) = {scope: "api:read" callers: "reader"}; }
      rpc Write(Empty) returns (Empty) { option (meshauth.v1.rule).scope = "api:write"; }
      rpc Any(Empty) returns (Empty) { option (meshauth.v1.rule).authenticated = {}; }
      rpc Public(Empty) returns (Empty) { option (meshauth.v1.rule).public = {}; }
    }
    ${services}`);
}

const api = withApi("").services;
const reader = { clientId: "reader" };

function refusedMesh(services: readonly DescService[], mesh?: MeshJson): string[] {
  return refusal(() => readMesh({ services, ...(mesh && { mesh }) }));
}

describe("readMesh", () => {
  const mesh: Mesh = readMesh({ services: all, mesh: backOffice });

  it("knows every client of the protos and of the mesh file", () => {
    expect([...mesh.clients.keys()]).toEqual(["stock", "orders", "back-office", "orders-batch"]);
    expect(mesh.clients.get("orders")).toMatchObject({ clientId: "orders", service: serviceOf(file, "Orders") });
    expect(mesh.clients.get("back-office")).toMatchObject({ clientId: "back-office", service: undefined });
  });

  it("grants a client the union, per audience, of what its calls ask for, sorted, and nothing more", () => {
    expect(mesh.clients.get("orders")?.grants).toEqual(
      new Map([
        ["https://payments", ["ledger:read", "payments:refund", "payments:write"]],
        ["https://stock", ["stock:read"]],
      ]),
    );
  });

  it("grants the first alternative where a call names none", () => {
    expect(mesh.clients.get("back-office")?.grants).toEqual(new Map([["https://payments", ["payments:admin"]]]));
  });

  it("grants an audience without scopes where any valid token will do", () => {
    expect(mesh.clients.get("stock")?.grants).toEqual(new Map([["https://payments", []]]));
  });

  it("grants nothing to a client that calls nothing, or public RPCs only", () => {
    expect(mesh.clients.get("orders-batch")?.grants).toEqual(new Map());
    const visitor = { clientId: "visitor", calls: [{ rpc: "test.v1.Api/Public" }] };
    const { clients } = readMesh({ services: api, mesh: { clients: [reader, visitor] } });
    expect(clients.get("visitor")?.grants).toEqual(new Map());
  });

  it("knows every audience with all scopes of its rules, those of all alternatives and of next included, sorted", () => {
    expect(mesh.audiences).toEqual(
      new Map([
        ["https://payments", ["ledger:read", "payments:admin", "payments:audit", "payments:refund", "payments:write"]],
        ["https://stock", ["stock:read"]],
        ["https://orders", []],
      ]),
    );
  });

  it("knows no audience of a service that has none", () => {
    expect(readMesh({ services: [serviceOf(file, "Site")] })).toEqual({ audiences: new Map(), clients: new Map() });
  });

  it("needs no mesh file, and takes an empty one", () => {
    const services = [serviceOf(file, "Ledger")];
    const expected = { audiences: new Map([["https://payments", ["ledger:read"]]]), clients: new Map() };
    expect(readMesh({ services })).toEqual(expected);
    expect(readMesh({ services, mesh: {} })).toEqual(expected);
  });
});

describe("calls in a mesh", () => {
  const calls = (...entries: { rpc: string; scopes?: string[] }[]): MeshJson => ({
    clients: [reader, { clientId: "job", calls: entries }],
  });

  it("are refused for an RPC that is not in the mesh", () => {
    expect(
      refusedMesh(api, calls({ rpc: "test.v1.Api/Gone" }, { rpc: "test.v1.api/Write" }, { rpc: "other.v1.Api/Write" })),
    ).toEqual([
      'mesh file, client "job": calls test.v1.Api/Gone, which is no RPC of this mesh',
      'mesh file, client "job": calls test.v1.api/Write, which is no RPC of this mesh',
      'mesh file, client "job": calls other.v1.Api/Write, which is no RPC of this mesh',
    ]);
  });

  it("are refused for an alternative that the rule does not offer", () => {
    expect(
      refusedMesh(
        api,
        calls(
          { rpc: "test.v1.Api/Write", scopes: ["api:admin", "x"] },
          { rpc: "test.v1.Api/Any", scopes: ["api:any"] },
          { rpc: "test.v1.Api/Public", scopes: ["api:any"] },
        ),
      ),
    ).toEqual([
      'mesh file, client "job": calls test.v1.Api/Write, ' +
        "which has no alternative api:admin x, which a calls entry asks for",
      'mesh file, client "job": calls test.v1.Api/Any, ' +
        "which has no alternatives, yet a calls entry names scopes for it",
      'mesh file, client "job": calls test.v1.Api/Public, ' +
        "which has no alternatives, yet a calls entry names scopes for it",
    ]);
  });

  it("are refused for an RPC whose callers do not include the client", () => {
    expect(refusedMesh(api, calls({ rpc: "test.v1.Api/Read" }))).toEqual([
      'mesh file, client "job": calls test.v1.Api/Read, whose callers do not include it',
    ]);
  });

  it("are accepted for an RPC whose callers include the client", () => {
    const mesh: MeshJson = { clients: [{ ...reader, calls: [{ rpc: "test.v1.Api/Read" }] }] };
    expect(readMesh({ services: api, mesh }).clients.get("reader")?.grants).toEqual(
      new Map([["https://api", ["api:read"]]]),
    );
  });

  it("are refused in a service like in the mesh file, with its file and name", () => {
    const services = withApi(`
      service Caller {
        option (meshauth.v1.service) = {
          client_id: "caller"
          calls: [
            {rpc: "test.v1.Api/Gone"},
            {rpc: "test.v1.Api/Write" scopes: "api:admin"},
            {rpc: "test.v1.Api/Read"}
          ]
        };
      }`).services;
    expect(refusedMesh(services, { clients: [reader] })).toEqual([
      "input.proto: test.v1.Caller: calls test.v1.Api/Gone, which is no RPC of this mesh",
      "input.proto: test.v1.Caller: calls test.v1.Api/Write, " +
        "which has no alternative api:admin, which a calls entry asks for",
      "input.proto: test.v1.Caller: calls test.v1.Api/Read, whose callers do not include it",
    ]);
  });
});

describe("clients of a mesh", () => {
  it("are refused where two have one client id: in the mesh file", () => {
    expect(refusedMesh(api, { clients: [reader, { clientId: "a" }, { clientId: "a" }] })).toEqual([
      'mesh file, client "a": client_id a is declared twice',
    ]);
  });

  it("are refused where two have one client id: a service and the mesh file, or two services", () => {
    const { services } = withApi(`
      service One { option (meshauth.v1.service).client_id = "same"; }
      service Two { option (meshauth.v1.service).client_id = "same"; }`);
    const mesh = { clients: [reader, { clientId: "same" }] };
    expect(refusedMesh(services, mesh)).toEqual([
      "input.proto: test.v1.Two: client_id same is declared twice",
      'mesh file, client "same": client_id same is declared twice',
    ]);
  });

  it("may have ids that differ in case only", () => {
    const mesh = { clients: [reader, { clientId: "Reader" }] };
    expect([...readMesh({ services: api, mesh }).clients.keys()]).toEqual(["reader", "Reader"]);
  });

  it.each([
    ["", "is empty"],
    ["a b", '"a b" has blank space or characters outside of ASCII'],
    ['"é"', '"\\"é\\"" has blank space or characters outside of ASCII'],
  ])("are refused with a malformed client id: %j", (clientId, problem) => {
    expect(refusedMesh(api, { clients: [reader, { clientId }] })).toEqual([
      `mesh file, client ${JSON.stringify(clientId)}: client_id ${problem}`,
    ]);
  });

  it("are refused with a malformed RPC, and with one that stands twice", () => {
    const calls = ["test.v1.Api.Write", "test.v1.Api/Any", "test.v1.Api/Any"].map((rpc) => ({ rpc }));
    expect(refusedMesh(api, { clients: [reader, { clientId: "job", calls }] })).toEqual([
      'mesh file, client "job": calls has the rpc "test.v1.Api.Write"; write it as "package.Service/Method"',
      'mesh file, client "job": calls lists test.v1.Api/Any twice',
      'mesh file, client "job": calls test.v1.Api.Write, which is no RPC of this mesh',
    ]);
  });

  it("must be there for every client id that callers of a rule or of its next list", () => {
    expect(refusedMesh([payments])).toEqual([
      "input.proto: test.v1.Payments/Charge: callers has orders, which is no client of this mesh",
      "input.proto: test.v1.Payments/Refund: callers has back-office, which is no client of this mesh",
    ]);
    const clients = [{ clientId: "orders" }, { clientId: "back-office" }];
    expect([...readMesh({ services: [payments], mesh: { clients } }).clients.keys()]).toEqual([
      "orders",
      "back-office",
    ]);
  });
});

describe("what is wrong with a mesh", () => {
  it.each<[string, unknown, string]>([
    ["an unknown field", { client: [] }, '"client"'],
    ["an unknown field inside", { clients: [{ clientID: "a" }] }, '"clientID"'],
    ["the wrong type", { clients: "a" }, "clients"],
    ["a list", [], "Array"],
    ["text", "clients", '"clients"'],
  ])("is a mesh file that is none: %s", (_, json, cause) => {
    const problems = refusedMesh([serviceOf(file, "Site")], json as MeshJson);
    expect(problems).toHaveLength(1);
    expect(problems[0]).toMatch(/^mesh file: cannot decode (message|field) meshauth\.v1\./);
    expect(problems[0]).toContain(cause);
  });

  it("is listed all at once", () => {
    const { services } = withApi('service Caller { option (meshauth.v1.service).client_id = "reader"; }');
    expect(
      refusedMesh(services, {
        clients: [{ clientId: "reader" }, { clientId: "", calls: [{ rpc: "test.v1.Api/Gone" }] }],
      }),
    ).toEqual([
      'mesh file, client "": client_id is empty',
      'mesh file, client "reader": client_id reader is declared twice',
      'mesh file, client "": calls test.v1.Api/Gone, which is no RPC of this mesh',
    ]);
  });

  it("is first of all what is wrong with its rules, and with its services", () => {
    const { services } = withApi(`
      service Wrong {
        option (meshauth.v1.service) = {audience: "https://wrong" client_id: "a b"};
      }
      service Ruleless { rpc None(Empty) returns (Empty); }`);
    expect(refusedMesh(services)).toEqual([
      'input.proto: test.v1.Wrong: client_id "a b" has blank space or characters outside of ASCII',
      "input.proto: test.v1.Ruleless/None: has no rule; add option (meshauth.v1.rule) to the RPC, " +
        "default_rule to its service, or, for a proto that is not yours, a rule in configuration",
    ]);
  });
});
