// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { describe, expect, it } from "vitest";
import { isTargetUri, normaliseTargetUri } from "../../../../src/verification/dpop/target-uri.js";

const origin = "https://payments.example.com";
const path = "/payment.v1.PaymentService/Charge";

describe("a target URI", () => {
  it.each([
    `${origin}${path}`,
    `HTTPS://Payments.Example.COM${path}`,
    `${origin}:443${path}`,
    `${origin}:${path}`,
    `${origin}${path}?connect=v1&message=%7B%7D`,
    `${origin}${path}#fragment`,
    `${origin}/x/..${path}`,
    `${origin}/.${path}`,
    `${origin}/%70ayment.v1.PaymentService/Charge`,
    `${origin}/payment%2ev1%2EPaymentService/Charge`,
  ])("is that of a call, written as %s (RFC 3986 §6.2)", (htu) => {
    expect(isTargetUri(htu, [origin], path)).toBe(true);
  });

  it.each([
    `${origin}/payment.v1.PaymentService%2FCharge`,
    `${origin}/payment.v1.paymentservice/charge`,
    `${origin}${path}/`,
    `${origin}/${path}`,
    `${origin}.${path}`,
    `${origin}@attacker.test${path}`,
    `https://user@payments.example.com${path}`,
    `https://user:password@payments.example.com${path}`,
    `https://:password@payments.example.com${path}`,
    `https:payments.example.com${path}`,
    `https:///payments.example.com${path}x`,
    `//payments.example.com${path}`,
    `ftp://payments.example.com${path}`,
    `https:\\\\payments.example.com${path}`,
    `https://payments.example.com\\payment.v1.PaymentService\\Charge`,
    ` ${origin}${path}`,
    `${origin}${path}\n`,
    `${origin}/payment.v1.Payment\tService/Charge`,
    `${origin}:99999${path}`,
    "https://",
    "",
  ])("is not that of a call, written as %j", (htu) => {
    expect(isTargetUri(htu, [origin], path)).toBe(false);
  });

  it("compares percent-encoding in any case, and decodes nothing but what needs none", () => {
    expect(isTargetUri(`${origin}/a%2fb%c3%a4`, [origin], "/a%2Fb%C3%A4")).toBe(true);
    expect(isTargetUri(`${origin}/a/b`, [origin], "/a%2Fb")).toBe(false);
    expect(normaliseTargetUri(`${origin}/%7e%41%2d%5F%25`)).toBe(`${origin}/~A-_%25`);
  });

  it.each(["", "*", "x", "@attacker.test/", ".attacker.test/", `${origin}${path}`])(
    "is none of a request whose path is %j",
    (requested) => {
      expect(isTargetUri(`${origin}${requested}`, [origin], requested)).toBe(false);
    },
  );

  it("is that of any of the origins", () => {
    const origins = [origin, "http://127.0.0.1:8080"];
    expect(isTargetUri(`http://127.0.0.1:8080${path}`, origins, path)).toBe(true);
    expect(isTargetUri(`http://127.0.0.1:8081${path}`, origins, path)).toBe(false);
  });
});
