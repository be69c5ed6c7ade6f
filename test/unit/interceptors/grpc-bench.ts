// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { fromBinary, type MessageInitShape, type MessageShape } from "@bufbuild/protobuf";
import { anyUnpack } from "@bufbuild/protobuf/wkt";
import {
  ChannelCredentials,
  type Interceptor,
  Metadata,
  type ServerOptions,
  type ServiceError,
  type status,
} from "@grpc/grpc-js";
import { onTestFinished } from "vitest";
import {
  type ErrorInfo,
  ErrorInfoSchema,
  type RetryInfo,
  RetryInfoSchema,
} from "../../../src/gen/google/rpc/error_details_pb.js";
import { StatusSchema } from "../../../src/gen/google/rpc/status_pb.js";
import { Health } from "../../../src/gen/health/v1/health_pb.js";
import {
  InventoryService,
  type SyncStockRequestSchema,
  type SyncStockResponseSchema,
} from "../../../src/gen/inventory/v1/inventory_pb.js";
import { PaymentService } from "../../../src/gen/payment/v1/payment_pb.js";
import { createGrpcClient, type GrpcCallOptions, type GrpcClient } from "../../../src/grpc-js/client.js";
import { addService, type GrpcHandlers } from "../../../src/grpc-js/service-definition.js";
import { createGuardedServer } from "../../../src/interceptors/grpc-server.js";
import { bearer, type StubResourceServer } from "../../support/stub-resource-server.js";
import { errorOf, startGrpcServer } from "../../support/transports.js";
import { createResourceServer, inventoryAudience, paymentAudience, type StreamOptions } from "./connect-bench.js";

/** A call as its handler sees it. */
export interface Entered {
  readonly rpc: string;
  readonly call: { readonly metadata: Metadata };
}

export interface GrpcTestHandlers {
  readonly payment: Partial<GrpcHandlers<typeof PaymentService>>;
  readonly inventory: Partial<GrpcHandlers<typeof InventoryService>>;
  readonly health: Partial<GrpcHandlers<typeof Health>>;
}

/** Handlers that answer with what they got, unless a test replaces them. */
export function echoHandlers(entered: Entered[], handlers: Partial<GrpcTestHandlers> = {}): GrpcTestHandlers {
  return {
    payment: {
      charge(call, answer) {
        entered.push({ rpc: "charge", call });
        answer(null, { payment: { name: `payments/${call.request.requestId}` } });
      },
      importSettlements(call, answer) {
        entered.push({ rpc: "importSettlements", call });
        let settledCount = 0;
        call.on("data", () => {
          settledCount += 1;
        });
        call.on("end", () => answer(null, { settledCount }));
      },
      ...handlers.payment,
    },
    inventory: {
      watchStock(call) {
        entered.push({ rpc: "watchStock", call });
        call.write({ stockLevel: { sku: call.request.sku, available: 1 } });
        call.write({ stockLevel: { sku: call.request.sku, available: 2 } });
        call.end();
      },
      syncStock(call) {
        entered.push({ rpc: "syncStock", call });
        call.on("data", ({ sku, counted }) => void call.write({ stockLevel: { sku, available: counted } }));
        call.on("end", () => call.end());
      },
      ...handlers.inventory,
    },
    health: {
      check(call, answer) {
        entered.push({ rpc: "check", call });
        answer(null, {});
      },
      ...handlers.health,
    },
  };
}

/** A guarded grpc-js server. */
export interface GrpcBench {
  readonly resourceServer: StubResourceServer;
  readonly target: string;
  readonly entered: readonly Entered[];
}

export async function startGrpcBench(
  handlers: Partial<GrpcTestHandlers> = {},
  { streams = {}, server: options = {} }: { readonly streams?: StreamOptions; readonly server?: ServerOptions } = {},
): Promise<GrpcBench> {
  const resourceServer = createResourceServer(streams);
  const entered: Entered[] = [];
  const server = createGuardedServer(resourceServer, options);
  addServices(server, echoHandlers(entered, handlers));
  return { resourceServer, target: await startGrpcServer(server), entered };
}

type AnyServer = Parameters<typeof addService>[0];

/** Adds the services of the bench to a server. */
export function addServices(server: AnyServer, { payment, inventory, health }: GrpcTestHandlers): void {
  addService(server, PaymentService, payment as GrpcHandlers<typeof PaymentService>);
  addService(server, InventoryService, inventory as GrpcHandlers<typeof InventoryService>);
  addService(server, Health, health as GrpcHandlers<typeof Health>);
}

/** Clients of the services of a bench. */
export interface GrpcClients {
  readonly payment: GrpcClient<typeof PaymentService>;
  readonly inventory: GrpcClient<typeof InventoryService>;
  readonly health: GrpcClient<typeof Health>;
}

/** Clients of a target, closed when the test is over. */
export function grpcClientsOf(target: string, interceptors: Interceptor[] = []): GrpcClients {
  const options = { target, credentials: ChannelCredentials.createInsecure(), interceptors };
  const clients = {
    payment: createGrpcClient(PaymentService, options),
    inventory: createGrpcClient(InventoryService, options),
    health: createGrpcClient(Health, options),
  };
  onTestFinished(() => {
    for (const client of Object.values(clients)) client.close();
  });
  return clients;
}

/** Call options that bring a token. */
export function bringing(token: string | undefined): GrpcCallOptions {
  const metadata = new Metadata();
  if (token !== undefined) metadata.set("authorization", bearer(token));
  return { metadata };
}

/** The RPCs of a bench, of each kind, and how to call them once. */
export const grpcCalls: readonly {
  readonly kind: "unary" | "server stream" | "client stream" | "bidi";
  readonly audience: string;
  readonly call: (clients: GrpcClients, options?: GrpcCallOptions) => Promise<unknown>;
}[] = [
  {
    kind: "unary",
    audience: paymentAudience,
    call: ({ payment }, options) => payment.charge({ requestId: "1" }, options),
  },
  {
    kind: "server stream",
    audience: inventoryAudience,
    call: ({ inventory }, options) => read(inventory.watchStock({ sku: "tea" }, options)),
  },
  {
    kind: "client stream",
    audience: paymentAudience,
    call: async ({ payment }, options) => {
      const { requests, response } = payment.importSettlements(options);
      requests.write({ payment: "payments/1" });
      requests.end();
      return await response;
    },
  },
  {
    kind: "bidi",
    audience: inventoryAudience,
    call: ({ inventory }, options) => exchange(inventory, [{ sku: "tea", counted: 3 }], options),
  },
];

/** Writes all requests at once, and reads the responses. */
export async function exchange(
  inventory: GrpcClients["inventory"],
  requests: readonly MessageInitShape<typeof SyncStockRequestSchema>[],
  options?: GrpcCallOptions,
): Promise<MessageShape<typeof SyncStockResponseSchema>[]> {
  const call = inventory.syncStock(options);
  for (const request of requests) call.write(request);
  call.end();
  return await read(call);
}

/** Reads a stream of responses to its end. */
export async function read<T>(call: AsyncIterable<T>): Promise<T[]> {
  const messages: T[] = [];
  for await (const message of call) messages.push(message);
  return messages;
}

/** The status that a call fails with. Fails if it does not. */
export async function statusOf(call: Promise<unknown>): Promise<ServiceError> {
  const error = await errorOf(call);
  if (error instanceof Error && "details" in error && "metadata" in error) return error as ServiceError;
  throw error;
}

/** What a client finds in a status. */
export interface Seen {
  readonly code: status;
  readonly message: string;
  readonly errorInfos: readonly ErrorInfo[];
  readonly retryInfos: readonly RetryInfo[];
  readonly wwwAuthenticate: readonly unknown[];
  readonly dpopNonce: readonly unknown[];
}

export function seenIn({ code, details, metadata }: Pick<ServiceError, "code" | "details" | "metadata">): Seen {
  const [encoded] = metadata.get("grpc-status-details-bin");
  const anys = Buffer.isBuffer(encoded) ? fromBinary(StatusSchema, encoded).details : [];
  return {
    code,
    message: details,
    errorInfos: anys.flatMap((any) => anyUnpack(any, ErrorInfoSchema) ?? []),
    retryInfos: anys.flatMap((any) => anyUnpack(any, RetryInfoSchema) ?? []),
    wwwAuthenticate: metadata.get("www-authenticate"),
    dpopNonce: metadata.get("dpop-nonce"),
  };
}
