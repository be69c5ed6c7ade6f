// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import type { DescMethod } from "@bufbuild/protobuf";
import { Code } from "@connectrpc/connect";
import { describe, expect, it } from "vitest";
import { ErrorInfoSchema, RetryInfoSchema } from "../../../src/gen/google/rpc/error_details_pb.js";
import { InventoryService } from "../../../src/gen/inventory/v1/inventory_pb.js";
import { PaymentService } from "../../../src/gen/payment/v1/payment_pb.js";
import {
  connectStream,
  connectUnary,
  envelope,
  grpc,
  grpcWeb,
  openRequest,
  type Protocol,
  type RawResponse,
} from "../../support/raw-http.js";
import { bearer, goodToken, refusedToken } from "../../support/stub-resource-server.js";
import { connectErrorOf, expectNoSecret, pathOf, wires } from "../../support/transports.js";
import { type Bench, calls, clientsOf, startBench } from "./connect-bench.js";
import { expectedOutcomes, secrets } from "./outcomes.js";

const bidiNeedsHttp2 = (wire: string, kind: string): boolean => kind === "bidi" && wire.endsWith("HTTP/1.1");

describe.each(wires)("a guarded server on %s", (wire) => {
  it.each(expectedOutcomes)("refuses every kind of call with $reason", async (expected) => {
    const { server, entered } = await startBench();
    const clients = clientsOf(server, wire, expected.token);
    for (const { kind, audience, call } of calls) {
      if (bidiNeedsHttp2(wire, kind)) continue;
      const error = await connectErrorOf(call(clients));
      expect(error.code, kind).toBe(expected.code);
      expect(error.rawMessage, kind).toBe(expected.message);
      expect(error.findDetails(ErrorInfoSchema), kind).toMatchObject([
        { reason: expected.reason, domain: "meshauth", metadata: { audience, ...expected.metadata } },
      ]);
      expect(error.findDetails(RetryInfoSchema).map(({ retryDelay }) => retryDelay)).toMatchObject(
        expected.retryDelay === undefined ? [] : [expected.retryDelay],
      );
      expect(error.metadata.get("www-authenticate"), kind).toBe(expected.wwwAuthenticate ?? null);
      expect(error.metadata.get("dpop-nonce"), kind).toBe(expected.dpopNonce ?? null);
      expectNoSecret(error, ...secrets);
    }
    expect(entered).toEqual([]);
  });

  it("lets every kind of call with a good token through", async () => {
    const { server, entered } = await startBench();
    const clients = clientsOf(server, wire, goodToken);
    const possible = calls.filter(({ kind }) => !bidiNeedsHttp2(wire, kind));
    for (const { call } of possible) await call(clients);
    expect(entered.map(({ rpc }) => rpc)).toEqual(
      ["charge", "watchStock", "importSettlements", "syncStock"].slice(0, possible.length),
    );
  });

  it("asks no token of calls of a public RPC, and looks at none", async () => {
    const { server, entered } = await startBench();
    await clientsOf(server, wire).health.check({});
    await clientsOf(server, wire, refusedToken("TOKEN_INVALID")).health.check({});
    expect(entered.map(({ rpc }) => rpc)).toEqual(["check", "check"]);
  });

  it("tells the resource server which RPC is called, with what, and by which protocol", async () => {
    const { server, resourceServer } = await startBench();
    await clientsOf(server, wire, goodToken).payment.charge({});
    await clientsOf(server, wire).health.check({});
    const protocol = wire.split(" ")[0]?.toLowerCase();
    expect(resourceServer.calls).toEqual([
      {
        method: PaymentService.method.charge,
        rpc: "payment.v1.PaymentService/Charge",
        authorization: bearer(goodToken),
        protocol,
        transport: expect.anything(),
      },
      {
        method: expect.anything(),
        rpc: "grpc.health.v1.Health/Check",
        authorization: null,
        protocol,
        transport: expect.anything(),
      },
    ]);
  });
});

describe("www-authenticate", () => {
  const places: readonly {
    readonly protocol: string;
    readonly wire: Protocol;
    readonly method: DescMethod;
    readonly carriesHeader: boolean;
    readonly status: (expected: (typeof expectedOutcomes)[number]) => number;
  }[] = [
    {
      protocol: "a Connect unary call",
      wire: connectUnary,
      method: PaymentService.method.charge,
      carriesHeader: true,
      status: ({ httpStatus }) => httpStatus,
    },
    {
      protocol: "a Connect stream",
      wire: connectStream,
      method: InventoryService.method.watchStock,
      carriesHeader: false,
      status: () => 200,
    },
    { protocol: "gRPC", wire: grpc, method: PaymentService.method.charge, carriesHeader: false, status: () => 200 },
    {
      protocol: "gRPC-Web",
      wire: grpcWeb,
      method: PaymentService.method.charge,
      carriesHeader: false,
      status: () => 200,
    },
  ];

  describe.each(places)("of $protocol", ({ wire, method, carriesHeader, status }) => {
    it.each(expectedOutcomes)("is where the protocol has it after $reason", async (expected) => {
      const { server } = await startBench();
      const response = await call(server.http2Port, wire, method, expected.token);
      expect(response.status).toBe(status(expected));
      expect(wire.read(response)).toEqual({
        code: Code[expected.code],
        reason: expected.reason,
        challenge: expected.wwwAuthenticate,
      });
      expect(response.headers["www-authenticate"]).toBe(carriesHeader ? expected.wwwAuthenticate : undefined);
      expect(response.headers["dpop-nonce"]).toBe(carriesHeader ? expected.dpopNonce : undefined);
      expect(Object.keys(response.trailers)).toEqual(wire === grpc ? expect.arrayContaining(["grpc-status"]) : []);
    });
  });
});

function call(port: number, wire: Protocol, method: DescMethod, token: string | undefined): Promise<RawResponse> {
  const { body, response } = openRequest({
    version: "HTTP/2",
    port,
    path: pathOf(method),
    headers: {
      "content-type": wire.contentTypes.proto,
      ...(token !== undefined && { authorization: bearer(token) }),
    },
  });
  body.end(wire.enveloped ? envelope(new Uint8Array()) : undefined);
  return response;
}

describe("the gate", () => {
  const open = (bench: Bench, contentType: string, method: DescMethod, headers: Record<string, string> = {}) =>
    openRequest({
      version: "HTTP/2",
      port: bench.server.http2Port,
      path: pathOf(method),
      headers: { "content-type": contentType, ...headers },
    });

  it.each([
    ["Connect unary", connectUnary, PaymentService.method.charge],
    ["Connect stream", connectStream, PaymentService.method.importSettlements],
    ["gRPC unary", grpc, PaymentService.method.charge],
    ["gRPC-Web unary", grpcWeb, PaymentService.method.charge],
  ] as const)("answers a %s call before a byte of its body was sent", async (_, wire, method) => {
    const bench = await startBench();
    const { response } = open(bench, wire.contentTypes.proto, method);
    expect(wire.read(await response)).toMatchObject({ code: "Unauthenticated", reason: "CREDENTIALS_MISSING" });
  });

  it("does not tell callers without a token whether a body fits the schema", async () => {
    const bench = await startBench();
    const wrong = JSON.stringify({ requestId: { not: "a string" } });
    const refused = open(bench, "application/json", PaymentService.method.charge);
    refused.body.end(wrong);
    expect((await refused.response).status).toBe(401);
    const admitted = open(bench, "application/json", PaymentService.method.charge, {
      authorization: bearer(goodToken),
    });
    admitted.body.end(wrong);
    expect((await admitted.response).status).toBe(400);
  });

  it.each(["Bearer a, Bearer b", `${bearer(goodToken)}, ${bearer(goodToken)}`])(
    "refuses several values in one authorization header: %s",
    async (authorization) => {
      const bench = await startBench();
      const { body, response } = open(bench, "application/json", PaymentService.method.charge, { authorization });
      body.end("{}");
      expect(connectUnary.read(await response)).toMatchObject({ reason: "TOKEN_INVALID" });
      expect(bench.entered).toEqual([]);
    },
  );

  // Node keeps the first of them, and forgets the others.
  it.each([
    ["HTTP/1.1", [bearer(goodToken), bearer(goodToken)], "TOKEN_INVALID"],
    ["HTTP/1.1", [bearer(goodToken), "Basic b3JkZXI6"], "TOKEN_INVALID"],
    ["HTTP/1.1", ["Basic b3JkZXI6", bearer(goodToken)], "CREDENTIALS_MISSING"],
    ["HTTP/2", [bearer(goodToken), bearer(goodToken)], "TOKEN_INVALID"],
    ["HTTP/2", [bearer(goodToken), bearer(refusedToken("CALLER_NOT_ALLOWED"))], "TOKEN_INVALID"],
  ] as const)("refuses several authorization headers over %s: %j", async (version, authorization, reason) => {
    const { server, entered, resourceServer } = await startBench();
    const { body, response } = openRequest({
      version,
      port: version === "HTTP/2" ? server.http2Port : server.http1Port,
      path: pathOf(PaymentService.method.charge),
      headers: { "content-type": "application/json", authorization: [...authorization] },
    });
    body.end("{}");
    expect(connectUnary.read(await response)).toMatchObject({ reason });
    expect(resourceServer.calls).toMatchObject([{ authorization: authorization.join(", ") }]);
    expect(entered).toEqual([]);
  });
});
