// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { Code } from "@connectrpc/connect";
import { Failure, type FieldViolation } from "./failure.js";

/** Collects what is wrong with a request; a handler works on the request only if nothing is. */
export class Validation {
  readonly #violations: FieldViolation[] = [];

  /** Says what a field should be, unless it is so. */
  check(ok: boolean, field: string, description: string): this {
    if (!ok) this.#violations.push({ field, description });
    return this;
  }

  /** A key that the caller chose, for AIP-155. */
  requestId(value: string): this {
    return this.check(/^[\x21-\x7e]{1,128}$/.test(value), "request_id", "1 to 128 printable characters");
  }

  /** A resource name of AIP-122. */
  resourceName(value: string, collection: string, field = "name"): this {
    const [parent, id, ...rest] = value.split("/");
    const ok = parent === collection && id !== undefined && /^[\w-]{1,64}$/.test(id) && rest.length === 0;
    return this.check(ok, field, `"${collection}/{id}"`);
  }

  /** An article. */
  sku(value: string, field: string): this {
    return this.check(/^[\w-]{1,64}$/.test(value), field, "1 to 64 letters, digits, - or _");
  }

  /** Lines of an order or a reservation: each article once. */
  lines(lines: readonly { readonly sku: string; readonly quantity: number }[], field: string): this {
    this.check(lines.length >= 1 && lines.length <= 100, field, "1 to 100 items");
    this.check(new Set(lines.map(({ sku }) => sku)).size === lines.length, field, "each sku once");
    for (const [index, { sku, quantity }] of lines.entries()) {
      this.sku(sku, `${field}[${index}].sku`);
      this.check(quantity >= 1 && quantity <= 1000, `${field}[${index}].quantity`, "1 to 1,000");
    }
    return this;
  }

  /** Throws a Failure that lists everything that is wrong. */
  done(): void {
    if (this.#violations.length === 0) return;
    const fields = this.#violations.map(({ field, description }) => `${field} must be ${description}`);
    throw new Failure(Code.InvalidArgument, "INVALID_REQUEST", fields.join("; "), this.#violations);
  }
}
