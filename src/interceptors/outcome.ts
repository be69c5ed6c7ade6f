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
import { type Challenge, writeChallenge } from "./challenge.js";

/** The domain of every google.rpc.ErrorInfo that is ours. */
export const errorDomain = "meshauth";

/** Where a server says which nonce it wants (RFC 9449 §8.1, §9). */
export const dpopNonceHeader = "dpop-nonce";

/** Status codes of gRPC that an outcome can have; Connect's codes are the same numbers. */
export const StatusCode = { PermissionDenied: 7, Internal: 13, Unavailable: 14, Unauthenticated: 16 } as const;

/** What a refused caller gets to see, whatever the transport. */
export interface Outcome {
  readonly code: (typeof StatusCode)[keyof typeof StatusCode];
  readonly message: string;
  readonly errorInfo: ErrorInfo;
  readonly retryInfo: RetryInfo | undefined;
  /** Value of `www-authenticate` (RFC 6750 §3, RFC 9449 §7.1), if there is one. */
  readonly wwwAuthenticate: string | undefined;
  /** Value of `dpop-nonce` (RFC 9449 §9), if there is one. */
  readonly dpopNonce: string | undefined;
}

/** Turns a refusal into what the caller gets to see: nothing of its cause. */
export function toOutcome(refusal: Refusal): Outcome {
  const { reason, audience, required = [], missing = [] } = refusal;
  const { code, message, challenge } = face(refusal);
  return {
    code,
    message,
    wwwAuthenticate: challenge === undefined ? undefined : writeChallenge(refusal, challenge),
    dpopNonce: refusal.dpopNonce,
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

interface Face extends Pick<Outcome, "code" | "message"> {
  readonly challenge: Challenge | undefined;
}

function face({ reason, required = [], stream, scheme }: Refusal): Face {
  switch (reason) {
    case "CREDENTIALS_MISSING":
      return unauthenticated(`an access token is needed: send it as authorization: ${scheme ?? "Bearer"}`, {});
    case "TOKEN_EXPIRED":
      return unauthenticated(
        stream === true ? "the access token expired during the stream" : "the access token has expired",
      );
    case "TOKEN_NOT_YET_VALID":
      return unauthenticated("the access token is not valid yet");
    case "TOKEN_INVALID":
      return unauthenticated("the access token is not valid here");
    case "DPOP_PROOF_INVALID":
      return unauthenticated("the DPoP proof is not valid here", { error: "invalid_dpop_proof" });
    case "DPOP_NONCE_REQUIRED":
      return unauthenticated("the DPoP proof needs the nonce of this server", { error: "use_dpop_nonce" });
    case "SCOPE_INSUFFICIENT": {
      const scope = required.join(" ");
      return denied(`the access token lacks a scope; needed: ${scope}`, { error: "insufficient_scope", scope });
    }
    case "CALLER_NOT_ALLOWED":
      return denied("this client may not call this RPC");
    case "RULE_MISSING":
      return denied("this RPC has no access rule, so nobody may call it");
    case "AUTHORIZATION_SERVER_UNAVAILABLE":
      return {
        code: StatusCode.Unavailable,
        message: "the access token cannot be checked at the moment",
        challenge: undefined,
      };
  }
}

function unauthenticated(message: string, challenge: Challenge = { error: "invalid_token" }): Face {
  return { code: StatusCode.Unauthenticated, message, challenge };
}

function denied(message: string, challenge?: Challenge): Face {
  return { code: StatusCode.PermissionDenied, message, challenge };
}

function toRetryInfo(retryAfterMs: number): RetryInfo {
  const ms = Math.ceil(retryAfterMs);
  const seconds = Math.floor(ms / 1000);
  return create(RetryInfoSchema, {
    retryDelay: { seconds: BigInt(seconds), nanos: (ms - seconds * 1000) * 1_000_000 },
  });
}

/** The header, or metadata, that a refusal has. */
export function headersOf({ wwwAuthenticate, dpopNonce }: Outcome): Record<string, string> {
  return {
    ...(wwwAuthenticate === undefined ? {} : { "www-authenticate": wwwAuthenticate }),
    ...(dpopNonce === undefined ? {} : { [dpopNonceHeader]: dpopNonce }),
  };
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

/** Whether error details say that this server's gate wants a nonce in the DPoP proof of this call. */
export function isNonceRequired(details: readonly MessageShape<typeof ErrorInfoSchema>[], audience: string): boolean {
  return details.some(
    ({ domain, reason, metadata }) =>
      domain === errorDomain && reason === "DPOP_NONCE_REQUIRED" && metadata["audience"] === audience,
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
