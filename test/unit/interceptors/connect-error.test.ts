// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { Code, ConnectError } from "@connectrpc/connect";
import { describe, expect, it } from "vitest";
import { ErrorInfoSchema } from "../../../src/gen/google/rpc/error_details_pb.js";
import {
  containEscapedRefusal,
  requiredNonce,
  saysScopeMissed,
  saysTokenRefused,
  tokenErrorToConnectError,
} from "../../../src/interceptors/connect-error.js";
import { tokenError } from "../../support/stub-token-source.js";

const audience = "https://payment-service.internal";
const requirement = { audience, scopes: ["payments:write"] };

function refusal(code: Code, reason = "TOKEN_EXPIRED"): ConnectError {
  return new ConnectError("no", code, undefined, [
    { desc: ErrorInfoSchema, value: { domain: "meshauth", reason, metadata: { audience } } },
  ]);
}

describe("containEscapedRefusal", () => {
  it("keeps the refusal as the cause, for the server's log", () => {
    const escaped = refusal(Code.Unauthenticated);
    expect(containEscapedRefusal(escaped)).toMatchObject({ code: Code.Internal, cause: escaped, details: [] });
  });

  it("contains refusals of any code", () => {
    expect(containEscapedRefusal(refusal(Code.Unavailable))).toMatchObject({ code: Code.Internal });
  });

  it.each([
    ["refused", Code.Unauthenticated, Code.Internal],
    ["unavailable", Code.Unavailable, Code.Unavailable],
    ["cancelled", Code.Canceled, Code.Canceled],
    ["cancelled", Code.DeadlineExceeded, Code.DeadlineExceeded],
  ] as const)("says no more of a token that is missing (%s) than that (case %#)", (kind, code, contained) => {
    const escaped = new ConnectError("no", code, { "x-own": "1" }, [], tokenError(kind, requirement));
    const error = containEscapedRefusal(escaped) as ConnectError;
    expect(error).toMatchObject({
      code: contained,
      rawMessage: "this service could not get an access token for a call of its own",
      cause: escaped,
      details: [],
    });
    expect([...error.metadata]).toEqual([]);
  });

  it.each([
    ["a ConnectError without details", new ConnectError("no", Code.Unauthenticated)],
    ["a ConnectError with another cause", new ConnectError("no", Code.Unauthenticated, {}, [], new Error("no"))],
    ["an Error", new Error("no")],
    ["what is no Error", "no"],
    ["nothing", undefined],
  ])("leaves %s as it is", (_, error) => {
    expect(containEscapedRefusal(error)).toBe(error);
  });
});

describe("saysTokenRefused", () => {
  it("wants UNAUTHENTICATED and our details", () => {
    expect(saysTokenRefused(refusal(Code.Unauthenticated), audience)).toBe(true);
    expect(saysTokenRefused(refusal(Code.PermissionDenied), audience)).toBe(false);
    expect(saysTokenRefused(refusal(Code.Unavailable), audience)).toBe(false);
    expect(saysTokenRefused(new ConnectError("no", Code.Unauthenticated), audience)).toBe(false);
    expect(saysTokenRefused(refusal(Code.Unauthenticated), `${audience}/`)).toBe(false);
  });

  it("does not mind other errors", () => {
    expect(saysTokenRefused(new Error("no"), audience)).toBe(false);
    expect(saysTokenRefused(undefined, audience)).toBe(false);
  });
});

describe("requiredNonce", () => {
  const wanted = (
    code = Code.Unauthenticated,
    reason = "DPOP_NONCE_REQUIRED",
    nonce: HeadersInit = { "dpop-nonce": "n" },
  ) =>
    new ConnectError("no", code, nonce, [
      { desc: ErrorInfoSchema, value: { domain: "meshauth", reason, metadata: { audience } } },
    ]);

  it("wants UNAUTHENTICATED, our details and a nonce", () => {
    expect(requiredNonce(wanted(), audience)).toBe("n");
    expect(requiredNonce(wanted(Code.PermissionDenied), audience)).toBeUndefined();
    expect(requiredNonce(wanted(Code.Unauthenticated, "DPOP_PROOF_INVALID"), audience)).toBeUndefined();
    expect(requiredNonce(wanted(Code.Unauthenticated, "DPOP_NONCE_REQUIRED", {}), audience)).toBeUndefined();
    expect(requiredNonce(wanted(), `${audience}/`)).toBeUndefined();
    expect(
      requiredNonce(new ConnectError("no", Code.Unauthenticated, { "dpop-nonce": "n" }), audience),
    ).toBeUndefined();
    expect(requiredNonce(new Error("no"), audience)).toBeUndefined();
  });
});

describe("saysScopeMissed", () => {
  it("wants PERMISSION_DENIED and our details", () => {
    expect(saysScopeMissed(refusal(Code.PermissionDenied, "SCOPE_INSUFFICIENT"), audience)).toBe(true);
    expect(saysScopeMissed(refusal(Code.Unauthenticated, "SCOPE_INSUFFICIENT"), audience)).toBe(false);
    expect(saysScopeMissed(refusal(Code.PermissionDenied, "CALLER_NOT_ALLOWED"), audience)).toBe(false);
    expect(saysScopeMissed(refusal(Code.PermissionDenied, "SCOPE_INSUFFICIENT"), `${audience}/`)).toBe(false);
    expect(saysScopeMissed(new ConnectError("no", Code.PermissionDenied), audience)).toBe(false);
    expect(saysScopeMissed(new Error("no"), audience)).toBe(false);
  });
});

describe("tokenErrorToConnectError", () => {
  const open = new AbortController().signal;
  const aborted = AbortSignal.abort();
  const late = AbortSignal.abort(new ConnectError("too late", Code.DeadlineExceeded));

  it.each([
    ["unavailable", open, Code.Unavailable],
    ["unavailable", aborted, Code.Unavailable],
    ["refused", open, Code.Unauthenticated],
    ["cancelled", aborted, Code.Canceled],
    ["cancelled", late, Code.DeadlineExceeded],
    ["cancelled", open, Code.DeadlineExceeded],
  ] as const)("gives a failure of kind %s its code (case %#)", (kind, signal, code) => {
    const cause = tokenError(kind, requirement);
    const error = tokenErrorToConnectError(cause, signal);
    expect(error).toMatchObject({ code, rawMessage: cause.message, cause, details: [] });
  });
});
