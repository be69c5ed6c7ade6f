// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { inspect } from "node:util";
import { describe, expect, it } from "vitest";
import { AccessToken } from "../../../src/tokens/access-token.js";

const token = new AccessToken("eyJhbGciOi", Date.UTC(2026, 0, 1), Date.UTC(2026, 0, 1, 0, 5));

describe("an access token", () => {
  it("tells its value, and the header made of it, to whoever asks", () => {
    expect(token.value).toBe("eyJhbGciOi");
    expect(token.authorization).toBe("Bearer eyJhbGciOi");
    expect(token.authorization).toBe(token.authorization);
  });

  it("knows when it was obtained and when it expires", () => {
    expect(token.obtainedAt).toBe(Date.UTC(2026, 0, 1));
    expect(token.expiresAt).toBe(Date.UTC(2026, 0, 1, 0, 5));
  });

  it("knows when the authorization server would like to be asked for the next one, if it said so", () => {
    expect(token.refreshAt).toBeUndefined();
    expect(new AccessToken("eyJhbGciOi", 0, 2000, { refreshAt: 1000 }).refreshAt).toBe(1000);
  });

  it("says in any text only when it expires", () => {
    const text = "[access token, expires 2026-01-01T00:05:00.000Z]";
    expect(String(token)).toBe(text);
    expect(`${token}`).toBe(text);
    expect(JSON.stringify({ token })).toBe(`{"token":"${text}"}`);
    expect(inspect(token)).toBe(text);
    expect(inspect({ token }, { showHidden: true, getters: true })).toContain(`token: ${text}`);
  });

  it("has nothing to enumerate that would show it", () => {
    expect(Object.entries(token).map(([name]) => name)).toEqual(["obtainedAt", "expiresAt", "refreshAt"]);
    expect(Object.values({ ...token })).not.toContain("eyJhbGciOi");
  });
});
