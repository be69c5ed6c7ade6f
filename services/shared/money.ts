// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { create } from "@bufbuild/protobuf";
import { type Money, MoneySchema } from "../../src/gen/google/type/money_pb.js";

const nanosPerUnit = 1_000_000_000n;

/** The one currency of the example. */
export const currency = "USD";

/** An amount as a whole number of nano units: exact, never a float. */
export function toNanos({ units, nanos }: Money): bigint {
  return units * nanosPerUnit + BigInt(nanos);
}

/** An amount of a whole number of nano units. */
export function fromNanos(nanos: bigint): Money {
  return create(MoneySchema, {
    currencyCode: currency,
    units: nanos / nanosPerUnit,
    nanos: Number(nanos % nanosPerUnit),
  });
}

/** Whether it is an amount of our currency above zero, its parts in order (google.type.Money). */
export function isPayable(money: Money | undefined): money is Money {
  return (
    money !== undefined &&
    money.currencyCode === currency &&
    money.nanos >= 0 &&
    money.nanos < Number(nanosPerUnit) &&
    toNanos(money) > 0n
  );
}

/** For a person: "19.90 USD". */
export function formatMoney(money: Money): string {
  const cents = (toNanos(money) * 100n) / nanosPerUnit;
  return `${cents / 100n}.${String(cents % 100n).padStart(2, "0")} ${money.currencyCode}`;
}
