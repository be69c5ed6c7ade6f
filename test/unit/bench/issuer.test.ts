// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { createLocalJWKSet, jwtVerify } from "jose";
import { describe, expect, it } from "vitest";
import { createIssuer, mesh, published } from "../../../bench/lib/issuer.js";

describe.each(["RS256", "ES256"] as const)("an issuer of %s tokens", (algorithm) => {
  const length = algorithm === "RS256" ? 893 : 430;
  const issuer = createIssuer("https://login.test", algorithm, length);

  it("mints tokens of the length that was asked for, a few characters aside, each of them different", () => {
    const tokens = Array.from({ length: 20 }, () => issuer.mint());
    expect(new Set(tokens).size).toBe(20);
    for (const token of tokens) {
      expect(token.length).toBeLessThanOrEqual(length);
      expect(token.length).toBeGreaterThan(length - 6);
    }
  });

  it("signs them with the key that it publishes", async () => {
    const keys = createLocalJWKSet(published(issuer)["/keys"] as never);
    const { payload } = await jwtVerify(issuer.mint(), keys, { issuer: issuer.url, audience: mesh.audience });
    expect(payload).toMatchObject({ client_id: mesh.clientId, scope: mesh.scope });
  });

  it("replaces claims and header parameters", async () => {
    const keys = createLocalJWKSet(published(issuer)["/keys"] as never);
    const token = issuer.mint({ claims: { aud: "other" }, header: { typ: "JWT" } });
    const { payload, protectedHeader } = await jwtVerify(token, keys);
    expect(payload.aud).toBe("other");
    expect(protectedHeader.typ).toBe("JWT");
  });
});
