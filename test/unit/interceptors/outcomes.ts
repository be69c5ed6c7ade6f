// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { Code } from "@connectrpc/connect";
import type { Refusal } from "../../../src/verification/refusal.js";
import { goodToken, refusedToken } from "../../support/stub-resource-server.js";

/** What a caller is told, whatever the transport: the table of design §5, written down a second time. */
export interface ExpectedOutcome {
  readonly reason: Refusal["reason"];
  /** The token that the stub refuses for this reason; `undefined` for no token at all. */
  readonly token: string | undefined;
  readonly code: Code;
  readonly message: string;
  readonly httpStatus: number;
  readonly wwwAuthenticate: string | undefined;
  readonly dpopNonce: string | undefined;
  /** Metadata of the ErrorInfo, beside the audience. */
  readonly metadata: Readonly<Record<string, string>>;
  /** Whether the audience is in it. */
  readonly hasAudience: boolean;
  readonly retryDelay: { readonly seconds: bigint; readonly nanos: number } | undefined;
}

function unauthenticated(
  reason: Refusal["reason"],
  message: string,
  wwwAuthenticate = 'Bearer error="invalid_token"',
): ExpectedOutcome {
  return {
    reason,
    token: reason === "CREDENTIALS_MISSING" ? undefined : refusedToken(reason),
    code: Code.Unauthenticated,
    message,
    httpStatus: 401,
    wwwAuthenticate,
    dpopNonce: undefined,
    metadata: {},
    hasAudience: true,
    retryDelay: undefined,
  };
}

function denied(reason: Refusal["reason"], message: string, wwwAuthenticate?: string): ExpectedOutcome {
  return { ...unauthenticated(reason, message), code: Code.PermissionDenied, httpStatus: 403, wwwAuthenticate };
}

export const expectedOutcomes: readonly ExpectedOutcome[] = [
  unauthenticated("CREDENTIALS_MISSING", "an access token is needed: send it as authorization: Bearer", "Bearer"),
  unauthenticated("TOKEN_EXPIRED", "the access token has expired"),
  unauthenticated("TOKEN_NOT_YET_VALID", "the access token is not valid yet"),
  unauthenticated("TOKEN_INVALID", "the access token is not valid here"),
  unauthenticated(
    "DPOP_PROOF_INVALID",
    "the DPoP proof is not valid here",
    'DPoP error="invalid_dpop_proof", algs="ES256 EdDSA"',
  ),
  {
    ...unauthenticated(
      "DPOP_NONCE_REQUIRED",
      "the DPoP proof needs the nonce of this server",
      'DPoP error="use_dpop_nonce", algs="ES256 EdDSA"',
    ),
    dpopNonce: "nonce-7",
  },
  {
    ...denied(
      "SCOPE_INSUFFICIENT",
      "the access token lacks a scope; needed: payments:write payments:refund",
      'Bearer error="insufficient_scope", scope="payments:write payments:refund"',
    ),
    metadata: { required: "payments:write payments:refund", missing: "payments:refund payments:write" },
  },
  denied("CALLER_NOT_ALLOWED", "this client may not call this RPC"),
  { ...denied("RULE_MISSING", "this RPC has no access rule, so nobody may call it") },
  {
    ...denied("AUTHORIZATION_SERVER_UNAVAILABLE", "the access token cannot be checked at the moment"),
    code: Code.Unavailable,
    httpStatus: 503,
    retryDelay: { seconds: 2n, nanos: 500_000_000 },
  },
];

/** What the stub has to know beyond the reasons that are in its tokens. */
export const refusals: Readonly<Record<string, Omit<Refusal, "audience">>> = {
  [refusedToken("SCOPE_INSUFFICIENT")]: {
    reason: "SCOPE_INSUFFICIENT",
    cause: `the token ${refusedToken("SCOPE_INSUFFICIENT")} lacks payments:refund payments:write`,
    required: ["payments:write", "payments:refund"],
    missing: ["payments:refund", "payments:write"],
  },
  [refusedToken("DPOP_PROOF_INVALID")]: {
    reason: "DPOP_PROOF_INVALID",
    cause: "the DPoP proof is bad",
    dpopAlgorithms: ["ES256", "EdDSA"],
  },
  [refusedToken("DPOP_NONCE_REQUIRED")]: {
    reason: "DPOP_NONCE_REQUIRED",
    cause: "the DPoP proof has no nonce",
    dpopAlgorithms: ["ES256", "EdDSA"],
    dpopNonce: "nonce-7",
  },
  [refusedToken("AUTHORIZATION_SERVER_UNAVAILABLE")]: {
    reason: "AUTHORIZATION_SERVER_UNAVAILABLE",
    cause: "no keys",
    retryAfterMs: 2_500,
  },
};

/** Every token of these tests: what no client may find in an error. */
export const secrets: readonly string[] = [
  goodToken,
  ...expectedOutcomes.flatMap(({ token }) => (token === undefined ? [] : [token])),
];
