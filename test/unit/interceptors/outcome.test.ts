// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { create } from "@bufbuild/protobuf";
import { Code } from "@connectrpc/connect";
import { status } from "@grpc/grpc-js";
import { describe, expect, it } from "vitest";
import { type ErrorInfo, ErrorInfoSchema, RetryInfoSchema } from "../../../src/gen/google/rpc/error_details_pb.js";
import {
  detailsOf,
  hasRefusal,
  isNonceRequired,
  isScopeMissed,
  isTokenRefused,
  StatusCode,
  toOutcome,
} from "../../../src/interceptors/outcome.js";
import type { Refusal } from "../../../src/verification/refusal.js";
import { refusedToken } from "../../support/stub-resource-server.js";
import { expectedOutcomes, refusals } from "./outcomes.js";

const audience = "https://payment-service.internal";

function refusalFor(reason: Refusal["reason"], changes: Partial<Refusal> = {}): Refusal {
  return { ...(refusals[refusedToken(reason)] ?? { reason, cause: "a secret cause" }), audience, ...changes };
}

describe("toOutcome", () => {
  it.each(expectedOutcomes)("says of $reason what the design says", (expected) => {
    const outcome = toOutcome(refusalFor(expected.reason));
    expect(outcome).toEqual({
      code: expected.code,
      message: expected.message,
      wwwAuthenticate: expected.wwwAuthenticate,
      dpopNonce: expected.dpopNonce,
      errorInfo: create(ErrorInfoSchema, {
        reason: expected.reason,
        domain: "meshauth",
        metadata: { audience, ...expected.metadata },
      }),
      retryInfo: expected.retryDelay && create(RetryInfoSchema, { retryDelay: expected.retryDelay }),
    });
  });

  it.each(expectedOutcomes)("says nothing of the cause of $reason", ({ reason }) => {
    const outcome = toOutcome(refusalFor(reason, { cause: "kid-42" }));
    expect(JSON.stringify(outcome, (_, value) => (typeof value === "bigint" ? String(value) : value))).not.toContain(
      "kid-42",
    );
  });

  it("names no audience where there is none", () => {
    expect(toOutcome(refusalFor("RULE_MISSING", { audience: "" })).errorInfo.metadata).toEqual({});
  });

  it("says that a stream was open when its token expired", () => {
    const { message, errorInfo } = toOutcome(refusalFor("TOKEN_EXPIRED", { stream: true }));
    expect(message).toBe("the access token expired during the stream");
    expect(errorInfo.metadata).toEqual({ audience, stream: "true" });
  });

  it("does not take stream: false for a stream", () => {
    const { message, errorInfo } = toOutcome(refusalFor("TOKEN_EXPIRED", { stream: false }));
    expect(message).toBe("the access token has expired");
    expect(errorInfo.metadata).toEqual({ audience });
  });

  it.each([
    [0, 0n, 0],
    [1, 0n, 1_000_000],
    [999, 0n, 999_000_000],
    [1_000, 1n, 0],
    [60_250, 60n, 250_000_000],
    [1_999.6, 2n, 0],
  ])("writes %s ms as a Duration", (retryAfterMs, seconds, nanos) => {
    const { retryInfo } = toOutcome(refusalFor("AUTHORIZATION_SERVER_UNAVAILABLE", { retryAfterMs }));
    expect(retryInfo?.retryDelay).toMatchObject({ seconds, nanos });
  });

  it("uses codes that Connect and grpc-js number alike", () => {
    expect(StatusCode).toEqual({
      PermissionDenied: Code.PermissionDenied,
      Internal: Code.Internal,
      Unavailable: Code.Unavailable,
      Unauthenticated: Code.Unauthenticated,
    });
    expect(StatusCode).toEqual({
      PermissionDenied: status.PERMISSION_DENIED,
      Internal: status.INTERNAL,
      Unavailable: status.UNAVAILABLE,
      Unauthenticated: status.UNAUTHENTICATED,
    });
  });
});

describe("a refusal of a token that is bound to a key", () => {
  it.each<[Partial<Refusal>, string]>([
    [{ reason: "CREDENTIALS_MISSING" }, 'DPoP algs="ES256 PS256"'],
    [{ reason: "TOKEN_INVALID" }, 'DPoP error="invalid_token", algs="ES256 PS256"'],
    [{ reason: "TOKEN_EXPIRED", stream: true }, 'DPoP error="invalid_token", algs="ES256 PS256"'],
    [
      { reason: "SCOPE_INSUFFICIENT", required: ["a", "b"], missing: ["b"] },
      'DPoP error="insufficient_scope", scope="a b", algs="ES256 PS256"',
    ],
    [{ reason: "DPOP_PROOF_INVALID" }, 'DPoP error="invalid_dpop_proof", algs="ES256 PS256"'],
  ])("asks for the scheme DPoP: %j", (changes, challenge) => {
    const refusal = refusalFor("TOKEN_INVALID", { scheme: "DPoP", dpopAlgorithms: ["ES256", "PS256"], ...changes });
    expect(toOutcome(refusal).wwwAuthenticate).toBe(challenge);
  });

  it.each<[Partial<Refusal>, string]>([
    [{ reason: "CREDENTIALS_MISSING", scheme: "DPoP" }, "DPoP"],
    [{ reason: "TOKEN_INVALID", scheme: "DPoP", dpopAlgorithms: [] }, 'DPoP error="invalid_token"'],
    [{ reason: "DPOP_NONCE_REQUIRED" }, 'DPoP error="use_dpop_nonce"'],
    [{ reason: "TOKEN_INVALID", dpopAlgorithms: ["ES256"] }, 'Bearer error="invalid_token"'],
  ])("names algorithms of proofs where they are known and there is a proof: %j", (changes, challenge) => {
    expect(toOutcome({ cause: "", audience, reason: "TOKEN_INVALID", ...changes }).wwwAuthenticate).toBe(challenge);
  });

  it("has no challenge where there is none without a key", () => {
    const refusal = refusalFor("CALLER_NOT_ALLOWED", { scheme: "DPoP", dpopAlgorithms: ["ES256"] });
    expect(toOutcome(refusal).wwwAuthenticate).toBeUndefined();
  });

  it("says how to send a token that is missing", () => {
    expect(toOutcome(refusalFor("CREDENTIALS_MISSING", { scheme: "DPoP" })).message).toBe(
      "an access token is needed: send it as authorization: DPoP",
    );
  });
});

describe("detailsOf", () => {
  it("has a RetryInfo behind the ErrorInfo where there is something to wait for", () => {
    const outcome = toOutcome(refusalFor("AUTHORIZATION_SERVER_UNAVAILABLE"));
    expect(detailsOf(outcome)).toEqual([outcome.errorInfo, outcome.retryInfo]);
  });

  it("has the ErrorInfo alone otherwise", () => {
    const outcome = toOutcome(refusalFor("TOKEN_INVALID"));
    expect(detailsOf(outcome)).toEqual([outcome.errorInfo]);
  });
});

function errorInfo(changes: Partial<Omit<ErrorInfo, "$typeName" | "$unknown">> = {}): ErrorInfo {
  return create(ErrorInfoSchema, { domain: "meshauth", reason: "TOKEN_INVALID", metadata: { audience }, ...changes });
}

describe("isTokenRefused", () => {
  it.each(["TOKEN_EXPIRED", "TOKEN_INVALID"])("knows %s of this audience", (reason) => {
    expect(isTokenRefused([errorInfo({ reason })], audience)).toBe(true);
  });

  it("looks at every detail", () => {
    expect(isTokenRefused([errorInfo({ domain: "example.com" }), errorInfo()], audience)).toBe(true);
  });

  it.each([
    ["another domain", errorInfo({ domain: "meshauth.example.com" })],
    ["another audience", errorInfo({ metadata: { audience: "https://inventory-service.internal" } })],
    ["an audience that is longer", errorInfo({ metadata: { audience: `${audience}/` } })],
    ["no audience", errorInfo({ metadata: {} })],
    ["a stream that outlived its token", errorInfo({ metadata: { audience, stream: "true" } })],
    ["a token that is not valid yet", errorInfo({ reason: "TOKEN_NOT_YET_VALID" })],
    ["a missing token", errorInfo({ reason: "CREDENTIALS_MISSING" })],
    ["a missing scope", errorInfo({ reason: "SCOPE_INSUFFICIENT" })],
    ["a bad DPoP proof", errorInfo({ reason: "DPOP_PROOF_INVALID" })],
    ["a missing nonce", errorInfo({ reason: "DPOP_NONCE_REQUIRED" })],
  ])("does not take %s for a refusal of the token", (_, info) => {
    expect(isTokenRefused([info], audience)).toBe(false);
  });

  it("does not put one together from two details", () => {
    const details = [errorInfo({ metadata: {} }), errorInfo({ reason: "CREDENTIALS_MISSING" })];
    expect(isTokenRefused(details, audience)).toBe(false);
  });

  it("finds nothing in nothing", () => {
    expect(isTokenRefused([], audience)).toBe(false);
  });
});

describe("isNonceRequired", () => {
  const required = errorInfo({ reason: "DPOP_NONCE_REQUIRED" });

  it("knows that a nonce is wanted for this audience, in any detail", () => {
    expect(isNonceRequired([errorInfo({ domain: "example.com" }), required], audience)).toBe(true);
  });

  it.each([
    ["another domain", [{ ...required, domain: "example.com" }]],
    ["another audience", [{ ...required, metadata: { audience: `${audience}/` } }]],
    ["another reason", [errorInfo({ reason: "DPOP_PROOF_INVALID" })]],
    ["nothing", []],
  ])("does not take %s for it", (_, details) => {
    expect(isNonceRequired(details, audience)).toBe(false);
  });
});

describe("isScopeMissed", () => {
  const missed = errorInfo({ reason: "SCOPE_INSUFFICIENT" });

  it("knows a missing scope of this audience, in any detail", () => {
    expect(isScopeMissed([errorInfo({ domain: "example.com" }), missed], audience)).toBe(true);
  });

  it.each([
    ["another domain", [{ ...missed, domain: "example.com" }]],
    ["another audience", [{ ...missed, metadata: { audience: `${audience}/` } }]],
    ["another reason", [errorInfo()]],
    ["nothing", []],
  ])("does not take %s for it", (_, details) => {
    expect(isScopeMissed(details, audience)).toBe(false);
  });
});

describe("hasRefusal", () => {
  it("knows our domain, whatever the reason", () => {
    expect(hasRefusal([errorInfo({ domain: "example.com" }), errorInfo({ reason: "SOMETHING_NEW" })])).toBe(true);
  });

  it("leaves details of others alone", () => {
    expect(hasRefusal([errorInfo({ domain: "example.com" })])).toBe(false);
    expect(hasRefusal([])).toBe(false);
  });
});
