// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { Code, ConnectError } from "@connectrpc/connect";
import { ErrorInfoSchema, RetryInfoSchema } from "../gen/google/rpc/error_details_pb.js";
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

/** The error that ends a refused call, on the server. */
export function refusalToConnectError(refusal: Refusal): ConnectError {
  const outcome = toOutcome(refusal);
  const details = detailsOf(outcome).map((value) =>
    value.$typeName === ErrorInfoSchema.typeName ? { desc: ErrorInfoSchema, value } : { desc: RetryInfoSchema, value },
  );
  return new ConnectError(outcome.message, outcome.code as Code, headersOf(outcome), details);
}

/**
 * What a server says when its handler failed. A refusal from further downstream must not look like ours: the caller
 * would drop a good token and repeat side effects. Nor does it concern the caller which token this service lacks.
 */
export function containEscapedRefusal(error: unknown): unknown {
  if (!(error instanceof ConnectError)) return error;
  if (error.cause instanceof TokenError) {
    const code = error.code === Code.Unauthenticated ? Code.Internal : error.code;
    return new ConnectError(escapedTokenErrorMessage, code, undefined, undefined, error);
  }
  if (!hasRefusal(error.findDetails(ErrorInfoSchema))) return error;
  return new ConnectError(escapedRefusalMessage, Code.Internal, undefined, undefined, error);
}

/** Whether an error, on the client, says that the server refused the token of this call before a handler ran. */
export function saysTokenRefused(error: unknown, audience: string): boolean {
  return (
    error instanceof ConnectError &&
    error.code === Code.Unauthenticated &&
    isTokenRefused(error.findDetails(ErrorInfoSchema), audience)
  );
}

/** The nonce that the server wants in the DPoP proof of this call, by the error with which it refused it, on the client. */
export function requiredNonce(error: unknown, audience: string): string | undefined {
  if (!(error instanceof ConnectError) || error.code !== Code.Unauthenticated) return undefined;
  if (!isNonceRequired(error.findDetails(ErrorInfoSchema), audience)) return undefined;
  return error.metadata.get(dpopNonceHeader) ?? undefined;
}

/** Whether an error, on the client, says that the token of this call lacked a scope. */
export function saysScopeMissed(error: unknown, audience: string): boolean {
  return (
    error instanceof ConnectError &&
    error.code === Code.PermissionDenied &&
    isScopeMissed(error.findDetails(ErrorInfoSchema), audience)
  );
}

/** The error that ends a call for which there is no token, on the client. Its cause is the TokenError. */
export function tokenErrorToConnectError(error: TokenError, signal: AbortSignal): ConnectError {
  return new ConnectError(error.message, codeOf(error, signal), undefined, undefined, error);
}

function codeOf(error: TokenError, signal: AbortSignal): Code {
  switch (error.kind) {
    case "unavailable":
      return Code.Unavailable;
    case "refused":
      return Code.Unauthenticated;
    case "cancelled":
      return signal.aborted ? ConnectError.from(signal.reason, Code.Canceled).code : Code.DeadlineExceeded;
  }
}
