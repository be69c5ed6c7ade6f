// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import {
  type Client,
  type ConnectRouter,
  createClient,
  type HandlerContext,
  type Interceptor,
  type ServiceImpl,
  type Transport,
} from "@connectrpc/connect";
import { expect } from "vitest";
import { Health } from "../../../src/gen/health/v1/health_pb.js";
import { InventoryService } from "../../../src/gen/inventory/v1/inventory_pb.js";
import { PaymentService } from "../../../src/gen/payment/v1/payment_pb.js";
import { guardConnect } from "../../../src/interceptors/connect-server.js";
import {
  bearer,
  createStubResourceServer,
  type StubResourceServer,
  type StubResourceServerOptions,
} from "../../support/stub-resource-server.js";
import { connectTo, type RunningServer, startConnectServer, type Wire } from "../../support/transports.js";
import { refusals } from "./outcomes.js";

export const paymentAudience = "https://payment-service.internal";
export const inventoryAudience = "https://inventory-service.internal";

/** Streams that a test closes or keeps, whatever their protos say. */
export type StreamOptions = Pick<StubResourceServerOptions, "closing" | "keeping" | "enforces">;

/** The resource server of the payment and the inventory service, with public health beside them. */
export function createResourceServer(streams: StreamOptions = {}): StubResourceServer {
  return createStubResourceServer({
    services: [PaymentService, InventoryService],
    rules: [{ target: Health, rule: { public: {} } }],
    refusals,
    ...streams,
  });
}

/** Handlers that say what they were called with, one of each kind of RPC, and a public one. */
export interface Handlers {
  readonly payment: Partial<ServiceImpl<typeof PaymentService>>;
  readonly inventory: Partial<ServiceImpl<typeof InventoryService>>;
  readonly health: Partial<ServiceImpl<typeof Health>>;
}

/** A guarded server with one handler for each kind of RPC. */
export interface Bench {
  readonly resourceServer: StubResourceServer;
  readonly server: RunningServer;
  /** The RPCs whose handlers were entered, in order, with their contexts. */
  readonly entered: readonly { readonly rpc: string; readonly context: HandlerContext }[];
}

/** Routes whose handlers answer with what they got, unless a test replaces them. */
export function echoRoutes(
  entered: { rpc: string; context: HandlerContext }[],
  handlers: Partial<Handlers> = {},
): (router: ConnectRouter) => void {
  const enter = (rpc: string, context: HandlerContext): void => void entered.push({ rpc, context });
  return (router) => {
    router.service(PaymentService, {
      charge(request, context) {
        enter("charge", context);
        return { payment: { name: `payments/${request.requestId}`, order: request.order } };
      },
      async importSettlements(requests, context) {
        enter("importSettlements", context);
        let settledCount = 0;
        for await (const _ of requests) settledCount += 1;
        return { settledCount };
      },
      ...handlers.payment,
    });
    router.service(InventoryService, {
      async *watchStock(request, context) {
        enter("watchStock", context);
        yield { stockLevel: { sku: request.sku, available: 1 } };
        yield { stockLevel: { sku: request.sku, available: 2 } };
      },
      async *syncStock(requests, context) {
        enter("syncStock", context);
        for await (const { sku, counted } of requests) yield { stockLevel: { sku, available: counted } };
      },
      ...handlers.inventory,
    });
    router.service(Health, {
      check(_request, context) {
        enter("check", context);
        return {};
      },
      ...handlers.health,
    });
  };
}

/** Starts a bench. */
export async function startBench(handlers: Partial<Handlers> = {}, streams: StreamOptions = {}): Promise<Bench> {
  const resourceServer = createResourceServer(streams);
  const entered: { rpc: string; context: HandlerContext }[] = [];
  const server = await startConnectServer(guardConnect(resourceServer, { routes: echoRoutes(entered, handlers) }));
  return { resourceServer, server, entered };
}

/** Clients of the services of a bench, with one token for all calls. */
export interface Clients {
  readonly payment: Client<typeof PaymentService>;
  readonly inventory: Client<typeof InventoryService>;
  readonly health: Client<typeof Health>;
}

export function clientsOf(server: RunningServer, wire: Wire, token?: string): Clients {
  return clientsOn(connectTo(server, wire, [withToken(token)]));
}

export function clientsOn(transport: Transport): Clients {
  return {
    payment: createClient(PaymentService, transport),
    inventory: createClient(InventoryService, transport),
    health: createClient(Health, transport),
  };
}

/** An interceptor that puts a token into every call. */
export function withToken(token: string | undefined): Interceptor {
  return (next) => (request) => {
    if (token !== undefined) request.header.set("authorization", bearer(token));
    return next(request);
  };
}

/** The RPCs of a bench, of each kind, and how to call them once. */
export const calls: readonly {
  readonly kind: "unary" | "server stream" | "client stream" | "bidi";
  readonly audience: string;
  readonly call: (clients: Clients) => Promise<unknown>;
}[] = [
  {
    kind: "unary",
    audience: paymentAudience,
    call: ({ payment }) => payment.charge({ requestId: "1", order: "orders/1" }),
  },
  {
    kind: "server stream",
    audience: inventoryAudience,
    call: ({ inventory }) => drain(inventory.watchStock({ sku: "tea" })),
  },
  {
    kind: "client stream",
    audience: paymentAudience,
    call: ({ payment }) => payment.importSettlements(streamOf({ payment: "payments/1" })),
  },
  {
    kind: "bidi",
    audience: inventoryAudience,
    call: ({ inventory }) => drain(inventory.syncStock(streamOf({ sku: "tea", counted: 3 }))),
  },
];

async function drain(messages: AsyncIterable<unknown>): Promise<void> {
  for await (const message of messages) expect(message).toBeDefined();
}

export async function* streamOf<T>(...messages: readonly T[]): AsyncGenerator<T> {
  yield* messages;
}
