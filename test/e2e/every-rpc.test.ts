// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { randomUUID } from "node:crypto";
import type { DescMessage, DescMethod, MessageInitShape } from "@bufbuild/protobuf";
import { Code, ConnectError, type Transport } from "@connectrpc/connect";
import { createConnectTransport, createGrpcTransport, createGrpcWebTransport } from "@connectrpc/connect-node";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { services } from "../../services/shared/example-mesh.js";
import { InventoryService, type ReserveStockResponse } from "../../src/gen/inventory/v1/inventory_pb.js";
import { OrderService, type PlaceOrderResponse } from "../../src/gen/order/v1/order_pb.js";
import { PaymentService } from "../../src/gen/payment/v1/payment_pb.js";
import { createRuleSet, type TokenRequirement } from "../../src/index.js";
import { invoke, refusalOf } from "../support/invoke.js";
import { startTestMesh, type TestMesh } from "../support/test-mesh.js";

let mesh: TestMesh;
beforeAll(async () => {
  mesh = await startTestMesh();
});
afterAll(async () => {
  await mesh.close();
});

type Init = MessageInitShape<DescMessage>;

interface Scenario {
  readonly method: DescMethod;
  /** A client that the rule allows. */
  readonly caller: string;
  /** A request that works. */
  readonly request: () => Promise<Init> | Init;
  /** What makes a stream say something. */
  readonly meanwhile?: () => Promise<unknown>;
}

const order = OrderService.method;
const payment = PaymentService.method;
const inventory = InventoryService.method;
const lines = [{ sku: "tea-green", quantity: 1 }];

async function placeOrder(): Promise<PlaceOrderResponse> {
  const request = { requestId: randomUUID(), lineItems: lines };
  const authorization = await authorize("storefront", order.placeOrder);
  return (await invoke(
    connectTo(OrderService.typeName),
    order.placeOrder,
    request,
    authorization,
  )) as PlaceOrderResponse;
}

async function reserve(): Promise<string> {
  const authorization = await authorize("order-service", inventory.reserveStock);
  const transport = createGrpcTransport({ baseUrl: `http://${mesh.inventoryTarget}` });
  const response = await invoke(transport, inventory.reserveStock, { requestId: randomUUID(), lines }, authorization);
  return (response as ReserveStockResponse).reservation?.name ?? "";
}

const scenarios: readonly Scenario[] = [
  { method: order.placeOrder, caller: "storefront", request: () => ({ requestId: randomUUID(), lineItems: lines }) },
  {
    method: order.getOrder,
    caller: "storefront",
    request: async () => ({ name: (await placeOrder()).order?.name ?? "" }),
  },
  { method: order.watchOrders, caller: "storefront", request: () => ({}), meanwhile: placeOrder },
  {
    method: payment.charge,
    caller: "order-service",
    request: () => ({
      requestId: randomUUID(),
      order: "orders/1",
      amount: { currencyCode: "USD", units: 1n },
    }),
  },
  { method: payment.listPayments, caller: "back-office", request: () => ({}) },
  {
    method: payment.refund,
    caller: "back-office",
    request: async () => ({ name: (await placeOrder()).order?.payment ?? "" }),
  },
  {
    method: payment.importSettlements,
    caller: "back-office",
    request: async () => {
      const placed = (await placeOrder()).order;
      return { payment: placed?.payment ?? "", ...(placed?.total && { amount: placed.total }) };
    },
  },
  { method: inventory.checkStock, caller: "order-service", request: () => ({ skus: ["teapot"] }) },
  { method: inventory.reserveStock, caller: "order-service", request: () => ({ requestId: randomUUID(), lines }) },
  { method: inventory.confirmReservation, caller: "order-service", request: async () => ({ name: await reserve() }) },
  { method: inventory.cancelReservation, caller: "order-service", request: async () => ({ name: await reserve() }) },
  { method: inventory.watchStock, caller: "order-service", request: () => ({ sku: "teapot" }) },
  { method: inventory.syncStock, caller: "order-service", request: () => ({ sku: "teapot", counted: 25 }) },
];

const rules = createRuleSet({ services });

function needOf(method: DescMethod): TokenRequirement {
  const rule = rules.forMethod(method);
  if (rule?.rule.requirement.kind !== "scopes") throw new Error(`${method.name} needs no scopes`);
  return { audience: rule.audience, scopes: rule.rule.requirement.anyOf[0] ?? [] };
}

async function authorize(caller: string, method: DescMethod): Promise<string> {
  return await mesh.authorization(caller, needOf(method));
}

const audiences = ["https://order-service.internal", "https://payment-service.internal"];

/** A token without scopes for another service: everybody can have one. */
async function authorizeElsewhere(caller: string, method: DescMethod): Promise<string> {
  const [audience = ""] = audiences.filter((each) => each !== needOf(method).audience);
  return await mesh.authorization(caller, { audience, scopes: [] });
}

async function authorizeWithoutScopes(caller: string, method: DescMethod): Promise<string> {
  return await mesh.authorization(caller, { audience: needOf(method).audience, scopes: [] });
}

const transports: Record<string, (baseUrl: string) => Transport> = {
  "Connect over HTTP/1.1": (baseUrl) => createConnectTransport({ baseUrl, httpVersion: "1.1", useHttpGet: true }),
  "Connect over HTTP/2": (baseUrl) => createConnectTransport({ baseUrl, httpVersion: "2" }),
  "Connect with JSON": (baseUrl) => createConnectTransport({ baseUrl, httpVersion: "2", useBinaryFormat: false }),
  gRPC: (baseUrl) => createGrpcTransport({ baseUrl }),
  "gRPC-Web over HTTP/1.1": (baseUrl) => createGrpcWebTransport({ baseUrl, httpVersion: "1.1" }),
  "gRPC-Web over HTTP/2": (baseUrl) => createGrpcWebTransport({ baseUrl, httpVersion: "2" }),
};

function baseUrlOf(typeName: string): string {
  if (typeName === InventoryService.typeName) return `http://${mesh.inventoryTarget}`;
  return typeName === OrderService.typeName ? mesh.orderUrl : mesh.paymentUrl;
}

function connectTo(typeName: string): Transport {
  return createConnectTransport({ baseUrl: baseUrlOf(typeName), httpVersion: "1.1" });
}

async function failureOf(call: Promise<unknown>): Promise<ConnectError> {
  const outcome = await call.then(
    () => undefined,
    (error: unknown) => error,
  );
  if (!(outcome instanceof ConnectError)) throw new Error(`expected a refusal, got ${String(outcome)}`);
  return outcome;
}

function describeRefusal(error: ConnectError): unknown {
  const info = refusalOf(error);
  return {
    code: error.code,
    reason: info?.reason,
    audience: info?.metadata["audience"],
    challenge: error.metadata.get("www-authenticate"),
  };
}

describe.each(Object.entries(transports))("%s", (name, createTransport) => {
  const served = scenarios.filter(({ method }) => {
    const onGrpcJs = method.parent === InventoryService;
    // grpc-js speaks gRPC only, and HTTP/1.1 cannot stream both ways at once.
    return onGrpcJs ? name === "gRPC" : true;
  });

  describe.each(served.map((scenario) => [scenario.method.toString(), scenario] as const))("%s", (_, scenario) => {
    const { method, caller } = scenario;
    const transport = (): Transport => createTransport(baseUrlOf(method.parent.typeName));
    const { audience, scopes } = needOf(method);

    it("refuses a call without a token", async () => {
      const error = await failureOf(invoke(transport(), method, {}, undefined));
      expect(describeRefusal(error)).toEqual({
        code: Code.Unauthenticated,
        reason: "CREDENTIALS_MISSING",
        audience,
        challenge: "Bearer",
      });
    });

    it("refuses a token for another audience", async () => {
      const error = await failureOf(invoke(transport(), method, {}, await authorizeElsewhere(caller, method)));
      expect(describeRefusal(error)).toEqual({
        code: Code.Unauthenticated,
        reason: "TOKEN_INVALID",
        audience,
        challenge: 'Bearer error="invalid_token"',
      });
    });

    it("refuses a token without the scopes", async () => {
      const error = await failureOf(invoke(transport(), method, {}, await authorizeWithoutScopes(caller, method)));
      expect(describeRefusal(error)).toEqual({
        code: Code.PermissionDenied,
        reason: "SCOPE_INSUFFICIENT",
        audience,
        challenge: `Bearer error="insufficient_scope", scope="${scopes.join(" ")}"`,
      });
    });

    it("serves a call with the right token", async () => {
      const request = await scenario.request();
      const authorization = await authorize(caller, method);
      const before = mesh.decisions.length;
      const call = invoke(transport(), method, request, authorization);
      if (scenario.meanwhile !== undefined) {
        await decided(before, method);
        await scenario.meanwhile();
      }
      await expect(call).resolves.toBeDefined();
      expect(mesh.decisions.slice(before)).toContainEqual(
        expect.objectContaining({ decision: "allow", clientId: caller, audience, granted: [...scopes].sort() }),
      );
    });
  });
});

/** Waits until the server has let a call of the RPC in. */
async function decided(since: number, method: DescMethod): Promise<void> {
  const rpc = `${method.parent.typeName}/${method.name}`;
  await expect
    .poll(() => mesh.decisions.slice(since).some((event) => event.rpc === rpc && event.decision === "allow"))
    .toBe(true);
}

describe("the rules of the example", () => {
  it("has a scenario for every RPC", () => {
    expect(scenarios.map(({ method }) => method)).toEqual(services.flatMap(({ methods }) => methods));
  });

  it("lets order-service refund with the alternative that its calls name", async () => {
    const requirement = { audience: needOf(payment.refund).audience, scopes: ["payments:write", "payments:refund"] };
    const placed = await placeOrder();
    const request = { name: placed.order?.payment ?? "" };
    const authorization = await mesh.authorization("order-service", requirement);
    await expect(
      invoke(connectTo(PaymentService.typeName), payment.refund, request, authorization),
    ).resolves.toBeDefined();
  });

  it("refuses a refund by a caller that is not listed, whatever its scopes", async () => {
    const authorization = await authorizeWithoutScopes("storefront", payment.refund);
    const error = await failureOf(invoke(connectTo(PaymentService.typeName), payment.refund, {}, authorization));
    expect(error.code).toBe(Code.PermissionDenied);
    expect(refusalOf(error)?.reason).toBe("CALLER_NOT_ALLOWED");
    expect(error.metadata.has("www-authenticate")).toBe(false);
  });
});
