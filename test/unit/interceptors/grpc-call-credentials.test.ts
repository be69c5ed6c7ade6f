// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { type CallCredentials, Metadata, status as Status } from "@grpc/grpc-js";
import { describe, expect, it } from "vitest";
import { Health } from "../../../src/gen/health/v1/health_pb.js";
import { InventoryService } from "../../../src/gen/inventory/v1/inventory_pb.js";
import { PaymentService } from "../../../src/gen/payment/v1/payment_pb.js";
import { createCallCredentials } from "../../../src/interceptors/grpc-call-credentials.js";
import { RuleError } from "../../../src/rules/problem.js";
import { bearer, goodToken, refusedToken } from "../../support/stub-resource-server.js";
import { createStubTokenSource, fails, later, type Supply } from "../../support/stub-token-source.js";
import { errorOf, expectNoSecret } from "../../support/transports.js";
import { inventoryAudience, paymentAudience } from "./connect-bench.js";
import { grpcCalls, grpcClientsOf, seenIn, startGrpcBench, statusOf } from "./grpc-bench.js";

const publicHealth = [{ target: Health, rule: { public: {} } }];

async function start(script: readonly Supply[]) {
  const { target, resourceServer } = await startGrpcBench();
  const tokenSource = createStubTokenSource(...script);
  const credentials = createCallCredentials({
    tokenSource,
    services: [PaymentService, InventoryService, Health],
    rules: publicHealth,
    channel: { target },
  });
  return {
    tokenSource,
    credentials,
    clients: grpcClientsOf(target),
    tokens: () => resourceServer.calls.map(({ authorization }) => authorization),
  };
}

describe("createCallCredentials", () => {
  it.each([
    ["that is there", goodToken],
    ["that has to be fetched", later(goodToken)],
  ])("sends a token %s with every kind of call", async (_, supply) => {
    const { credentials, clients, tokens, tokenSource } = await start([supply, supply, supply, supply]);
    for (const { call } of grpcCalls) await call(clients, { credentials });
    expect(tokens()).toEqual(grpcCalls.map(() => bearer(goodToken)));
    expect(tokenSource.requests.map(({ requirement }) => requirement)).toEqual([
      { audience: paymentAudience, scopes: ["payments:write"] },
      { audience: inventoryAudience, scopes: ["inventory:read"] },
      { audience: paymentAudience, scopes: ["payments:admin"] },
      { audience: inventoryAudience, scopes: ["inventory:write"] },
    ]);
  });

  it("sends none with calls of a public RPC", async () => {
    const { credentials, clients, tokens } = await start([]);
    await clients.health.check({}, { credentials });
    expect(tokens()).toEqual([undefined]);
  });

  it("sends none with calls of other services", async () => {
    const { target, resourceServer } = await startGrpcBench();
    const tokenSource = createStubTokenSource();
    const credentials = createCallCredentials({ tokenSource, services: [PaymentService], channel: { target } });
    await statusOf(grpcClientsOf(target).inventory.checkStock({}, { credentials }));
    expect(resourceServer.calls).toMatchObject([{ authorization: undefined }]);
  });

  it.each([
    ["unavailable", Status.UNAVAILABLE],
    ["refused", Status.UNAUTHENTICATED],
  ] as const)("ends a call for which there is no token: %s", async (kind, code) => {
    const { credentials, clients, tokens } = await start([fails(kind)]);
    const error = await statusOf(clients.payment.charge({}, { credentials }));
    expect(error.code).toBe(code);
    expect(error.details).toContain("no access token for https://payment-service.internal");
    expect(error.details).toContain("https://login.test");
    expect(tokens()).toEqual([]);
  });

  it("ends a call, and says no more, if the token source has a bug", async () => {
    const { credentials, clients } = await start([() => Promise.reject(new Error(`a bug with ${goodToken}`))]);
    const error = await statusOf(clients.payment.charge({}, { credentials }));
    expect(error.code).toBe(Status.INTERNAL);
    expect(error.details).toContain("no access token");
    expectNoSecret(error, goodToken);
  });

  it("makes no call a second time", async () => {
    const { credentials, clients, tokens, tokenSource } = await start([refusedToken("TOKEN_EXPIRED")]);
    const error = await statusOf(clients.payment.charge({}, { credentials }));
    expect(seenIn(error)).toMatchObject({ errorInfos: [{ reason: "TOKEN_EXPIRED" }] });
    expect(tokens()).toHaveLength(1);
    expect(tokenSource.refusals).toEqual([]);
  });

  it.each([
    ["a path, as grpc-js has it", "/payment.v1.PaymentService/Charge"],
    ["a bare name, as the gRPC guide has it", "Charge"],
  ])("knows an RPC by %s", async (_, method) => {
    const { credentials } = await start([goodToken]);
    const metadata = await generate(credentials, method);
    expect(metadata.getMap()).toEqual({ authorization: bearer(goodToken) });
  });

  it("gives its error a code that grpc-js understands", async () => {
    const { credentials } = await start([fails("unavailable")]);
    const error = await errorOf(generate(credentials, "Charge"));
    expect(error).toBeInstanceOf(Error);
    expect(error).toMatchObject({ code: Status.UNAVAILABLE });
  });

  it("is not created where tokens would go in plaintext beyond loopback", () => {
    const options = { tokenSource: createStubTokenSource(), services: [PaymentService] };
    expect(() => createCallCredentials({ ...options, channel: { target: "10.0.0.1:443" } })).toThrow(
      new TypeError("no access token is sent to 10.0.0.1:443 in plaintext; use TLS"),
    );
    expect(() => createCallCredentials({ ...options, channel: { tls: true } })).not.toThrow();
  });

  it("is not created for services without rules", () => {
    const options = { tokenSource: createStubTokenSource(), services: [Health] };
    expect(() => createCallCredentials({ ...options, channel: { tls: true } })).toThrow(RuleError);
  });
});

async function generate(credentials: CallCredentials, method: string): Promise<Metadata> {
  const metadata = await credentials.generateMetadata({
    service_url: "https://payment-service.internal/payment.v1.PaymentService",
    method_name: method,
  });
  expect(metadata).toBeInstanceOf(Metadata);
  return metadata;
}
