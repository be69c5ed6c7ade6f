// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { getEventListeners } from "node:events";
import type { MessageShape } from "@bufbuild/protobuf";
import {
  ChannelCredentials,
  type ClientDuplexStream,
  type ClientReadableStream,
  InterceptingCall,
  type Interceptor,
  Metadata,
  Server,
  type ServiceError,
  status as Status,
} from "@grpc/grpc-js";
import { describe, expect, expectTypeOf, it, onTestFinished } from "vitest";
import {
  InventoryService,
  type SyncStockResponseSchema,
  type WatchStockResponseSchema,
} from "../../../src/gen/inventory/v1/inventory_pb.js";
import { type ChargeResponse, PaymentService } from "../../../src/gen/payment/v1/payment_pb.js";
import {
  type ClientStreamCall,
  createGrpcClient,
  type GrpcClient,
  type GrpcClientOptions,
} from "../../../src/grpc-js/client.js";
import { addService, type GrpcHandlers } from "../../../src/grpc-js/service-definition.js";
import { collect, type Deferred, defer, errorOf, startGrpcServer } from "../../support/transports.js";

interface Bench {
  readonly payment: GrpcClient<typeof PaymentService>;
  readonly inventory: GrpcClient<typeof InventoryService>;
  /** The metadata of every call that reached the server, in order. */
  readonly seen: readonly Metadata[];
}

type Handlers = Partial<GrpcHandlers<typeof PaymentService>> & Partial<GrpcHandlers<typeof InventoryService>>;

/** A server that answers with plain objects, and clients of it. */
async function start(handlers: Handlers = {}, options: Partial<GrpcClientOptions> = {}): Promise<Bench> {
  const seen: Metadata[] = [];
  const server = new Server();
  const echo: Handlers = {
    charge(call, answer) {
      seen.push(call.metadata);
      answer(null, { payment: { name: `payments/${call.request.requestId}`, amount: call.request.amount } as never });
    },
    importSettlements(call, answer) {
      seen.push(call.metadata);
      const rejectedPayments: string[] = [];
      call.on("data", ({ payment }) => rejectedPayments.push(payment));
      call.on("end", () => answer(null, { settledCount: rejectedPayments.length, rejectedPayments }));
    },
    watchStock(call) {
      seen.push(call.metadata);
      for (let available = 1; available <= 3; available += 1) {
        call.write({ stockLevel: { sku: call.request.sku, available } });
      }
      call.end();
    },
    syncStock(call) {
      seen.push(call.metadata);
      call.on("data", ({ sku, counted }) => void call.write({ stockLevel: { sku, available: counted } }));
      call.on("end", () => call.end());
    },
    ...handlers,
  };
  addService(server, PaymentService, echo as GrpcHandlers<typeof PaymentService>);
  addService(server, InventoryService, echo as GrpcHandlers<typeof InventoryService>);
  const clientOptions = {
    target: await startGrpcServer(server),
    credentials: ChannelCredentials.createInsecure(),
    ...options,
  };
  const payment = createGrpcClient(PaymentService, clientOptions);
  const inventory = createGrpcClient(InventoryService, clientOptions);
  onTestFinished(() => {
    payment.close();
    inventory.close();
  });
  return { payment, inventory, seen };
}

function metadataWith(name: string, value: string): Metadata {
  const metadata = new Metadata();
  metadata.set(name, value);
  return metadata;
}

describe("createGrpcClient", () => {
  it("has a method for each RPC, and one to close the channel", async () => {
    const { payment } = await start();
    expect(Object.keys(payment)).toEqual(["charge", "listPayments", "refund", "importSettlements", "close"]);
  });

  it("makes unary calls, from plain objects to messages", async () => {
    const { payment } = await start();
    const response = await payment.charge({ requestId: "7", amount: { currencyCode: "EUR", units: 3n } });
    expect(response.payment?.name).toBe("payments/7");
    expect(response.payment?.amount).toMatchObject({ currencyCode: "EUR", units: 3n, nanos: 0 });
    expect(response.$typeName).toBe("payment.v1.ChargeResponse");
  });

  it("makes server streaming calls", async () => {
    const { inventory } = await start();
    const messages = await collect(inventory.watchStock({ sku: "tea" }));
    expect(messages.map(({ stockLevel }) => [stockLevel?.sku, stockLevel?.available])).toEqual([
      ["tea", 1],
      ["tea", 2],
      ["tea", 3],
    ]);
  });

  it("makes client streaming calls", async () => {
    const { payment } = await start();
    const { requests, response } = payment.importSettlements();
    requests.write({ payment: "payments/1" });
    requests.write({ payment: "payments/2" });
    requests.end();
    expect(await response).toMatchObject({ settledCount: 2, rejectedPayments: ["payments/1", "payments/2"] });
  });

  it("makes bidirectional calls, message by message", async () => {
    const { inventory } = await start();
    const call = inventory.syncStock();
    const messages = call[Symbol.asyncIterator]();
    for (const counted of [3, 4]) {
      call.write({ sku: "tea", counted });
      expect((await messages.next()).value?.stockLevel?.available).toBe(counted);
    }
    call.end();
    expect(await messages.next()).toMatchObject({ done: true });
  });

  it("is typed by the descriptor", () => {
    type Payment = GrpcClient<typeof PaymentService>;
    type Inventory = GrpcClient<typeof InventoryService>;
    expectTypeOf<ReturnType<Payment["charge"]>>().toEqualTypeOf<Promise<ChargeResponse>>();
    expectTypeOf<ReturnType<Inventory["watchStock"]>>().toEqualTypeOf<
      ClientReadableStream<MessageShape<typeof WatchStockResponseSchema>>
    >();
    expectTypeOf<ReturnType<Payment["importSettlements"]>>().toMatchTypeOf<
      ClientStreamCall<{ payment?: string }, { settledCount: number }>
    >();
    expectTypeOf<ReturnType<Inventory["syncStock"]>>().toMatchTypeOf<
      ClientDuplexStream<{ sku?: string }, MessageShape<typeof SyncStockResponseSchema>>
    >();
    expectTypeOf<Parameters<Payment["charge"]>[0]>().not.toBeAny();
  });

  const own = Object.assign(new Error("no"), { code: Status.NOT_FOUND, details: "no such thing" });
  const failingCalls: readonly [string, Handlers, (bench: Bench) => Promise<unknown>][] = [
    ["unary", { charge: (_call, answer) => answer(own) }, ({ payment }) => payment.charge({})],
    [
      "server streaming",
      { watchStock: (call) => void call.emit("error", own) },
      ({ inventory }) => collect(inventory.watchStock({})),
    ],
    [
      "client streaming",
      { importSettlements: (_call, answer) => answer(own) },
      ({ payment }) => payment.importSettlements().response,
    ],
    [
      "bidirectional",
      { syncStock: (call) => void call.emit("error", own) },
      ({ inventory }) => collect(inventory.syncStock()),
    ],
  ];

  it.each(failingCalls)("fails with the status of the server: %s", async (_, handlers, call) => {
    const error = (await errorOf(call(await start(handlers)))) as ServiceError;
    expect(error).toBeInstanceOf(Error);
    expect(error).toMatchObject({ code: Status.NOT_FOUND, details: "no such thing" });
    expect(error.metadata).toBeInstanceOf(Metadata);
  });

  it("fails, and does not throw, when a request cannot be written", async () => {
    const { payment } = await start();
    const error = (await errorOf(payment.charge({ amount: { nanos: 2 ** 40 } }))) as ServiceError;
    expect(error.code).toBe(Status.INTERNAL);
  });

  it("sends the metadata of a call", async () => {
    const { payment, inventory, seen } = await start();
    const metadata = metadataWith("x-call", "7");
    await payment.charge({}, { metadata });
    await collect(inventory.watchStock({}, { metadata }));
    const clientStream = payment.importSettlements({ metadata });
    clientStream.requests.end();
    await clientStream.response;
    const bidi = inventory.syncStock({ metadata });
    bidi.end();
    await collect(bidi);
    expect(seen.map((each) => each.get("x-call"))).toEqual([["7"], ["7"], ["7"], ["7"]]);
  });

  it("sends none if there is none", async () => {
    const { payment, seen } = await start();
    await payment.charge({});
    expect(Object.keys(seen[0]?.getMap() ?? { no: "call" })).toEqual(["user-agent"]);
  });

  it("hands the other options of a call to grpc-js, and neither its metadata nor its signal", async () => {
    const options: unknown[] = [];
    const note: Interceptor = (given, nextCall) => {
      options.push(Object.keys(given).sort());
      return new InterceptingCall(nextCall(given));
    };
    const deadline = Date.now() + 60_000;
    const { payment } = await start({}, { interceptors: [note] });
    await payment.charge({}, { deadline, metadata: new Metadata(), signal: new AbortController().signal });
    expect(options).toEqual([["deadline", "method_definition"]]);
  });

  it("runs its interceptors with every call, in order", async () => {
    const trace: string[] = [];
    const note =
      (name: string): Interceptor =>
      (options, nextCall) => {
        trace.push(`${name} ${options.method_definition.path}`);
        return new InterceptingCall(nextCall(options));
      };
    const { payment, inventory } = await start({}, { interceptors: [note("a"), note("b")] });
    await payment.charge({});
    await collect(inventory.watchStock({}));
    expect(trace).toEqual([
      "a /payment.v1.PaymentService/Charge",
      "b /payment.v1.PaymentService/Charge",
      "a /inventory.v1.InventoryService/WatchStock",
      "b /inventory.v1.InventoryService/WatchStock",
    ]);
  });

  it("hands the options of the channel to grpc-js", async () => {
    const { payment } = await start({}, { channel: { "grpc.max_receive_message_length": 5 } });
    const error = (await errorOf(payment.charge({ requestId: "a long one" }))) as ServiceError;
    expect(error.code).toBe(Status.RESOURCE_EXHAUSTED);
  });

  it("makes no call once it is closed", async () => {
    const { payment } = await start();
    payment.close();
    expect(await errorOf(payment.charge({}))).toBeInstanceOf(Error);
  });
});

/** Handlers that never answer, and say when they are entered and cancelled. */
function stuck(): { readonly entered: Deferred; readonly cancelled: Deferred; readonly handlers: Handlers } {
  const entered = defer();
  const cancelled = defer();
  const wait = (call: { on(event: "cancelled", listener: () => void): unknown }): void => {
    call.on("cancelled", () => cancelled.resolve());
    entered.resolve();
  };
  return {
    entered,
    cancelled,
    handlers: { charge: wait, watchStock: wait, importSettlements: wait, syncStock: wait },
  };
}

const cancellable: readonly {
  readonly kind: string;
  readonly call: (bench: Bench, signal: AbortSignal) => Promise<unknown>;
  readonly finish: (bench: Bench, signal: AbortSignal) => Promise<unknown>;
}[] = [
  {
    kind: "unary",
    call: ({ payment }, signal) => payment.charge({}, { signal }),
    finish: ({ payment }, signal) => payment.charge({}, { signal }),
  },
  {
    kind: "server streaming",
    call: ({ inventory }, signal) => collect(inventory.watchStock({}, { signal })),
    finish: ({ inventory }, signal) => collect(inventory.watchStock({}, { signal })),
  },
  {
    kind: "client streaming",
    call: ({ payment }, signal) => payment.importSettlements({ signal }).response,
    finish: ({ payment }, signal) => {
      const { requests, response } = payment.importSettlements({ signal });
      requests.end();
      return response;
    },
  },
  {
    kind: "bidirectional",
    call: ({ inventory }, signal) => collect(inventory.syncStock({ signal })),
    finish: ({ inventory }, signal) => {
      const call = inventory.syncStock({ signal });
      call.end();
      return collect(call);
    },
  },
];

describe.each(cancellable)("the signal of a $kind call", ({ call, finish }) => {
  it("cancels it while it runs", async () => {
    const { entered, cancelled, handlers } = stuck();
    const bench = await start(handlers);
    const cancel = new AbortController();
    const failed = errorOf(call(bench, cancel.signal));
    await entered.promise;
    cancel.abort();
    expect(((await failed) as ServiceError).code).toBe(Status.CANCELLED);
    await cancelled.promise;
  });

  it("keeps it from being made if it is aborted before", async () => {
    const bench = await start();
    const error = (await errorOf(call(bench, AbortSignal.abort()))) as ServiceError;
    expect(error.code).toBe(Status.CANCELLED);
    expect(bench.seen).toEqual([]);
  });

  it("is left alone when the call is over", async () => {
    const bench = await start();
    const { signal } = new AbortController();
    const finished = finish(bench, signal);
    expect(getEventListeners(signal, "abort")).toHaveLength(1);
    await finished;
    await new Promise((resolve) => setImmediate(resolve));
    expect(getEventListeners(signal, "abort")).toEqual([]);
  });
});
