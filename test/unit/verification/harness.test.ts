// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { describe, expect, it } from "vitest";
import { claimsWith, expectNothingOf, invalidBecause, mint } from "./harness.js";

describe("expectNothingOf", () => {
  const token = mint();
  const [header = "", payload = "", signature = ""] = token.split(".");

  it.each([
    ["the token", token],
    ["its header", header],
    ["its payload", payload],
    ["its signature", signature],
    ["the beginning of its signature", signature.slice(0, 20)],
    ["the end of its signature", signature.slice(-20)],
    ["its claims", JSON.stringify(claimsWith())],
    ["a piece of its claims, as parsers quote it", JSON.stringify(claimsWith()).slice(0, 20)],
  ])("notices %s in a refusal", (_, shown) => {
    const refusal = invalidBecause(`the token ${shown} is no good`);
    expect(() => expectNothingOf(token, refusal)).toThrow();
    expect(() => expectNothingOf(`some-scheme ${token}`, { nested: [refusal] })).toThrow();
  });

  it("lets the names of those who take part be named", () => {
    expect(() => expectNothingOf(token, invalidBecause("client order-service is not in callers"))).not.toThrow();
  });
});
