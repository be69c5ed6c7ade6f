// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { discover } from "../src/discovery/discovery.js";
import { OrderService } from "../src/gen/order/v1/order_pb.js";
import {
  clientIdOf,
  clientSecret,
  createTokenSource,
  type DecisionEvent,
  type Mesh,
  type TokenSource,
} from "../src/index.js";
import { startAuthorizationServer } from "./authorization-server/server.js";
import type { MeshConfig } from "./config.js";
import { startInventoryService } from "./inventory/server.js";
import { startOrderService } from "./order/server.js";
import { startPaymentService } from "./payment/server.js";
import { listening } from "./startup-error.js";

/** The example mesh, up. */
export interface RunningMesh {
  readonly issuer: string;
  readonly tokenEndpoint: string;
  readonly orderUrl: string;
  readonly paymentUrl: string;
  readonly inventoryTarget: string;
  /** Tokens for one of the mesh's clients. */
  tokenSource(clientId: string): TokenSource;
  close(): Promise<void>;
}

/** Options of startMesh(). */
export interface MeshOptions {
  readonly config: MeshConfig;
  readonly mesh: Mesh;
  /** Is told of every decision of every service. */
  readonly onDecision?: (event: DecisionEvent) => void;
  /** Lifetime of the embedded authorization server's tokens in seconds. By default, 300. */
  readonly lifetimeSeconds?: number;
}

/** Starts the authorization server, unless one runs elsewhere, and the three services. All or nothing. */
export async function startMesh(options: MeshOptions): Promise<RunningMesh> {
  const started: { close(): Promise<void> }[] = [];
  const close = async (): Promise<void> => {
    for (const each of started.splice(0).reverse()) await each.close();
  };
  const start = async <T extends { close(): Promise<void> }>(
    variable: string,
    port: number,
    run: () => Promise<T>,
  ): Promise<T> => {
    const running = await listening(variable, port, run);
    started.push(running);
    return running;
  };
  try {
    return { ...(await startAll(options, start)), close };
  } catch (error) {
    await close();
    throw error;
  }
}

type Start = <T extends { close(): Promise<void> }>(
  variable: string,
  port: number,
  run: () => Promise<T>,
) => Promise<T>;

async function startAll(options: MeshOptions, start: Start): Promise<Omit<RunningMesh, "close">> {
  const { config, onDecision } = options;
  const { ports } = config;
  const issuer = config.issuer ?? (await startEmbedded(options, start));
  const tokenSources = new Map<string, TokenSource>();
  const tokenSource = (clientId: string): TokenSource => {
    const credential = clientSecret(config.secrets.get(clientId) ?? "");
    const source = tokenSources.get(clientId) ?? createTokenSource({ issuer, clientId, credential });
    tokenSources.set(clientId, source);
    return source;
  };
  const inventory = await start("INVENTORY_PORT", ports.inventory, () =>
    startInventoryService({ issuer, port: ports.inventory, onDecision }),
  );
  const payment = await start("PAYMENT_PORT", ports.payment, () =>
    startPaymentService({ issuer, port: ports.payment, onDecision }),
  );
  const paymentUrl = `http://${payment.address}`;
  const order = await start("ORDER_PORT", ports.order, () =>
    startOrderService({
      issuer,
      port: ports.order,
      onDecision,
      tokenSource: tokenSource(clientIdOf(OrderService)),
      inventoryTarget: inventory.address,
      paymentUrl,
    }),
  );
  const tokenEndpoint = (await discover({ issuer })).token_endpoint ?? issuer;
  return {
    issuer,
    tokenEndpoint,
    orderUrl: `http://${order.address}`,
    paymentUrl,
    inventoryTarget: inventory.address,
    tokenSource,
  };
}

async function startEmbedded({ config, mesh, lifetimeSeconds }: MeshOptions, start: Start): Promise<string> {
  const port = config.ports.authorizationServer;
  const clients = new Map(
    [...config.secrets].map(([clientId, secret]) => [clientId, { method: "client_secret_basic" as const, secret }]),
  );
  const embedded = await start("AUTHORIZATION_SERVER_PORT", port, () =>
    startAuthorizationServer({ mesh, port, clients, ...(lifetimeSeconds !== undefined && { lifetimeSeconds }) }),
  );
  return embedded.issuer;
}
