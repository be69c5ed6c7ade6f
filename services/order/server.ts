// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import type { ConnectRouter, ServiceImpl } from "@connectrpc/connect";
import { OrderService } from "../../src/gen/order/v1/order_pb.js";
import { getPrincipal } from "../../src/index.js";
import { startConnectService } from "../shared/connect-service.js";
import type { RunningService, ServiceOptions } from "../shared/service-options.js";
import { connectDependencies, type DependencyOptions } from "./dependencies.js";
import { Orders } from "./orders.js";

/** Starts the order service. */
export async function startOrderService(options: ServiceOptions & DependencyOptions): Promise<RunningService> {
  const dependencies = connectDependencies(options);
  const handlers = createHandlers(new Orders(dependencies));
  const service = await startConnectService(
    OrderService,
    (router: ConnectRouter) => router.service(OrderService, handlers),
    options,
  );
  return {
    ...service,
    async close() {
      await service.close();
      dependencies.inventory.close();
    },
  };
}

function createHandlers(orders: Orders): ServiceImpl<typeof OrderService> {
  return {
    async placeOrder(request, context) {
      return { order: await orders.place(getPrincipal(context).clientId, request) };
    },
    getOrder({ name }) {
      return { order: orders.get(name) };
    },
    async *watchOrders(_request, { signal }) {
      for await (const order of orders.changes.subscribe(signal)) yield { order };
    },
  };
}
