// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { randomUUID } from "node:crypto";
import { create } from "@bufbuild/protobuf";
import { type Client, Code, ConnectError, createClient } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-node";
import { ChannelCredentials } from "@grpc/grpc-js";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startOrderService } from "../../services/order/server.js";
import { Payments } from "../../services/payment/payments.js";
import { startPaymentService } from "../../services/payment/server.js";
import { BadRequestSchema, ErrorInfoSchema } from "../../src/gen/google/rpc/error_details_pb.js";
import { InventoryService, type StockLevel } from "../../src/gen/inventory/v1/inventory_pb.js";
import { OrderService, OrderState } from "../../src/gen/order/v1/order_pb.js";
import { ListPaymentsRequestSchema, PaymentService, PaymentState } from "../../src/gen/payment/v1/payment_pb.js";
import { createAuthenticatedClient, type GrpcClient } from "../../src/grpc.js";
import { createConnectInterceptor } from "../../src/index.js";
import { startTestMesh, type TestMesh } from "../support/test-mesh.js";

let mesh: TestMesh;
let orders: Client<typeof OrderService>;
let payments: Client<typeof PaymentService>;
let inventory: GrpcClient<typeof InventoryService>;

beforeAll(async () => {
  mesh = await startTestMesh();
  const interceptors = (clientId: string) => [createConnectInterceptor({ tokenSource: mesh.tokenSource(clientId) })];
  orders = createClient(
    OrderService,
    createConnectTransport({ baseUrl: mesh.orderUrl, httpVersion: "2", interceptors: interceptors("storefront") }),
  );
  payments = createClient(
    PaymentService,
    createConnectTransport({ baseUrl: mesh.paymentUrl, httpVersion: "2", interceptors: interceptors("back-office") }),
  );
  inventory = createAuthenticatedClient(InventoryService, {
    target: mesh.inventoryTarget,
    credentials: ChannelCredentials.createInsecure(),
    tokenSource: mesh.tokenSource("order-service"),
  });
});
afterAll(async () => {
  inventory.close();
  await mesh.close();
});

async function levelOf(sku: string): Promise<StockLevel | undefined> {
  return (await inventory.checkStock({ skus: [sku] })).stockLevels[0];
}

async function failureOf(call: Promise<unknown>): Promise<ConnectError> {
  const error = await call.then(() => undefined, ConnectError.from);
  if (error === undefined) throw new Error("the call went through");
  return error;
}

function reasonOf(error: ConnectError): string | undefined {
  return error.findDetails(ErrorInfoSchema)[0]?.reason;
}

async function countPayments(order: string): Promise<number> {
  const { payments: all } = await payments.listPayments({ pageSize: 1000 });
  return all.filter((payment) => payment.order === order).length;
}

describe("PlaceOrder", () => {
  it("checks stock, reserves it, charges and confirms", async () => {
    const before = await levelOf("teapot");
    const { order } = await orders.placeOrder({ requestId: randomUUID(), lineItems: [{ sku: "teapot", quantity: 2 }] });
    expect(order).toMatchObject({ state: OrderState.CONFIRMED, total: { units: 98n, nanos: 0, currencyCode: "USD" } });
    expect((await levelOf("teapot"))?.available).toBe((before?.available ?? 0) - 2);
    const { payments: all } = await payments.listPayments({});
    expect(all[0]).toMatchObject({ name: order?.payment, order: order?.name, state: PaymentState.CHARGED });
  });

  it("is one order and one charge when the same request key comes twice, one after the other", async () => {
    const request = { requestId: randomUUID(), lineItems: [{ sku: "tea-black", quantity: 1 }] };
    const first = await orders.placeOrder(request);
    const second = await orders.placeOrder(request);
    expect(second.order).toEqual(first.order);
    expect(await countPayments(first.order?.name ?? "")).toBe(1);
  });

  it("is one order and one charge when the same request key comes many times at once", async () => {
    const request = { requestId: randomUUID(), lineItems: [{ sku: "tea-black", quantity: 1 }] };
    const before = await levelOf("tea-black");
    const all = await Promise.all(Array.from({ length: 20 }, () => orders.placeOrder(request)));
    const names = new Set(all.map(({ order }) => order?.name));
    expect(names.size).toBe(1);
    expect(await countPayments([...names][0] ?? "")).toBe(1);
    expect((await levelOf("tea-black"))?.available).toBe((before?.available ?? 0) - 1);
  });

  it("refuses a request key that comes again with another order", async () => {
    const requestId = randomUUID();
    await orders.placeOrder({ requestId, lineItems: [{ sku: "tea-black", quantity: 1 }] });
    const error = await failureOf(orders.placeOrder({ requestId, lineItems: [{ sku: "tea-black", quantity: 2 }] }));
    expect([error.code, reasonOf(error)]).toEqual([Code.InvalidArgument, "REQUEST_ID_REUSED"]);
  });

  it("releases the reservation when the charge is declined", async () => {
    const before = await levelOf("samovar");
    const request = { requestId: randomUUID(), lineItems: [{ sku: "samovar", quantity: 1 }] };
    const error = await failureOf(orders.placeOrder(request));
    expect([error.code, reasonOf(error)]).toEqual([Code.FailedPrecondition, "PAYMENT_DECLINED"]);
    expect(await levelOf("samovar")).toEqual(before);
    const again = await failureOf(orders.placeOrder(request));
    expect(reasonOf(again)).toBe("PAYMENT_DECLINED");
  });

  it("reserves nothing when there is not enough", async () => {
    const before = await levelOf("samovar");
    const lineItems = [
      { sku: "tea-green", quantity: 1 },
      { sku: "samovar", quantity: 4 },
    ];
    const error = await failureOf(orders.placeOrder({ requestId: randomUUID(), lineItems }));
    expect([error.code, reasonOf(error)]).toEqual([Code.FailedPrecondition, "OUT_OF_STOCK"]);
    expect(await levelOf("samovar")).toEqual(before);
  });

  it("says which fields of a request are wrong", async () => {
    const lineItems = [
      { sku: "tea green", quantity: 0 },
      { sku: "tea green", quantity: 1 },
    ];
    const error = await failureOf(orders.placeOrder({ requestId: "", lineItems }));
    expect(error.code).toBe(Code.InvalidArgument);
    const fields = error.findDetails(BadRequestSchema)[0]?.fieldViolations.map(({ field }) => field);
    expect(fields).toEqual([
      "request_id",
      "line_items",
      "line_items[0].sku",
      "line_items[0].quantity",
      "line_items[1].sku",
    ]);
  });

  it("finds an order again, over a Connect GET as well", async () => {
    const { order } = await orders.placeOrder({
      requestId: randomUUID(),
      lineItems: [{ sku: "tea-green", quantity: 1 }],
    });
    expect((await orders.getOrder({ name: order?.name ?? "" })).order).toEqual(order);
    const message = encodeURIComponent(JSON.stringify({ name: order?.name }));
    const url = `${mesh.orderUrl}/order.v1.OrderService/GetOrder?connect=v1&encoding=json&message=${message}`;
    const authorization = await mesh.authorization("storefront", {
      audience: "https://order-service.internal",
      scopes: ["orders:read"],
    });
    const response = await fetch(url, { headers: { authorization } });
    expect([response.status, await response.json()]).toEqual([
      200,
      { order: expect.objectContaining({ name: order?.name }) },
    ]);
    expect((await fetch(url)).status).toBe(401);
    expect((await failureOf(orders.getOrder({ name: "orders/none" }))).code).toBe(Code.NotFound);
  });

  it("goes on with what a lost payment service left pending, and charges once", async () => {
    const shared = new Payments();
    const options = { issuer: mesh.issuer, port: 0, payments: shared };
    const first = await startPaymentService(options);
    const port = Number(first.address.split(":")[1]);
    const order = await startOrderService({
      issuer: mesh.issuer,
      port: 0,
      tokenSource: mesh.tokenSource("order-service"),
      inventoryTarget: mesh.inventoryTarget,
      paymentUrl: `http://${first.address}`,
    });
    const interceptors = [createConnectInterceptor({ tokenSource: mesh.tokenSource("storefront") })];
    const transport = createConnectTransport({ baseUrl: `http://${order.address}`, httpVersion: "2", interceptors });
    const client = createClient(OrderService, transport);
    await first.close();

    const request = { requestId: randomUUID(), lineItems: [{ sku: "tea-green", quantity: 1 }] };
    const error = await failureOf(client.placeOrder(request));
    expect([error.code, reasonOf(error)]).toEqual([Code.Unavailable, "TRY_AGAIN"]);

    const second = await startPaymentService({ ...options, port });
    const placed = await client.placeOrder(request);
    expect(placed.order?.state).toBe(OrderState.CONFIRMED);
    expect(shared.list(create(ListPaymentsRequestSchema)).payments).toMatchObject([{ order: placed.order?.name }]);
    await order.close();
    await second.close();
  });
});

describe("ListPayments", () => {
  it("pages through all payments, newest first", async () => {
    for (let index = 0; index < 3; index += 1) {
      await orders.placeOrder({ requestId: randomUUID(), lineItems: [{ sku: "tea-green", quantity: 1 }] });
    }
    const { payments: all } = await payments.listPayments({ pageSize: 1000 });
    const paged: string[] = [];
    let pageToken = "";
    do {
      const page = await payments.listPayments({ pageSize: 2, pageToken });
      expect(page.payments.length).toBeLessThanOrEqual(2);
      paged.push(...page.payments.map(({ name }) => name));
      pageToken = page.nextPageToken;
    } while (pageToken !== "");
    expect(paged).toEqual(all.map(({ name }) => name));
    expect((await failureOf(payments.listPayments({ pageToken: "x" }))).code).toBe(Code.InvalidArgument);
  });
});

describe("ImportSettlements", () => {
  it("settles payments whose amount matches, and names the others", async () => {
    const { order } = await orders.placeOrder({
      requestId: randomUUID(),
      lineItems: [{ sku: "tea-green", quantity: 1 }],
    });
    const amount = { currencyCode: "USD", units: 8n, nanos: 900_000_000 };
    const answer = await payments.importSettlements(
      (async function* () {
        yield { payment: order?.payment ?? "", amount };
        yield { payment: "payments/none", amount };
      })(),
    );
    expect(answer).toMatchObject({ settledCount: 1, rejectedPayments: ["payments/none"] });
  });
});

describe("streams of the inventory service", () => {
  it("say what is wrong with a request", async () => {
    const watching = inventory.watchStock({ sku: "no such article" });
    await expect(watching[Symbol.asyncIterator]().next()).rejects.toMatchObject({ code: Code.InvalidArgument });
    const sync = inventory.syncStock();
    sync.write({ sku: "teapot", counted: -1 });
    await expect(sync[Symbol.asyncIterator]().next()).rejects.toMatchObject({ code: Code.InvalidArgument });
    sync.end();
  });
});

describe("SyncStock", () => {
  it("answers every counted level, and tells those who watch", async () => {
    const watching = inventory.watchStock({ sku: "tea-black" });
    const seen = watching[Symbol.asyncIterator]();
    await seen.next();
    const sync = inventory.syncStock();
    sync.write({ sku: "tea-black", counted: 500 });
    sync.end();
    const answers: unknown[] = [];
    for await (const answer of sync) answers.push(answer);
    expect(answers).toMatchObject([{ stockLevel: { sku: "tea-black", available: 500 } }]);
    expect((await seen.next()).value).toMatchObject({ stockLevel: { sku: "tea-black", available: 500 } });
    watching.on("error", () => {});
    watching.cancel();
  });
});
