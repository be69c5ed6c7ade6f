// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { randomUUID } from "node:crypto";
import { OrderService, OrderState } from "../../src/gen/order/v1/order_pb.js";
import { formatMoney } from "../shared/money.js";
import { clientAs } from "./clients.js";
import type { Step } from "./refusals.js";

/** The call that should work, end to end. */
export const placeAnOrder: Step = {
  title: "storefront places an order: stock is checked and reserved, the payment charged, the reservation confirmed",
  async run(mesh, print) {
    const orders = clientAs(mesh, "storefront", OrderService, mesh.orderUrl);
    const request = { requestId: randomUUID(), lineItems: [{ sku: "tea-green", quantity: 2 }] };
    const { order } = await orders.placeOrder(request);
    if (order?.total === undefined || order.state !== OrderState.CONFIRMED) return "the order is not confirmed";
    print(`    ${order.name}, ${formatMoney(order.total)}, paid as ${order.payment}`);
    const { order: same } = await orders.placeOrder(request);
    if (same?.name !== order.name) return "the same request key made a second order";
    return undefined;
  },
};
