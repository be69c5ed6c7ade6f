// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { once } from "node:events";
import { create, toBinary } from "@bufbuild/protobuf";
import { anyPack } from "@bufbuild/protobuf/wkt";
import { Metadata, type ServiceError, status as Status, type StatusObject } from "@grpc/grpc-js";
import { describe, expect, it } from "vitest";
import { ErrorInfoSchema } from "../../../src/gen/google/rpc/error_details_pb.js";
import { StatusSchema } from "../../../src/gen/google/rpc/status_pb.js";
import { InventoryService } from "../../../src/gen/inventory/v1/inventory_pb.js";
import { PaymentService } from "../../../src/gen/payment/v1/payment_pb.js";
import { createGrpcInterceptor } from "../../../src/interceptors/grpc-client.js";
import { settle } from "../../support/fake-clock.js";
import { goodToken, lifetimeMs, refusedToken } from "../../support/stub-resource-server.js";
import { createStubTokenSource, fails } from "../../support/stub-token-source.js";
import { type Deferred, defer, errorOf, expectNoSecret } from "../../support/transports.js";
import { inventoryAudience, paymentAudience } from "./connect-bench.js";
import {
  bringing,
  type GrpcTestHandlers,
  grpcCalls,
  grpcClientsOf,
  seenIn,
  startGrpcBench,
  statusOf,
} from "./grpc-bench.js";
import { secrets } from "./outcomes.js";

const toleranceMs = 5_000;

/** Fails every kind of call; streams of responses after a message. */
function failing(fail: () => Promise<Partial<StatusObject> & Error>): Partial<GrpcTestHandlers> {
  return {
    payment: {
      charge: (_call, answer) => void fail().then(answer),
      importSettlements: (_call, answer) => void fail().then(answer),
    },
    inventory: {
      watchStock(call) {
        call.write({});
        void fail().then((error) => call.emit("error", error));
      },
      syncStock(call) {
        call.write({});
        void fail().then((error) => call.emit("error", error));
      },
    },
  };
}

function statusError(code: Status, domain: string, headers: Readonly<Record<string, string>> = {}): ServiceError {
  const metadata = new Metadata();
  const details = [
    anyPack(ErrorInfoSchema, create(ErrorInfoSchema, { domain: "example.com", reason: "OTHER" })),
    anyPack(
      ErrorInfoSchema,
      create(ErrorInfoSchema, { domain, reason: "TOKEN_INVALID", metadata: { audience: paymentAudience } }),
    ),
  ];
  metadata.set(
    "grpc-status-details-bin",
    Buffer.from(toBinary(StatusSchema, create(StatusSchema, { code, message: "no", details }))),
  );
  for (const [name, value] of Object.entries(headers)) metadata.set(name, value);
  return Object.assign(new Error("no"), { code, details: "no", metadata });
}

const refusedDownstream = "a service further downstream refused a call";
const tokenMissing = "this service could not get an access token for a call of its own";

function expectContained(error: ServiceError, message = refusedDownstream, code = Status.INTERNAL): void {
  expect(seenIn(error)).toEqual({
    code,
    message,
    errorInfos: [],
    retryInfos: [],
    wwwAuthenticate: [],
    dpopNonce: [],
  });
  expectNoSecret(error, ...secrets);
}

describe("a handler of a guarded grpc-js server", () => {
  it.each(grpcCalls)("cannot pass a refusal on: $kind", async ({ call }) => {
    const escaped = statusError(Status.UNAUTHENTICATED, "meshauth", { "www-authenticate": "Bearer" });
    const { target } = await startGrpcBench(failing(async () => escaped));
    expectContained(await statusOf(call(grpcClientsOf(target), bringing(goodToken))));
  });

  it.each(grpcCalls)("can fail in its own words: $kind", async ({ call }) => {
    const own = statusError(Status.NOT_FOUND, "shop.example.com", { "x-own": "1" });
    const { target } = await startGrpcBench(failing(async () => own));
    const error = await statusOf(call(grpcClientsOf(target), bringing(goodToken)));
    expect(seenIn(error)).toMatchObject({
      code: Status.NOT_FOUND,
      message: "no",
      errorInfos: [{ domain: "example.com" }, { domain: "shop.example.com" }],
    });
    expect(error.metadata.get("x-own")).toEqual(["1"]);
  });

  it.each(["TOKEN_EXPIRED", "SCOPE_INSUFFICIENT", "AUTHORIZATION_SERVER_UNAVAILABLE"] as const)(
    "cannot pass %s of another guarded server on",
    async (reason) => {
      const downstream = await startGrpcBench();
      const { payment } = grpcClientsOf(downstream.target);
      const { target } = await startGrpcBench(
        failing(() => statusOf(payment.charge({}, bringing(refusedToken(reason))))),
      );
      const { call } = grpcCalls[0] as (typeof grpcCalls)[number];
      expectContained(await statusOf(call(grpcClientsOf(target), bringing(goodToken))));
      expect(downstream.resourceServer.calls).toHaveLength(1);
    },
  );

  it.each(grpcCalls)("cannot pass on that its own credential was refused: $kind", async ({ call }) => {
    const downstream = await startGrpcBench();
    const tokenSource = createStubTokenSource(fails("refused", "invalid_client"));
    const interceptor = createGrpcInterceptor({ tokenSource, services: [PaymentService], channel: downstream });
    const { payment } = grpcClientsOf(downstream.target, [interceptor]);
    const { target } = await startGrpcBench(failing(() => statusOf(payment.charge({}))));
    expectContained(await statusOf(call(grpcClientsOf(target), bringing(goodToken))), tokenMissing);
    expect(downstream.resourceServer.calls).toEqual([]);
  });

  it("can pass on that no token is to be had at the moment, but not which", async () => {
    const downstream = await startGrpcBench();
    const tokenSource = createStubTokenSource(fails("unavailable"));
    const interceptor = createGrpcInterceptor({ tokenSource, services: [PaymentService], channel: downstream });
    const { payment } = grpcClientsOf(downstream.target, [interceptor]);
    const { target } = await startGrpcBench(failing(() => statusOf(payment.charge({}))));
    const error = await statusOf(grpcClientsOf(target).payment.charge({}, bringing(goodToken)));
    expectContained(error, tokenMissing, Status.UNAVAILABLE);
  });

  it("can refuse in its own words", async () => {
    const own = Object.assign(new Error("who are you"), { code: Status.UNAUTHENTICATED, metadata: new Metadata() });
    const { target } = await startGrpcBench(failing(async () => own));
    const error = await statusOf(grpcClientsOf(target).payment.charge({}, bringing(goodToken)));
    expect(error).toMatchObject({ code: Status.UNAUTHENTICATED, details: "who are you" });
  });

  it("fails with UNKNOWN, as without us, when it throws", async () => {
    const { target } = await startGrpcBench({
      payment: {
        charge() {
          throw new Error(`bug: ${goodToken}`);
        },
      },
    });
    const error = await statusOf(grpcClientsOf(target).payment.charge({}, bringing(goodToken)));
    expect(error.code).toBe(Status.UNKNOWN);
    expectNoSecret(error, goodToken);
  });
});

const closing = [
  InventoryService.method.watchStock,
  InventoryService.method.syncStock,
  PaymentService.method.importSettlements,
];

/** A call as a streaming handler has it. */
interface StreamingCall {
  readonly cancelled: boolean;
  on(event: "cancelled", listener: () => void): unknown;
}

/** Streaming handlers that do what the test says. Those that can send a message first, and say so. */
function behaving(behave: (call: StreamingCall, end: (error?: Error) => void) => void): {
  readonly entered: Deferred<StreamingCall>;
  readonly handlers: Partial<GrpcTestHandlers>;
} {
  const entered = defer<StreamingCall>();
  const run = (call: StreamingCall, end: (error?: Error) => void): void => {
    entered.resolve(call);
    behave(call, end);
  };
  return {
    entered,
    handlers: {
      payment: {
        importSettlements: (call, answer) =>
          run(call, (error) => (error === undefined ? answer(null, { settledCount: 7 }) : answer(error))),
      },
      inventory: {
        watchStock(call) {
          call.write({}, () =>
            run(call, (error) => (error === undefined ? call.end() : void call.emit("error", error))),
          );
        },
        syncStock(call) {
          call.write({}, () =>
            run(call, (error) => (error === undefined ? call.end() : void call.emit("error", error))),
          );
        },
      },
    },
  };
}

const streams = grpcCalls.filter(({ kind }) => kind !== "unary");

describe.each(streams)("a $kind that ends with its token", ({ audience, call }) => {
  it("ends at the expiry, within the clocks' tolerance, and is cancelled for its handler", async () => {
    const { entered, handlers } = behaving(() => {});
    const { target, resourceServer } = await startGrpcBench(handlers, { streams: { closing } });
    const failed = statusOf(call(grpcClientsOf(target), bringing(goodToken)));
    const inside = await entered.promise;
    resourceServer.clock.advance(lifetimeMs + toleranceMs - 1);
    expect(resourceServer.clock.pending).toBe(1);
    expect(inside.cancelled).toBe(false);
    const cancelled = new Promise<void>((resolve) => inside.on("cancelled", resolve));
    resourceServer.clock.advance(1);
    await cancelled;
    expect(inside.cancelled).toBe(true);
    expect(resourceServer.clock.pending).toBe(0);
    const error = await failed;
    expect(seenIn(error)).toMatchObject({
      code: Status.UNAUTHENTICATED,
      message: "the access token expired during the stream",
      errorInfos: [{ reason: "TOKEN_EXPIRED", domain: "meshauth", metadata: { audience, stream: "true" } }],
      wwwAuthenticate: ['Bearer error="invalid_token"'],
    });
    expectNoSecret(error, goodToken);
  });

  it("leaves no timer behind when it ends before", async () => {
    const { handlers } = behaving((_call, end) => end());
    const { target, resourceServer } = await startGrpcBench(handlers, { streams: { closing } });
    await call(grpcClientsOf(target), bringing(goodToken));
    expect(resourceServer.clock.pending).toBe(0);
    expect(resourceServer.calls).toHaveLength(1);
  });

  it("leaves no timer behind when it fails before", async () => {
    const own = Object.assign(new Error("no stock"), { code: Status.NOT_FOUND });
    const { handlers } = behaving((_call, end) => end(own));
    const { target, resourceServer } = await startGrpcBench(handlers, { streams: { closing } });
    const error = await statusOf(call(grpcClientsOf(target), bringing(goodToken)));
    expect(error.code).toBe(Status.NOT_FOUND);
    expect(resourceServer.clock.pending).toBe(0);
  });

  it("leaves no timer behind when its client cancels it", async () => {
    const { entered, handlers } = behaving(() => {});
    const { target, resourceServer } = await startGrpcBench(handlers, { streams: { closing } });
    const cancel = new AbortController();
    const failed = statusOf(call(grpcClientsOf(target), { ...bringing(goodToken), signal: cancel.signal }));
    const inside = await entered.promise;
    expect(resourceServer.clock.pending).toBe(1);
    const cancelled = new Promise<void>((resolve) => inside.on("cancelled", resolve));
    cancel.abort();
    await cancelled;
    expect(resourceServer.clock.pending).toBe(0);
    expect((await failed).code).toBe(Status.CANCELLED);
  });

  it("has no timer when it is refused", async () => {
    const { handlers } = behaving(() => {});
    const { target, resourceServer } = await startGrpcBench(handlers, { streams: { closing } });
    await statusOf(call(grpcClientsOf(target), bringing(refusedToken("TOKEN_EXPIRED"))));
    expect(resourceServer.clock.pending).toBe(0);
  });
});

describe.each(streams)("a $kind that its rule keeps", ({ call }) => {
  it("goes on beyond the expiry, and has no timer", async () => {
    const release = defer();
    const { entered, handlers } = behaving((_call, end) => void release.promise.then(() => end()));
    const { target, resourceServer } = await startGrpcBench(handlers, {
      streams: { keeping: [InventoryService.method.watchStock] },
    });
    const result = call(grpcClientsOf(target), bringing(goodToken));
    const inside = await entered.promise;
    expect(resourceServer.clock.pending).toBe(0);
    resourceServer.clock.advance(lifetimeMs * 2);
    await settle();
    expect(inside.cancelled).toBe(false);
    release.resolve();
    await expect(result).resolves.toBeDefined();
  });
});

describe("a stream that ends with its token", () => {
  it("says so even if its handler writes at that very moment", async () => {
    const ready = defer<() => void>();
    const { target, resourceServer } = await startGrpcBench(
      {
        inventory: {
          watchStock(call) {
            call.write({}, () => ready.resolve(() => void call.write({})));
          },
        },
      },
      { streams: { closing } },
    );
    const stream = grpcClientsOf(target).inventory.watchStock({}, bringing(goodToken));
    const failed = errorOf(once(stream.resume(), "end"));
    const write = await ready.promise;
    resourceServer.clock.advance(lifetimeMs + toleranceMs);
    write();
    expect(seenIn((await failed) as ServiceError)).toMatchObject({
      code: Status.UNAUTHENTICATED,
      errorInfos: [{ reason: "TOKEN_EXPIRED", metadata: { audience: inventoryAudience, stream: "true" } }],
    });
  });

  it("stops its timer as soon as its handler ends it", async () => {
    const pending: number[] = [];
    const { target, resourceServer } = await startGrpcBench(
      {
        payment: {
          importSettlements(_call, answer) {
            pending.push(resourceServer.clock.pending);
            answer({ code: Status.NOT_FOUND, details: "no" });
            pending.push(resourceServer.clock.pending);
          },
        },
      },
      { streams: { closing } },
    );
    await statusOf(grpcClientsOf(target).payment.importSettlements(bringing(goodToken)).response);
    expect(pending).toEqual([1, 0]);
  });

  it("says so once, even if its handler ends at that very moment", async () => {
    const ready = defer<() => void>();
    const { target, resourceServer } = await startGrpcBench(
      {
        inventory: {
          watchStock(call) {
            call.write({}, () => ready.resolve(() => call.end()));
          },
        },
      },
      { streams: { closing } },
    );
    const stream = grpcClientsOf(target).inventory.watchStock({}, bringing(goodToken));
    const failed = errorOf(once(stream.resume(), "end"));
    const end = await ready.promise;
    resourceServer.clock.advance(lifetimeMs + toleranceMs);
    end();
    expect(((await failed) as ServiceError).code).toBe(Status.UNAUTHENTICATED);
    expect(resourceServer.clock.pending).toBe(0);
  });
});
