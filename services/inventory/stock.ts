// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { randomUUID } from "node:crypto";
import { clone, create } from "@bufbuild/protobuf";
import { Code } from "@connectrpc/connect";
import {
  type Reservation,
  ReservationSchema,
  ReservationState,
  type ReserveStockRequest,
  ReserveStockRequestSchema,
  type StockLevel,
  StockLevelSchema,
  type SyncStockRequest,
} from "../../src/gen/inventory/v1/inventory_pb.js";
import { Failure } from "../shared/failure.js";
import { RequestKeys } from "../shared/idempotency.js";
import { fromNanos } from "../shared/money.js";
import { Topic } from "../shared/topic.js";
import { Validation } from "../shared/validation.js";

interface Article {
  /** Pieces in the warehouse, reserved ones included. */
  counted: number;
  reserved: number;
  readonly priceNanos: bigint;
}

/** Stock levels, prices and reservations. Kept in memory. */
export class Stock {
  /** Says the level of every article that changes. */
  readonly changes: Topic<StockLevel> = new Topic<StockLevel>();

  readonly #articles = new Map<string, Article>([
    ["tea-green", { counted: 1_000_000, reserved: 0, priceNanos: 8_900_000_000n }],
    ["tea-black", { counted: 1_000_000, reserved: 0, priceNanos: 7_500_000_000n }],
    ["teapot", { counted: 25, reserved: 0, priceNanos: 49_000_000_000n }],
    ["samovar", { counted: 3, reserved: 0, priceNanos: 12_500_000_000_000n }],
  ]);
  readonly #reservations = new Map<string, Reservation>();
  readonly #requests = new RequestKeys<Reservation>();

  check(skus: readonly string[]): StockLevel[] {
    const validation = new Validation().check(skus.length >= 1 && skus.length <= 100, "skus", "1 to 100 articles");
    for (const [index, sku] of skus.entries()) validation.sku(sku, `skus[${index}]`);
    validation.done();
    return skus.map((sku) => this.level(sku));
  }

  /** The level of one article. Throws a Failure if there is no such article. */
  level(sku: string): StockLevel {
    const { counted, reserved, priceNanos } = this.#article(sku);
    return create(StockLevelSchema, {
      sku,
      available: Math.max(0, counted - reserved),
      unitPrice: fromNanos(priceNanos),
    });
  }

  reserve(caller: string, request: ReserveStockRequest): Reservation {
    new Validation().requestId(request.requestId).lines(request.lines, "lines").done();
    const { requestId } = request;
    const reservation = this.#requests.resolve(caller, requestId, ReserveStockRequestSchema, request, () =>
      this.#createReservation(request),
    );
    return clone(ReservationSchema, reservation);
  }

  confirm(name: string): Reservation {
    return this.#finish(name, ReservationState.CONFIRMED, (article, quantity) => {
      article.reserved -= quantity;
      article.counted -= quantity;
    });
  }

  cancel(name: string): Reservation {
    return this.#finish(name, ReservationState.CANCELLED, (article, quantity) => {
      article.reserved -= quantity;
    });
  }

  sync({ sku, counted }: SyncStockRequest): StockLevel {
    new Validation()
      .sku(sku, "sku")
      .check(counted >= 0, "counted", "0 or more")
      .done();
    this.#article(sku).counted = counted;
    return this.#changed(sku);
  }

  #createReservation({ lines }: ReserveStockRequest): Reservation {
    const short = lines.filter(({ sku, quantity }) => this.level(sku).available < quantity);
    if (short.length > 0) {
      const skus = short.map(({ sku }) => sku).join(", ");
      throw new Failure(Code.FailedPrecondition, "OUT_OF_STOCK", `not enough of ${skus}`);
    }
    for (const { sku, quantity } of lines) {
      this.#article(sku).reserved += quantity;
      this.#changed(sku);
    }
    const name = `reservations/${randomUUID()}`;
    const reservation = create(ReservationSchema, { name, lines, state: ReservationState.ACTIVE });
    this.#reservations.set(name, reservation);
    return reservation;
  }

  // Both ends are final, and reaching the same end again changes nothing.
  #finish(name: string, state: ReservationState, apply: (article: Article, quantity: number) => void): Reservation {
    new Validation().resourceName(name, "reservations").done();
    const reservation = this.#reservations.get(name);
    if (reservation === undefined) throw new Failure(Code.NotFound, "RESERVATION_NOT_FOUND", `${name} does not exist`);
    if (reservation.state !== ReservationState.ACTIVE && reservation.state !== state) {
      throw new Failure(Code.FailedPrecondition, "RESERVATION_FINISHED", `${name} is confirmed or cancelled already`);
    }
    if (reservation.state === ReservationState.ACTIVE) {
      reservation.state = state;
      for (const { sku, quantity } of reservation.lines) {
        apply(this.#article(sku), quantity);
        this.#changed(sku);
      }
    }
    return clone(ReservationSchema, reservation);
  }

  #changed(sku: string): StockLevel {
    const level = this.level(sku);
    this.changes.publish(level);
    return level;
  }

  #article(sku: string): Article {
    const article = this.#articles.get(sku);
    if (article === undefined) throw new Failure(Code.NotFound, "ARTICLE_NOT_FOUND", `there is no article ${sku}`);
    return article;
  }
}
