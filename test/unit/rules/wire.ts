// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import type { UnknownField } from "@bufbuild/protobuf";
import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";

/** The extension number of our options, written down a second time on purpose: it must never change. */
export const optionNumber = 518955728;

/** A length-delimited field: text, or the parts of a message. */
export function field(number: number, ...parts: readonly (string | Uint8Array)[]): Uint8Array {
  return new BinaryWriter()
    .tag(number, WireType.LengthDelimited)
    .bytes(Buffer.concat(parts.map((part) => Buffer.from(part))))
    .finish();
}

/** A field that holds a number. */
export function varint(number: number, value: number): Uint8Array {
  return new BinaryWriter().tag(number, WireType.Varint).int32(value).finish();
}

/** One occurrence of an option at our extension number. */
export function occurrence(...parts: readonly Uint8Array[]): UnknownField {
  const message = Buffer.concat(parts);
  return {
    no: optionNumber,
    wireType: WireType.LengthDelimited,
    data: new BinaryWriter().bytes(message).finish(),
  };
}

/** A number at our extension number. */
export function numberOccurrence(value: number): UnknownField {
  return { no: optionNumber, wireType: WireType.Varint, data: new BinaryWriter().uint32(value).finish() };
}
