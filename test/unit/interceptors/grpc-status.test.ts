// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { Metadata, status as Status } from "@grpc/grpc-js";
import { describe, expect, it } from "vitest";
import {
  containEscapedStatus,
  nonceIn,
  refusalToStatus,
  requiredNonceIn,
  statusSaysScopeMissed,
  statusSaysTokenRefused,
  tokenErrorToStatus,
} from "../../../src/interceptors/grpc-status.js";
import { refusedToken } from "../../support/stub-resource-server.js";
import { tokenError } from "../../support/stub-token-source.js";
import { seenIn } from "./grpc-bench.js";
import { expectedOutcomes, refusals } from "./outcomes.js";

const audience = "https://payment-service.internal";
const requirement = { audience, scopes: ["payments:write"] };
const refusal = refusalToStatus({ reason: "TOKEN_EXPIRED", cause: "", audience });

describe("refusalToStatus", () => {
  it.each(expectedOutcomes)("writes $reason as gRPC wants it", (expected) => {
    const { reason } = expected;
    const status = refusalToStatus({ cause: "", ...refusals[refusedToken(reason)], reason, audience });
    expect(seenIn(status)).toMatchObject({
      code: expected.code,
      message: expected.message,
      errorInfos: [{ reason, domain: "meshauth", metadata: { audience, ...expected.metadata } }],
      retryInfos: expected.retryDelay === undefined ? [] : [{ retryDelay: expected.retryDelay }],
    });
    const { "grpc-status-details-bin": _, ...others } = status.metadata.getMap();
    expect(others).toEqual({
      ...(expected.wwwAuthenticate !== undefined && { "www-authenticate": expected.wwwAuthenticate }),
      ...(expected.dpopNonce !== undefined && { "dpop-nonce": expected.dpopNonce }),
    });
  });
});

describe("requiredNonceIn", () => {
  const wanted = refusalToStatus({ reason: "DPOP_NONCE_REQUIRED", cause: "", audience, dpopNonce: "nonce-7" });

  it("is the nonce of a refusal for want of one", () => {
    expect(requiredNonceIn(wanted, audience)).toBe("nonce-7");
  });

  it.each([
    ["another code", { ...wanted, code: Status.PERMISSION_DENIED }],
    ["another reason", refusalToStatus({ reason: "DPOP_PROOF_INVALID", cause: "", audience, dpopNonce: "nonce-7" })],
    ["another audience", refusalToStatus({ reason: "DPOP_NONCE_REQUIRED", cause: "", audience: "", dpopNonce: "n" })],
    ["no nonce", refusalToStatus({ reason: "DPOP_NONCE_REQUIRED", cause: "", audience })],
    ["no metadata", { code: Status.UNAUTHENTICATED, details: "" }],
  ])("is none with %s", (_, received) => {
    expect(requiredNonceIn(received, audience)).toBeUndefined();
  });

  it("is a text, whatever is in the metadata", () => {
    expect(nonceIn(new Metadata())).toBeUndefined();
    expect(nonceIn(wanted.metadata)).toBe("nonce-7");
  });
});

describe("containEscapedStatus", () => {
  it.each([Status.UNAUTHENTICATED, Status.PERMISSION_DENIED, Status.UNAVAILABLE])(
    "contains refusals of code %i",
    (code) => {
      const contained = containEscapedStatus({ ...refusal, code });
      expect(contained).toEqual({
        code: Status.INTERNAL,
        details: "a service further downstream refused a call",
        metadata: new Metadata(),
      });
    },
  );

  it.each([
    ["refused", Status.INTERNAL],
    ["unavailable", Status.UNAVAILABLE],
    ["cancelled", Status.DEADLINE_EXCEEDED],
  ] as const)("says no more of a token that is missing (%s) than that", (kind, code) => {
    expect(containEscapedStatus(tokenErrorToStatus(tokenError(kind, requirement)))).toEqual({
      code,
      details: "this service could not get an access token for a call of its own",
      metadata: new Metadata(),
    });
  });

  it.each([
    ["a status that is OK", { ...refusal, code: Status.OK }],
    ["a status without metadata", { code: Status.UNAUTHENTICATED, details: "no" }],
    ["a status with metadata: null", { code: Status.UNAUTHENTICATED, details: "no", metadata: null }],
    ["a status without details", { code: Status.UNAUTHENTICATED, details: "no", metadata: new Metadata() }],
    ["a bug of a token source", tokenErrorToStatus(new Error("a bug"))],
    ["the metadata of something that is not grpc-js", { code: 16, details: "no", metadata: new Headers() as never }],
  ])("leaves %s as it is", (_, escaped) => {
    expect(containEscapedStatus(escaped)).toBe(escaped);
  });
});

describe("statusSaysTokenRefused", () => {
  it("wants UNAUTHENTICATED, our details, and the audience of the call", () => {
    expect(statusSaysTokenRefused(refusal, audience)).toBe(true);
    expect(statusSaysTokenRefused({ ...refusal, code: Status.PERMISSION_DENIED }, audience)).toBe(false);
    expect(statusSaysTokenRefused({ ...refusal, metadata: new Metadata() }, audience)).toBe(false);
    expect(statusSaysTokenRefused(refusal, `${audience}/`)).toBe(false);
  });
});

describe("statusSaysScopeMissed", () => {
  it("wants PERMISSION_DENIED, our details, and the audience of the call", () => {
    const missed = refusalToStatus({ reason: "SCOPE_INSUFFICIENT", cause: "", audience, required: ["a"] });
    expect(statusSaysScopeMissed(missed, audience)).toBe(true);
    expect(statusSaysScopeMissed({ ...missed, code: Status.UNAUTHENTICATED }, audience)).toBe(false);
    expect(statusSaysScopeMissed({ ...missed, metadata: new Metadata() }, audience)).toBe(false);
    expect(statusSaysScopeMissed(missed, `${audience}/`)).toBe(false);
    expect(statusSaysScopeMissed({ ...refusal, code: Status.PERMISSION_DENIED }, audience)).toBe(false);
  });
});

describe("tokenErrorToStatus", () => {
  it.each([
    ["unavailable", Status.UNAVAILABLE],
    ["refused", Status.UNAUTHENTICATED],
    ["cancelled", Status.DEADLINE_EXCEEDED],
  ] as const)("gives a failure of kind %s its code and its message", (kind, code) => {
    const error = tokenError(kind, requirement);
    expect(tokenErrorToStatus(error)).toEqual({ code, details: error.message, metadata: new Metadata() });
  });

  it.each([new Error("a bug"), undefined, "a bug"])("says nothing of anything else (case %#)", (error) => {
    expect(tokenErrorToStatus(error)).toEqual({
      code: Status.INTERNAL,
      details: "no access token",
      metadata: new Metadata(),
    });
  });
});
