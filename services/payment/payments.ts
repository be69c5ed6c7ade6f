// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { randomUUID } from "node:crypto";
import { clone, create } from "@bufbuild/protobuf";
import { timestampNow } from "@bufbuild/protobuf/wkt";
import { Code } from "@connectrpc/connect";
import type { Money } from "../../src/gen/google/type/money_pb.js";
import {
  type ChargeRequest,
  ChargeRequestSchema,
  type ImportSettlementsRequest,
  type ListPaymentsRequest,
  type Payment,
  PaymentSchema,
  PaymentState,
} from "../../src/gen/payment/v1/payment_pb.js";
import { Failure } from "../shared/failure.js";
import { RequestKeys } from "../shared/idempotency.js";
import { currency, formatMoney, fromNanos, isPayable, toNanos } from "../shared/money.js";
import { Validation } from "../shared/validation.js";

const defaultPageSize = 50;
const maxPageSize = 1000;

/** The payments: charged, settled, refunded. Kept in memory. */
export class Payments {
  /** What a single charge may be at most; above, it is declined. */
  static readonly limit: Money = fromNanos(10_000_000_000_000n);

  readonly #payments: Payment[] = [];
  readonly #requests = new RequestKeys<Payment>();

  charge(caller: string, request: ChargeRequest): Payment {
    new Validation()
      .requestId(request.requestId)
      .resourceName(request.order, "orders", "order")
      .check(isPayable(request.amount), "amount", `more than zero, in ${currency}`)
      .done();
    const payment = this.#requests.resolve(caller, request.requestId, ChargeRequestSchema, request, () =>
      this.#create(request),
    );
    return clone(PaymentSchema, payment);
  }

  list({ pageSize, pageToken }: ListPaymentsRequest): { payments: Payment[]; nextPageToken: string } {
    // Payments are numbered as they come; a page token is the number of the first one that is left.
    const end = pageToken === "" ? this.#payments.length : decodePageToken(pageToken);
    new Validation()
      .check(pageSize >= 0, "page_size", "0 or more")
      .check(end >= 0 && end <= this.#payments.length, "page_token", "a next_page_token")
      .done();
    const start = Math.max(0, end - Math.min(pageSize || defaultPageSize, maxPageSize));
    const payments = this.#payments.slice(start, end).reverse();
    return {
      payments: payments.map((payment) => clone(PaymentSchema, payment)),
      nextPageToken: start === 0 ? "" : encodePageToken(start),
    };
  }

  refund(name: string): Payment {
    new Validation().resourceName(name, "payments").done();
    const payment = this.#find(name);
    if (payment === undefined) throw new Failure(Code.NotFound, "PAYMENT_NOT_FOUND", `${name} does not exist`);
    // Refunding is idempotent: what is given back stays given back.
    payment.state = PaymentState.REFUNDED;
    return clone(PaymentSchema, payment);
  }

  /** Returns whether the payment is settled now. */
  settle({ payment: name, amount }: ImportSettlementsRequest): boolean {
    new Validation()
      .resourceName(name, "payments", "payment")
      .check(isPayable(amount), "amount", `more than zero, in ${currency}`)
      .done();
    const payment = this.#find(name);
    if (payment?.amount === undefined || amount === undefined) return false;
    if (payment.state === PaymentState.REFUNDED || toNanos(payment.amount) !== toNanos(amount)) return false;
    payment.state = PaymentState.SETTLED;
    return true;
  }

  #create({ order, amount }: ChargeRequest): Payment {
    if (amount !== undefined && toNanos(amount) > toNanos(Payments.limit)) {
      const message = `declined: ${formatMoney(amount)} is above the limit of ${formatMoney(Payments.limit)}`;
      throw new Failure(Code.FailedPrecondition, "PAYMENT_DECLINED", message);
    }
    const payment = create(PaymentSchema, {
      name: `payments/${randomUUID()}`,
      order,
      ...(amount && { amount }),
      state: PaymentState.CHARGED,
      createTime: timestampNow(),
    });
    this.#payments.push(payment);
    return payment;
  }

  #find(name: string): Payment | undefined {
    return this.#payments.find((payment) => payment.name === name);
  }
}

function encodePageToken(end: number): string {
  return Buffer.from(String(end)).toString("base64url");
}

function decodePageToken(token: string): number {
  const text = Buffer.from(token, "base64url").toString();
  return /^\d{1,9}$/.test(text) ? Number(text) : -1;
}
