// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { type Client, Code, ConnectError, createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { ChannelCredentials } from "@grpc/grpc-js";
import { InventoryService } from "../../src/gen/inventory/v1/inventory_pb.js";
import { OrderService } from "../../src/gen/order/v1/order_pb.js";
import { PaymentService } from "../../src/gen/payment/v1/payment_pb.js";
import { createAuthenticatedClient, type GrpcClient } from "../../src/grpc.js";
import { createConnectInterceptor, type TokenSource } from "../../src/index.js";

/** The services that the order service calls. */
export interface Dependencies {
  readonly inventory: GrpcClient<typeof InventoryService>;
  readonly payment: Client<typeof PaymentService>;
}

/** Where the services are, and who we are to them. */
export interface DependencyOptions {
  readonly tokenSource: TokenSource;
  /** "127.0.0.1:8083" */
  readonly inventoryTarget: string;
  /** "http://127.0.0.1:8082" */
  readonly paymentUrl: string;
}

const timeoutMs = 5_000;

/** Options of a call of the inventory service: it has as long as every other call. */
export function withDeadline(): { deadline: number } {
  return { deadline: Date.now() + timeoutMs };
}

/** Creates clients whose calls carry the tokens that the rules of their RPCs demand. */
export function connectDependencies({ tokenSource, inventoryTarget, paymentUrl }: DependencyOptions): Dependencies {
  return {
    inventory: createAuthenticatedClient(InventoryService, {
      target: inventoryTarget,
      credentials: ChannelCredentials.createInsecure(),
      tokenSource,
      service: OrderService,
    }),
    payment: createClient(
      PaymentService,
      createGrpcTransport({
        baseUrl: paymentUrl,
        defaultTimeoutMs: timeoutMs,
        interceptors: [createConnectInterceptor({ tokenSource, service: OrderService })],
      }),
    ),
  };
}

/** The status code of a failed call, whichever client made it. */
export function codeOf(error: unknown): Code {
  if (error instanceof ConnectError) return error.code;
  const { code } = error as { code?: unknown };
  return typeof code === "number" && code in Code ? code : Code.Unknown;
}

/** Whether a failed call can have done nothing, now or later: the callee understood and declined. */
export function isDeclined(error: unknown): boolean {
  const declined: Code[] = [Code.InvalidArgument, Code.NotFound, Code.FailedPrecondition];
  return declined.includes(codeOf(error));
}
