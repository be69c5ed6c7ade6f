// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { create, type MessageShape } from "@bufbuild/protobuf";
import {
  type ErrorInfo,
  ErrorInfoSchema,
  type RetryInfo,
  RetryInfoSchema,
} from "../gen/google/rpc/error_details_pb.js";
import type { Refusal } from "../verification/refusal.js";

/** The domain of every google.rpc.ErrorInfo that is ours. */
export const errorDomain = "meshauth";

/** Status codes of gRPC that an outcome can have; Connect's codes are the same numbers. */
export const StatusCode = { PermissionDenied: 7, Internal: 13, Unavailable: 14, Unauthenticated: 16 } as const;

/** What a refused caller gets to see, whatever the transport. */
export interface Outcome {
  readonly code: (typeof StatusCode)[keyof typeof StatusCode];
  readonly message: string;
  readonly errorInfo: ErrorInfo;
  readonly retryInfo: RetryInfo | undefined;
  /** Value of `www-authenticate` (RFC 6750 §3), if there is one. */
  readonly wwwAuthenticate: string | undefined;
}

/** Turns a refusal into what the caller gets to see: nothing of its cause. */
export function toOutcome(refusal: Refusal): Outcome {
  const { reason, audience, required = [], missing = [] } = refusal;
  return {
    ...face(refusal),
    errorInfo: create(ErrorInfoSchema, {
      reason,
      domain: errorDomain,
      metadata: {
        ...(audience === "" ? {} : { audience }),
        ...(required.length === 0 ? {} : { required: required.join(" "), missing: missing.join(" ") }),
        ...(refusal.stream === true ? { stream: "true" } : {}),
      },
    }),
    retryInfo: refusal.retryAfterMs === undefined ? undefined : toRetryInfo(refusal.retryAfterMs),
  };
}

function face({ reason, required = [], stream }: Refusal): Pick<Outcome, "code" | "message" | "wwwAuthenticate"> {
  switch (reason) {
    case "CREDENTIALS_MISSING":
      return unauthenticated("an access token is needed: send it as authorization: Bearer", "Bearer");
    case "TOKEN_EXPIRED":
      return unauthenticated(
        stream === true ? "the access token expired during the stream" : "the access token has expired",
      );
    case "TOKEN_NOT_YET_VALID":
      return unauthenticated("the access token is not valid yet");
    case "TOKEN_INVALID":
      return unauthenticated("the access token is not valid here");
    case "SCOPE_INSUFFICIENT": {
      const scope = required.join(" ");
      return denied(
        `the access token lacks a scope; needed: ${scope}`,
        `Bearer error="insufficient_scope", scope="${scope}"`,
      );
    }
    case "CALLER_NOT_ALLOWED":
      return denied("this client may not call this RPC");
    case "RULE_MISSING":
      return denied("this RPC has no access rule, so nobody may call it");
    case "AUTHORIZATION_SERVER_UNAVAILABLE":
      return {
        code: StatusCode.Unavailable,
        message: "the access token cannot be checked at the moment",
        wwwAuthenticate: undefined,
      };
  }
}

function unauthenticated(message: string, challenge = 'Bearer error="invalid_token"'): ReturnType<typeof face> {
  return { code: StatusCode.Unauthenticated, message, wwwAuthenticate: challenge };
}

function denied(message: string, challenge?: string): ReturnType<typeof face> {
  return { code: StatusCode.PermissionDenied, message, wwwAuthenticate: challenge };
}

function toRetryInfo(retryAfterMs: number): RetryInfo {
  const ms = Math.ceil(retryAfterMs);
  const seconds = Math.floor(ms / 1000);
  return create(RetryInfoSchema, {
    retryDelay: { seconds: BigInt(seconds), nanos: (ms - seconds * 1000) * 1_000_000 },
  });
}

/** The messages that go into an error's details. */
export function detailsOf({ errorInfo, retryInfo }: Outcome): readonly (ErrorInfo | RetryInfo)[] {
  return retryInfo === undefined ? [errorInfo] : [errorInfo, retryInfo];
}

/** Whether error details say that this server's gate refused the token of this call, before a handler ran. */
export function isTokenRefused(details: readonly MessageShape<typeof ErrorInfoSchema>[], audience: string): boolean {
  return details.some(
    ({ domain, reason, metadata }) =>
      domain === errorDomain &&
      (reason === "TOKEN_EXPIRED" || reason === "TOKEN_INVALID") &&
      metadata["audience"] === audience &&
      metadata["stream"] === undefined,
  );
}

/** Whether error details say that the token of this call lacked a scope. */
export function isScopeMissed(details: readonly MessageShape<typeof ErrorInfoSchema>[], audience: string): boolean {
  return details.some(
    ({ domain, reason, metadata }) =>
      domain === errorDomain && reason === "SCOPE_INSUFFICIENT" && metadata["audience"] === audience,
  );
}

/** Whether error details have one of ours. */
export function hasRefusal(details: readonly MessageShape<typeof ErrorInfoSchema>[]): boolean {
  return details.some(({ domain }) => domain === errorDomain);
}

/** What the caller of a handler sees when a refusal from further downstream escapes it. */
export const escapedRefusalMessage = "a service further downstream refused a call";

/** What the caller of a handler sees when the handler got no token for a call of its own. */
export const escapedTokenErrorMessage = "this service could not get an access token for a call of its own";
