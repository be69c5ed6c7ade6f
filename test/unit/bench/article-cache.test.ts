// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { ArticleTokenManager } from "../../../bench/peers/article-cache.js";

const lifetimeSeconds = 300;

interface Fake {
  readonly manager: ArticleTokenManager;
  readonly requests: URLSearchParams[];
  status: number;
}

function create(): Fake {
  const requests: URLSearchParams[] = [];
  const fake: Fake = {
    requests,
    status: 200,
    manager: new ArticleTokenManager({
      tokenUrl: "https://login.test/token",
      clientId: "order-service",
      clientSecret: "secret",
      fetch: async (_, init) => {
        requests.push(init?.body as URLSearchParams);
        const body = { access_token: `token-${requests.length}`, expires_in: lifetimeSeconds };
        return Response.json(body, { status: fake.status });
      },
    }),
  };
  return fake;
}

describe("ArticleTokenManager", () => {
  beforeEach(() => void vi.useFakeTimers({ now: 0 }));
  afterEach(() => void vi.useRealTimers());

  it("sends a client credentials request", async () => {
    const { manager, requests } = create();
    await manager.getToken("payments:write", "payment-service");
    expect(Object.fromEntries(requests[0] ?? [])).toEqual({
      grant_type: "client_credentials",
      client_id: "order-service",
      client_secret: "secret",
      scope: "payments:write",
      audience: "payment-service",
    });
  });

  it("hands a cached token out until 60 s before it expires, and then fetches another one", async () => {
    const { manager } = create();
    expect(await manager.getToken("a")).toBe("token-1");
    vi.setSystemTime((lifetimeSeconds - 60) * 1000 - 1);
    expect(await manager.getToken("a")).toBe("token-1");
    vi.setSystemTime((lifetimeSeconds - 60) * 1000);
    expect(await manager.getToken("a")).toBe("token-2");
  });

  it("fails within these 60 s if the authorization server does, and asks again with each call", async () => {
    const fake = create();
    await fake.manager.getToken("a");
    vi.setSystemTime((lifetimeSeconds - 30) * 1000);
    fake.status = 503;
    await expect(fake.manager.getToken("a")).rejects.toThrow("HTTP 503");
    await expect(fake.manager.getToken("a")).rejects.toThrow("HTTP 503");
    expect(fake.requests).toHaveLength(3);
  });

  it("sends one request for callers that come at the same time", async () => {
    const { manager, requests } = create();
    const tokens = await Promise.all(Array.from({ length: 100 }, () => manager.getToken("a")));
    expect(new Set(tokens)).toEqual(new Set(["token-1"]));
    expect(requests).toHaveLength(1);
  });

  it("keeps scopes and audiences apart", async () => {
    const { manager, requests } = create();
    await manager.getToken("a", "x");
    await manager.getToken("a", "y");
    await manager.getToken("b", "x");
    await manager.getToken("a", "x");
    expect(requests).toHaveLength(3);
  });

  it("forgets a token that it is told to forget", async () => {
    const { manager } = create();
    await manager.getToken("a");
    manager.clientFor("a").invalidate();
    expect(await manager.getToken("a")).toBe("token-2");
  });
});
