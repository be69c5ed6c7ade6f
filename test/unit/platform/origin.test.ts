// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { describe, expect, it } from "vitest";
import { parseOrigin } from "../../../src/platform/origin.js";

describe("an origin", () => {
  it.each([
    ["https://payments.example.com", "https://payments.example.com"],
    ["HTTPS://Payments.example.com:443", "https://payments.example.com"],
    ["http://127.0.0.1:8080", "http://127.0.0.1:8080"],
    ["https://[::1]:8443", "https://[::1]:8443"],
  ])("is %s", (origin, parsed) => {
    expect(parseOrigin(origin, "origin")).toBe(parsed);
  });

  it.each([
    "",
    "payments.example.com",
    "https://",
    "https://payments.example.com/",
    "https://payments.example.com/path",
    "https://payments.example.com?query",
    "https://payments.example.com?",
    "https://payments.example.com#",
    "https://user:password@payments.example.com",
    "https://payments.example.com\\",
    " https://payments.example.com",
    "https:payments.example.com",
    "ftp://payments.example.com",
    "null",
    "grpc://payments.example.com",
    7 as never,
    undefined as never,
  ])("is not %j", (origin) => {
    expect(() => parseOrigin(origin, "dpop.origin")).toThrow(
      new TypeError("dpop.origin is no origin; write it as in https://payments.example.com, without a path"),
    );
  });
});
