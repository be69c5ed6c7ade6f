// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { describe, expect, it } from "vitest";
import { TokenError } from "../../../src/tokens/token-error.js";

const context = { issuer: "https://login.test", clientId: "order-service", attempt: 3 };

describe("a token error", () => {
  it("says what was asked for, of whom, by whom, how often, and what went wrong", () => {
    const requirement = { audience: "payments", scopes: ["payments:read", "payments:write"] };
    const error = new TokenError("refused", "it refused: invalid_scope", { ...context, requirement }, "invalid_scope");
    expect(error).toBeInstanceOf(Error);
    expect(error).toMatchObject({
      name: "TokenError",
      code: "ERR_MESHAUTH_TOKEN",
      kind: "refused",
      oauthError: "invalid_scope",
      issuer: "https://login.test",
      clientId: "order-service",
      audience: "payments",
      scopes: ["payments:read", "payments:write"],
      attempt: 3,
      message:
        "no access token for payments with scopes payments:read payments:write from https://login.test " +
        "as client order-service (attempt 3): it refused: invalid_scope",
    });
  });

  it("says so if no scopes were asked for", () => {
    const error = new TokenError("unavailable", "no answer", {
      ...context,
      requirement: { audience: "a", scopes: [] },
    });
    expect(error.message).toContain("no access token for a with no scopes from https://login.test");
    expect(error.scopes).toEqual([]);
    expect(error.oauthError).toBeUndefined();
  });
});
