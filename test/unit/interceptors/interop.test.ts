// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { Code } from "@connectrpc/connect";
import { describe, expect, it } from "vitest";
import { ErrorInfoSchema } from "../../../src/gen/google/rpc/error_details_pb.js";
import { InventoryService } from "../../../src/gen/inventory/v1/inventory_pb.js";
import { PaymentService } from "../../../src/gen/payment/v1/payment_pb.js";
import { createConnectInterceptor } from "../../../src/interceptors/connect-client.js";
import { createGrpcInterceptor } from "../../../src/interceptors/grpc-client.js";
import { bearer, goodToken, refusedToken } from "../../support/stub-resource-server.js";
import { createStubTokenSource, type Supply } from "../../support/stub-token-source.js";
import { connectErrorOf, connectTo } from "../../support/transports.js";
import { type Clients, calls, clientsOn, startBench } from "./connect-bench.js";
import { type GrpcClients, grpcCalls, grpcClientsOf, seenIn, startGrpcBench, statusOf } from "./grpc-bench.js";

const expired = refusedToken("TOKEN_EXPIRED");

/** A Connect client that speaks gRPC to a guarded grpc-js server. */
async function startConnectToGrpc(...script: readonly Supply[]) {
  const { target, resourceServer } = await startGrpcBench();
  const tokenSource = createStubTokenSource(...script);
  const http2Port = Number(target.split(":")[1]);
  const transport = connectTo({ http1Port: http2Port, http2Port }, "gRPC", [createConnectInterceptor({ tokenSource })]);
  const clients: Clients = clientsOn(transport);
  return { clients, tokenSource, tokens: () => resourceServer.calls.map(({ authorization }) => authorization) };
}

/** A grpc-js client of a guarded Connect server. */
async function startGrpcToConnect(...script: readonly Supply[]) {
  const { server, resourceServer } = await startBench();
  const tokenSource = createStubTokenSource(...script);
  const target = `127.0.0.1:${server.http2Port}`;
  const services = [PaymentService, InventoryService];
  const interceptor = createGrpcInterceptor({ tokenSource, services, channel: { target } });
  const clients: GrpcClients = grpcClientsOf(target, [interceptor]);
  return { clients, tokenSource, tokens: () => resourceServer.calls.map(({ authorization }) => authorization) };
}

const isRetried = ({ kind }: { readonly kind: string }): boolean => kind === "unary" || kind === "server stream";

describe("a Connect client of a guarded grpc-js server", () => {
  it.each(calls.filter(isRetried))("tries a refused $kind once more", async ({ call }) => {
    const { clients, tokens, tokenSource } = await startConnectToGrpc(expired, goodToken);
    await call(clients);
    expect(tokens()).toEqual([bearer(expired), bearer(goodToken)]);
    expect(tokenSource.refusals.map(({ token }) => token)).toEqual([expired]);
  });

  it.each(calls.filter((each) => !isRetried(each)))("reports the token of a refused $kind", async ({ call }) => {
    const { clients, tokens, tokenSource } = await startConnectToGrpc(expired);
    const error = await connectErrorOf(call(clients));
    expect(error.code).toBe(Code.Unauthenticated);
    expect(error.findDetails(ErrorInfoSchema)).toMatchObject([{ reason: "TOKEN_EXPIRED" }]);
    expect(error.metadata.get("www-authenticate")).toBe('Bearer error="invalid_token"');
    expect(tokens()).toEqual([bearer(expired)]);
    expect(tokenSource.refusals.map(({ token }) => token)).toEqual([expired]);
  });

  it.each(calls)("reports that a $kind missed a scope", async ({ call }) => {
    const token = refusedToken("SCOPE_INSUFFICIENT");
    const { clients, tokenSource } = await startConnectToGrpc(token);
    expect((await connectErrorOf(call(clients))).code).toBe(Code.PermissionDenied);
    expect(tokenSource.scopeMisses.map((miss) => miss.token)).toEqual([token]);
  });
});

describe("a grpc-js client of a guarded Connect server", () => {
  it.each(grpcCalls.filter(isRetried))("tries a refused $kind once more", async ({ call }) => {
    const { clients, tokens, tokenSource } = await startGrpcToConnect(expired, goodToken);
    await call(clients);
    expect(tokens()).toEqual([bearer(expired), bearer(goodToken)]);
    expect(tokenSource.refusals.map(({ token }) => token)).toEqual([expired]);
  });

  it.each(grpcCalls.filter((each) => !isRetried(each)))("reports the token of a refused $kind", async ({ call }) => {
    const { clients, tokens, tokenSource } = await startGrpcToConnect(expired);
    const error = await statusOf(call(clients));
    expect(seenIn(error)).toMatchObject({
      errorInfos: [{ reason: "TOKEN_EXPIRED" }],
      wwwAuthenticate: ['Bearer error="invalid_token"'],
    });
    expect(tokens()).toEqual([bearer(expired)]);
    expect(tokenSource.refusals.map(({ token }) => token)).toEqual([expired]);
  });

  it.each(grpcCalls)("reports that a $kind missed a scope", async ({ call }) => {
    const token = refusedToken("SCOPE_INSUFFICIENT");
    const { clients, tokenSource } = await startGrpcToConnect(token);
    await statusOf(call(clients));
    expect(tokenSource.scopeMisses.map((miss) => miss.token)).toEqual([token]);
  });
});
