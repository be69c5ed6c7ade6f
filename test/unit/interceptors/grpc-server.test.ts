// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import {
  ChannelCredentials,
  Client,
  Metadata,
  Server,
  ServerInterceptingCall,
  type ServerInterceptor,
  status as Status,
  type sendUnaryData,
} from "@grpc/grpc-js";
import { describe, expect, it } from "vitest";
import { InventoryService } from "../../../src/gen/inventory/v1/inventory_pb.js";
import { OrderService } from "../../../src/gen/order/v1/order_pb.js";
import { createGrpcClient } from "../../../src/grpc-js/client.js";
import { addService, type GrpcHandlers } from "../../../src/grpc-js/service-definition.js";
import { createGuardedServer, getPrincipal, guardGrpc } from "../../../src/interceptors/grpc-server.js";
import { settle } from "../../support/fake-clock.js";
import { envelope, grpc, openRequest } from "../../support/raw-http.js";
import { bearer, goodToken, lifetimeMs, refusedToken } from "../../support/stub-resource-server.js";
import { type Deferred, defer, expectNoSecret, startGrpcServer } from "../../support/transports.js";
import { createResourceServer } from "./connect-bench.js";
import {
  addServices,
  bringing,
  type Entered,
  echoHandlers,
  exchange,
  grpcCalls,
  grpcClientsOf,
  seenIn,
  startGrpcBench,
  statusOf,
} from "./grpc-bench.js";
import { expectedOutcomes, secrets } from "./outcomes.js";

describe("a guarded grpc-js server", () => {
  it.each(expectedOutcomes)("refuses every kind of call with $reason", async (expected) => {
    const { target, entered } = await startGrpcBench();
    const clients = grpcClientsOf(target);
    for (const { kind, audience, call } of grpcCalls) {
      const error = await statusOf(call(clients, bringing(expected.token)));
      expect(seenIn(error), kind).toMatchObject({
        code: expected.code,
        message: expected.message,
        errorInfos: [{ reason: expected.reason, domain: "meshauth", metadata: { audience, ...expected.metadata } }],
        retryInfos: expected.retryDelay === undefined ? [] : [{ retryDelay: expected.retryDelay }],
        wwwAuthenticate: expected.wwwAuthenticate === undefined ? [] : [expected.wwwAuthenticate],
        dpopNonce: expected.dpopNonce === undefined ? [] : [expected.dpopNonce],
      });
      expectNoSecret(error, ...secrets);
    }
    expect(entered).toEqual([]);
  });

  it("lets every kind of call with a good token through", async () => {
    const { target, entered } = await startGrpcBench();
    const clients = grpcClientsOf(target);
    for (const { call } of grpcCalls) await call(clients, bringing(goodToken));
    expect(entered.map(({ rpc }) => rpc)).toEqual(["charge", "watchStock", "importSettlements", "syncStock"]);
    // There is no token for a handler to pass on.
    expect(entered.map(({ call }) => call.metadata.get("authorization"))).toEqual([[], [], [], []]);
  });

  it("asks no token of calls of a public RPC, and looks at none", async () => {
    const { target, entered } = await startGrpcBench();
    const { health } = grpcClientsOf(target);
    await health.check({});
    await health.check({}, bringing(refusedToken("TOKEN_INVALID")));
    expect(entered).toHaveLength(2);
    for (const { call } of entered) expect(() => getPrincipal(call)).toThrow(/no principal.*public.*guardGrpc/);
    // What such a call brings is the handler's own affair.
    expect(entered[1]?.call.metadata.get("authorization")).toEqual([bearer(refusedToken("TOKEN_INVALID"))]);
  });

  it("tells the resource server which RPC is called, and with what, once", async () => {
    const { target, resourceServer } = await startGrpcBench();
    const { health, payment } = grpcClientsOf(target);
    await payment.charge({}, bringing(goodToken));
    await health.check({});
    expect(resourceServer.calls).toEqual([
      {
        method: expect.objectContaining({ name: "Charge" }),
        rpc: "payment.v1.PaymentService/Charge",
        authorization: bearer(goodToken),
        protocol: "grpc-js",
        transport: expect.anything(),
      },
      {
        method: expect.objectContaining({ name: "Check" }),
        rpc: "grpc.health.v1.Health/Check",
        authorization: undefined,
        protocol: "grpc-js",
        transport: expect.anything(),
      },
    ]);
  });

  it("refuses calls of a service that it serves without rules", async () => {
    const resourceServer = createResourceServer();
    const server = createGuardedServer(resourceServer);
    let entered = 0;
    const handlers: Partial<GrpcHandlers<typeof OrderService>> = {
      getOrder(_call, answer) {
        entered += 1;
        answer(null, {});
      },
    };
    addService(server, OrderService, handlers as GrpcHandlers<typeof OrderService>);
    const target = await startGrpcServer(server);
    const orders = createGrpcClient(OrderService, { target, credentials: ChannelCredentials.createInsecure() });
    const error = await statusOf(orders.getOrder({}, bringing(goodToken)));
    orders.close();
    expect(seenIn(error)).toMatchObject({
      code: Status.PERMISSION_DENIED,
      errorInfos: [{ reason: "RULE_MISSING", metadata: {} }],
    });
    expect(resourceServer.calls).toMatchObject([{ method: undefined, rpc: "order.v1.OrderService/GetOrder" }]);
    expect(entered).toBe(0);
  });

  it("answers UNIMPLEMENTED to what nobody serves, without asking", async () => {
    const { target, resourceServer } = await startGrpcBench();
    const client = new Client(target, ChannelCredentials.createInsecure());
    const error = await statusOf(
      new Promise((resolve, reject) => {
        const answer: sendUnaryData<Buffer> = (failure, value) => (failure ? reject(failure) : resolve(value));
        const same = (bytes: Buffer): Buffer => bytes;
        client.makeUnaryRequest("/payment.v1.PaymentService/Steal", same, same, Buffer.alloc(0), answer);
      }),
    );
    client.close();
    expect(error.code).toBe(Status.UNIMPLEMENTED);
    expect(resourceServer.calls).toEqual([]);
  });

  it("says who calls in handlers of every kind", async () => {
    const { target, entered, resourceServer } = await startGrpcBench();
    const clients = grpcClientsOf(target);
    for (const { call } of grpcCalls) await call(clients, bringing(goodToken));
    expect(entered.map(({ call }) => getPrincipal(call))).toEqual(
      grpcCalls.map(() =>
        expect.objectContaining({ clientId: "order-service", expiresAt: resourceServer.clock.now() + lifetimeMs }),
      ),
    );
  });

  it("does not say who calls where nobody checked", async () => {
    const entered: Entered[] = [];
    const server = new Server();
    addServices(server, echoHandlers(entered));
    const { payment } = grpcClientsOf(await startGrpcServer(server));
    await payment.charge({}, bringing(goodToken));
    expect(entered).toHaveLength(1);
    for (const { call } of entered) expect(() => getPrincipal(call)).toThrow(/no principal/);
  });

  it("answers before a byte of a message was sent", async () => {
    const { target } = await startGrpcBench();
    const { response } = openRequest({
      version: "HTTP/2",
      port: Number(target.split(":")[1]),
      path: "/payment.v1.PaymentService/Charge",
      headers: { "content-type": "application/grpc+proto", te: "trailers" },
    });
    expect(grpc.read(await response)).toEqual({
      code: "Unauthenticated",
      reason: "CREDENTIALS_MISSING",
      challenge: "Bearer",
    });
  });

  it("does not tell callers without a token whether a message fits the schema", async () => {
    const { target } = await startGrpcBench();
    const send = (headers: Record<string, string>) => {
      const { body, response } = openRequest({
        version: "HTTP/2",
        port: Number(target.split(":")[1]),
        path: "/payment.v1.PaymentService/Charge",
        headers: { "content-type": "application/grpc+proto", te: "trailers", ...headers },
      });
      body.end(envelope(Buffer.from([0xff])));
      return response;
    };
    const refused = await send({});
    expect(refused.headers["grpc-status"] ?? refused.trailers["grpc-status"]).toBe(String(Status.UNAUTHENTICATED));
    const admitted = await send({ authorization: bearer(goodToken) });
    expect(admitted.headers["grpc-status"] ?? admitted.trailers["grpc-status"]).toBe(String(Status.INTERNAL));
  });

  it("keeps messages that arrive while it decides, in order, for a handler that is entered afterwards", async () => {
    const { target, resourceServer, entered } = await startGrpcBench();
    const asked = defer();
    const release = defer();
    resourceServer.before = () => {
      asked.resolve();
      return release.promise;
    };
    const { inventory } = grpcClientsOf(target);
    const answers = exchange(
      inventory,
      [1, 2, 3].map((counted) => ({ sku: "tea", counted })),
      bringing(goodToken),
    );
    await asked.promise;
    expect(entered).toEqual([]);
    release.resolve();
    expect((await answers).map(({ stockLevel }) => stockLevel?.available)).toEqual([1, 2, 3]);
    expect(entered).toHaveLength(1);
  });

  it.each([
    ["rejects", () => Promise.reject(new Error(`no database for ${goodToken}`))],
    [
      "throws",
      () => {
        throw new Error(`no database for ${goodToken}`);
      },
    ],
  ])("fails every kind of call, and enters no handler, when its check %s", async (_, before) => {
    const { target, resourceServer, entered } = await startGrpcBench();
    resourceServer.before = before;
    const clients = grpcClientsOf(target);
    for (const { call } of grpcCalls) {
      const error = await statusOf(call(clients, bringing(goodToken)));
      expect(seenIn(error)).toMatchObject({
        code: Status.INTERNAL,
        message: "the access check failed",
        errorInfos: [],
        wwwAuthenticate: [],
      });
      expectNoSecret(error, goodToken);
    }
    expect(entered).toEqual([]);
  });

  it.each([
    ["admits", goodToken],
    ["refuses", refusedToken("TOKEN_INVALID")],
  ])("neither enters nor follows a call that was cancelled before it %s it", async (_, token) => {
    const asked = defer();
    const release = defer();
    const cancelled = defer();
    const { target, resourceServer, entered } = await startGrpcBench(
      {},
      { streams: { closing: [InventoryService.method.syncStock] }, server: { interceptors: [onCancel(cancelled)] } },
    );
    resourceServer.before = () => {
      asked.resolve();
      return release.promise;
    };
    const cancel = new AbortController();
    const { inventory } = grpcClientsOf(target);
    const failed = statusOf(exchange(inventory, [{ sku: "tea" }], { ...bringing(token), signal: cancel.signal }));
    await asked.promise;
    cancel.abort();
    expect((await failed).code).toBe(Status.CANCELLED);
    await cancelled.promise;
    release.resolve();
    await settle();
    expect(entered).toEqual([]);
    expect(resourceServer.clock.pending).toBe(0);
  });
});

/** A server interceptor that says when a call is cancelled. */
function onCancel(cancelled: Deferred): ServerInterceptor {
  return (_definition, call) =>
    new ServerInterceptingCall(call, { start: (next) => next({ onCancel: () => cancelled.resolve() }) });
}

/** A server interceptor that writes down what passes it. */
function tracing(trace: string[], name: string): ServerInterceptor {
  return (_definition, call) =>
    new ServerInterceptingCall(call, {
      start(next) {
        next({
          onReceiveMetadata(metadata, deliver) {
            trace.push(`${name}: ${getPrincipal({ metadata }).clientId}`);
            deliver(metadata);
          },
        });
      },
      sendStatus(ended, next) {
        trace.push(`${name} ends: ${ended.code}`);
        next(ended);
      },
    });
}

describe("createGuardedServer", () => {
  it("checks in front of the interceptors of the options", async () => {
    const trace: string[] = [];
    const { target } = await startGrpcBench(
      {},
      { server: { interceptors: [tracing(trace, "a"), tracing(trace, "b")] } },
    );
    const { payment } = grpcClientsOf(target);
    await statusOf(payment.charge({}, bringing(refusedToken("TOKEN_INVALID"))));
    expect(trace).toEqual([]);
    await payment.charge({}, bringing(goodToken));
    expect(trace).toEqual(["a: order-service", "b: order-service", "b ends: 0", "a ends: 0"]);
  });

  it("keeps the other options", async () => {
    const { target } = await startGrpcBench({}, { server: { "grpc.max_receive_message_length": 100 } });
    const { payment } = grpcClientsOf(target);
    const error = await statusOf(payment.charge({ requestId: "x".repeat(200) }, bringing(goodToken)));
    expect(error.code).toBe(Status.RESOURCE_EXHAUSTED);
  });
});

describe("guardGrpc", () => {
  it.each([
    ["two tokens", [bearer(goodToken), bearer(goodToken)]],
    ["a token and something else", [bearer(goodToken), "Basic b3JkZXI6"]],
  ])("refuses %s in several values of authorization", async (_, values) => {
    const resourceServer = createResourceServer();
    // Node's HTTP/2 shows the first of several values alone; an interceptor in front can still give us more.
    const adding: ServerInterceptor = (_definition, call) =>
      new ServerInterceptingCall(call, {
        start(next) {
          next({
            onReceiveMetadata(metadata, deliver) {
              metadata.remove("authorization");
              for (const value of values) metadata.add("authorization", value);
              deliver(metadata);
            },
          });
        },
      });
    const server = new Server({ interceptors: [adding, guardGrpc(resourceServer)] });
    const entered: Entered[] = [];
    addServices(server, echoHandlers(entered));
    const { payment } = grpcClientsOf(await startGrpcServer(server));
    const error = await statusOf(payment.charge({}));
    expect(seenIn(error)).toMatchObject({ errorInfos: [{ reason: "TOKEN_INVALID" }] });
    expect(resourceServer.calls).toMatchObject([{ authorization: values.join(", ") }]);
    expect(entered).toEqual([]);
  });

  it("keeps principals of calls that run at the same time apart", async () => {
    const { target, entered } = await startGrpcBench();
    const { payment } = grpcClientsOf(target);
    const [admitted, refused] = await Promise.all([
      payment.charge({ requestId: "7" }, bringing(goodToken)),
      statusOf(payment.charge({ requestId: "8" }, bringing(refusedToken("TOKEN_INVALID")))),
    ]);
    expect(admitted.payment?.name).toBe("payments/7");
    expect(refused.code).toBe(Status.UNAUTHENTICATED);
    expect(entered).toHaveLength(1);
  });

  it("passes statuses and trailers of its handlers on", async () => {
    const { target } = await startGrpcBench({
      payment: {
        charge(_call, answer) {
          const trailer = new Metadata();
          trailer.set("x-trailer", "t");
          answer({ code: Status.NOT_FOUND, details: "no such order", metadata: trailer });
        },
      },
    });
    const { payment } = grpcClientsOf(target);
    const error = await statusOf(payment.charge({}, bringing(goodToken)));
    expect(error).toMatchObject({ code: Status.NOT_FOUND, details: "no such order" });
    expect(error.metadata.get("x-trailer")).toEqual(["t"]);
  });
});
