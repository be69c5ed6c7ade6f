// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { describe, expect, it } from "vitest";
import { maxTokenLength, readCredentials } from "../../../src/verification/bearer.js";
import { expectNothingOf, invalidBecause, mint } from "./harness.js";

const notOneToken = invalidBecause("the authorization header is not exactly one token");

describe("readCredentials", () => {
  it.each([undefined, null, "", " ", "\t", "  \t "])("takes the header %j for no credentials", (header) => {
    expect(readCredentials(header)).toEqual({ reason: "CREDENTIALS_MISSING", cause: "no authorization header" });
  });

  it.each([
    "Basic b3JkZXItc2VydmljZTpzZWNyZXQ=",
    "DPoPx some-access-token",
    "DPoP:some-access-token",
    "Bearerx some-access-token",
    "Bearer:some-access-token",
    "Bearer\tsome-access-token",
    "Basic b3JkZXI6c2VjcmV0, Bearer some-access-token",
    " Bearer some-access-token",
    "some-access-token",
    "xBearer some-access-token",
  ])("takes another scheme for no credentials: %j", (header) => {
    const verdict = readCredentials(header);
    expect(verdict).toEqual({
      reason: "CREDENTIALS_MISSING",
      cause: "the authorization scheme is neither Bearer nor DPoP",
    });
    expectNothingOf(header, verdict);
  });

  it.each(["Bearer", "bearer", " Bearer", "BEARER\t", "DPoP", "dpop"])("refuses the scheme alone: %j", (header) => {
    expect(readCredentials(header)).toEqual(invalidBecause("authorization header without a token"));
  });

  it("refuses the scheme and a space alone", () => {
    expect(readCredentials("Bearer ")).toEqual(notOneToken);
  });

  it.each(["Bearer", "bearer", "BEARER", "bEaReR"])("reads the scheme in any case: %s", (scheme) => {
    expect(readCredentials(`${scheme} some-access-token`)).toMatchObject({
      scheme: "Bearer",
      token: "some-access-token",
    });
  });

  it.each(["DPoP", "dpop", "DPOP"])("reads the scheme of bound tokens in any case: %s", (scheme) => {
    const credentials = readCredentials(`${scheme} some-access-token`);
    expect(credentials).toMatchObject({ scheme: "DPoP", token: "some-access-token" });
  });

  it.each(["Bearer", "bearer", "BEARER", "DPoP", "dpop"])("spells the scheme in one way: %s", (scheme) => {
    const credentials = readCredentials(`${scheme} some-access-token`);
    expect(credentials).toMatchObject({
      text: `${scheme[0] === "B" || scheme[0] === "b" ? "Bearer" : "DPoP"} some-access-token`,
    });
  });

  it("hands the token out as it came", () => {
    const token = mint();
    expect(readCredentials(`Bearer ${token}`)).toMatchObject({ scheme: "Bearer", token });
  });

  it.each(["aZ09-._~+/", "YWJj=", "YWJj=="])("reads every character that RFC 6750 §2.1 allows: %s", (token) => {
    expect(readCredentials(`Bearer ${token}`)).toMatchObject({ scheme: "Bearer", token });
  });

  it.each([
    ["two spaces in front of the token", "Bearer  some-access-token"],
    ["a space behind the token", "Bearer some-access-token "],
    ["a space inside the token", "Bearer some-access token"],
    ["a tab in front of the token", "Bearer \tsome-access-token"],
    ["a tab behind the token", "Bearer some-access-token\t"],
    ["a line feed behind the token", "Bearer some-access-token\n"],
    ["a line in front of the token", "Bearer not a token\nsome-access-token"],
    ["a comma behind the token", "Bearer some-access-token,"],
    ["two tokens in one header line", "Bearer some-access-token,another-access-token"],
    ["two header lines joined", "Bearer some-access-token, Bearer another-access-token"],
    ["a parameter behind the token", "Bearer some-access-token;scope=admin"],
    ["quotation marks around the token", 'Bearer "some-access-token"'],
    ["padding inside the token", "Bearer some=access-token"],
    ["padding alone", "Bearer =="],
    ["characters outside of ASCII", "Bearer some-access-tokén"],
    ["a NUL", "Bearer some-access-token\u0000"],
  ])("refuses %s", (_, header) => {
    const verdict = readCredentials(header);
    expect(verdict).toEqual(notOneToken);
    expectNothingOf(header.slice("Bearer ".length), verdict);
  });

  it("reads a token of exactly the longest length", () => {
    const token = "a".repeat(maxTokenLength);
    expect(readCredentials(`Bearer ${token}`)).toMatchObject({ scheme: "Bearer", token });
  });

  it("refuses a token that is one character longer", () => {
    const token = "a".repeat(maxTokenLength + 1);
    const verdict = readCredentials(`Bearer ${token}`);
    expect(verdict).toEqual(invalidBecause("the token is longer than 16384 characters"));
    expectNothingOf(token, verdict);
  });

  it("looks at the length of a token before its characters", () => {
    expect(readCredentials(`Bearer ${" ".repeat(maxTokenLength + 1)}`)).toEqual(
      invalidBecause("the token is longer than 16384 characters"),
    );
  });
});
