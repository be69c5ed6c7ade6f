// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { randomUUID } from "node:crypto";
import { clone, create } from "@bufbuild/protobuf";
import { timestampNow } from "@bufbuild/protobuf/wkt";
import { Code } from "@connectrpc/connect";
import type { Money } from "../../src/gen/google/type/money_pb.js";
import type { StockLevel } from "../../src/gen/inventory/v1/inventory_pb.js";
import {
  type Order,
  OrderSchema,
  OrderState,
  type PlaceOrderRequest,
  PlaceOrderRequestSchema,
} from "../../src/gen/order/v1/order_pb.js";
import { Failure } from "../shared/failure.js";
import { RequestKeys } from "../shared/idempotency.js";
import { fromNanos, toNanos } from "../shared/money.js";
import { Topic } from "../shared/topic.js";
import { Validation } from "../shared/validation.js";
import { codeOf, type Dependencies, isDeclined, withDeadline } from "./dependencies.js";

/** What one request key stands for. */
interface Placement {
  readonly order: Order;
  /** The attempt that is under way. */
  attempt: Promise<void> | undefined;
}

/** Places orders. Kept in memory. */
export class Orders {
  /** Says every order that is placed or changes. */
  readonly changes: Topic<Order> = new Topic<Order>();

  readonly #dependencies: Dependencies;
  readonly #requests = new RequestKeys<Placement>();
  readonly #orders = new Map<string, Order>();

  constructor(dependencies: Dependencies) {
    this.#dependencies = dependencies;
  }

  get(name: string): Order {
    new Validation().resourceName(name, "orders").done();
    const order = this.#orders.get(name);
    if (order === undefined) throw new Failure(Code.NotFound, "ORDER_NOT_FOUND", `${name} does not exist`);
    return clone(OrderSchema, order);
  }

  /**
   * Places an order: checks and reserves stock, charges, confirms. The same request again finds the same order, and goes
   * on with it if it is pending: reserving and charging have the order's id as their own request keys.
   */
  async place(caller: string, request: PlaceOrderRequest): Promise<Order> {
    new Validation().requestId(request.requestId).lines(request.lineItems, "line_items").done();
    const placement = this.#requests.resolve(caller, request.requestId, PlaceOrderRequestSchema, request, () => ({
      order: create(OrderSchema, { name: `orders/${randomUUID()}`, lineItems: request.lineItems }),
      attempt: undefined,
    }));
    placement.attempt ??= this.#advance(placement.order).finally(() => {
      placement.attempt = undefined;
    });
    await placement.attempt;
    return clone(OrderSchema, placement.order);
  }

  async #advance(order: Order): Promise<void> {
    if (order.state === OrderState.CONFIRMED) return;
    if (order.state === OrderState.FAILED) throw declined();
    if (order.state === OrderState.UNSPECIFIED) await this.#reserve(order);
    await this.#charge(order);
    await this.#confirm(order);
  }

  async #reserve(order: Order): Promise<void> {
    const { inventory } = this.#dependencies;
    try {
      const skus = order.lineItems.map(({ sku }) => sku);
      const { stockLevels } = await inventory.checkStock({ skus }, withDeadline());
      order.total = totalOf(order, stockLevels);
      const lines = order.lineItems.map(({ sku, quantity }) => ({ sku, quantity }));
      const { reservation } = await inventory.reserveStock({ requestId: order.name, lines }, withDeadline());
      order.reservation = reservation?.name ?? "";
    } catch (error) {
      throw isDeclined(error) ? noStock(error) : unavailable("stock could not be reserved");
    }
    order.createTime = timestampNow();
    this.#change(order, OrderState.PENDING);
  }

  async #charge(order: Order): Promise<void> {
    if (order.payment !== "") return;
    try {
      const { payment } = await this.#dependencies.payment.charge({
        requestId: order.name,
        order: order.name,
        ...(order.total && { amount: order.total }),
      });
      order.payment = payment?.name ?? "";
    } catch (error) {
      // Whether it was charged is not known: the order stays pending, and the same request again finds out.
      if (!isDeclined(error)) throw unavailable("the payment service did not say whether it charged");
      await this.#release(order);
      this.#change(order, OrderState.FAILED);
      throw declined();
    }
  }

  async #confirm(order: Order): Promise<void> {
    const { inventory, payment } = this.#dependencies;
    try {
      await inventory.confirmReservation({ name: order.reservation }, withDeadline());
    } catch (error) {
      if (!isDeclined(error)) throw unavailable("the reservation could not be confirmed yet");
      await payment.refund({ name: order.payment });
      this.#change(order, OrderState.FAILED);
      throw noStock(error);
    }
    this.#change(order, OrderState.CONFIRMED);
  }

  async #release(order: Order): Promise<void> {
    try {
      await this.#dependencies.inventory.cancelReservation({ name: order.reservation }, withDeadline());
    } catch (error) {
      if (!isDeclined(error)) throw unavailable("the reservation could not be released yet");
    }
  }

  #change(order: Order, state: Order["state"]): void {
    order.state = state;
    this.#orders.set(order.name, order);
    this.changes.publish(clone(OrderSchema, order));
  }
}

function totalOf(order: Order, levels: readonly StockLevel[]): Money {
  const prices = new Map(levels.map(({ sku, unitPrice }) => [sku, unitPrice === undefined ? 0n : toNanos(unitPrice)]));
  const amounts = order.lineItems.map(({ sku, quantity }) => (prices.get(sku) ?? 0n) * BigInt(quantity));
  return fromNanos(amounts.reduce((sum, amount) => sum + amount, 0n));
}

function declined(): Failure {
  return new Failure(
    Code.FailedPrecondition,
    "PAYMENT_DECLINED",
    "the payment was declined; the reservation was released",
  );
}

function noStock(error: unknown): Failure {
  return codeOf(error) === Code.NotFound
    ? new Failure(Code.NotFound, "ARTICLE_NOT_FOUND", "an article of the order does not exist")
    : new Failure(Code.FailedPrecondition, "OUT_OF_STOCK", "there is not enough stock for the order");
}

function unavailable(what: string): Failure {
  return new Failure(Code.Unavailable, "TRY_AGAIN", `${what}; send the same request again`);
}
