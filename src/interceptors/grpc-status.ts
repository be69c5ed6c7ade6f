// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { type Any, anyPack, anyUnpack } from "@bufbuild/protobuf/wkt";
import { Metadata, type StatusObject, status } from "@grpc/grpc-js";
import { type ErrorInfo, ErrorInfoSchema, RetryInfoSchema } from "../gen/google/rpc/error_details_pb.js";
import { StatusSchema } from "../gen/google/rpc/status_pb.js";
import { TokenError } from "../tokens/token-error.js";
import type { Refusal } from "../verification/refusal.js";
import {
  detailsOf,
  dpopNonceHeader,
  escapedRefusalMessage,
  escapedTokenErrorMessage,
  hasRefusal,
  headersOf,
  isNonceRequired,
  isScopeMissed,
  isTokenRefused,
  toOutcome,
} from "./outcome.js";

const detailsKey = "grpc-status-details-bin";

/** The status that ends a refused call, on the server. */
export function refusalToStatus(refusal: Refusal): StatusObject {
  const outcome = toOutcome(refusal);
  const metadata = new Metadata();
  for (const [name, value] of Object.entries(headersOf(outcome))) metadata.set(name, value);
  const details = detailsOf(outcome).map((value) =>
    value.$typeName === ErrorInfoSchema.typeName ? anyPack(ErrorInfoSchema, value) : anyPack(RetryInfoSchema, value),
  );
  const message = create(StatusSchema, { code: outcome.code, message: outcome.message, details });
  metadata.set(detailsKey, Buffer.from(toBinary(StatusSchema, message)));
  return { code: outcome.code, details: outcome.message, metadata };
}

/** A status as a handler gives it to a server, or a server to a client. */
type AnyStatus = Pick<StatusObject, "code" | "details"> & { metadata?: Metadata | null | undefined };

// What a handler could pass on of its own missing token, by its metadata: grpc-js hands the same object on in its errors.
const localFailures = new WeakSet<Metadata>();

/** What a server says when its handler lets a refusal from further downstream escape. See containEscapedRefusal(). */
export function containEscapedStatus<T extends AnyStatus>(escaped: T): T | StatusObject {
  if (escaped.code === status.OK) return escaped;
  if (escaped.metadata instanceof Metadata && localFailures.has(escaped.metadata)) {
    const code = escaped.code === status.UNAUTHENTICATED ? status.INTERNAL : escaped.code;
    return { code, details: escapedTokenErrorMessage, metadata: new Metadata() };
  }
  if (!hasRefusal(errorInfos(escaped))) return escaped;
  return { code: status.INTERNAL, details: escapedRefusalMessage, metadata: new Metadata() };
}

/** Whether a status, on the client, says that the server refused the token of this call before a handler ran. */
export function statusSaysTokenRefused(received: AnyStatus, audience: string): boolean {
  return received.code === status.UNAUTHENTICATED && isTokenRefused(errorInfos(received), audience);
}

/** The nonce that the server wants in the DPoP proof of this call, by the status with which it refused it, on the client. */
export function requiredNonceIn(received: AnyStatus, audience: string): string | undefined {
  const isWanted = received.code === status.UNAUTHENTICATED && isNonceRequired(errorInfos(received), audience);
  return isWanted && received.metadata ? nonceIn(received.metadata) : undefined;
}

/** The nonce that a server sends with an answer, for the proofs of further calls (RFC 9449 §8.2). */
export function nonceIn(metadata: Metadata): string | undefined {
  const [nonce] = metadata.get(dpopNonceHeader);
  return typeof nonce === "string" ? nonce : undefined;
}

/** Whether a status, on the client, says that the token of this call lacked a scope. */
export function statusSaysScopeMissed(received: AnyStatus, audience: string): boolean {
  return received.code === status.PERMISSION_DENIED && isScopeMissed(errorInfos(received), audience);
}

function errorInfos({ metadata }: AnyStatus): ErrorInfo[] {
  const [encoded] = metadata?.get(detailsKey) ?? [];
  if (!Buffer.isBuffer(encoded)) return [];
  try {
    return fromBinary(StatusSchema, encoded).details.flatMap(unpackErrorInfo);
  } catch {
    return []; // somebody else's details
  }
}

function unpackErrorInfo(any: Any): ErrorInfo[] {
  const info = anyUnpack(any, ErrorInfoSchema);
  return info === undefined ? [] : [info];
}

/** The status that ends a call for which there is no token, on the client. */
export function tokenErrorToStatus(error: unknown): StatusObject {
  const metadata = new Metadata();
  if (!(error instanceof TokenError)) return { code: status.INTERNAL, details: "no access token", metadata };
  localFailures.add(metadata);
  return { code: codeOf(error), details: error.message, metadata };
}

function codeOf({ kind }: TokenError): status {
  switch (kind) {
    case "unavailable":
      return status.UNAVAILABLE;
    case "refused":
      return status.UNAUTHENTICATED;
    case "cancelled":
      // By its deadline: a call that its client cancelled is over already.
      return status.DEADLINE_EXCEEDED;
  }
}
