// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { compactVerify, createLocalJWKSet, errors } from "jose";
import { expect, it, vi } from "vitest";
import { settle } from "../../support/fake-clock.js";
import { createBench, invalidBecause, mint } from "./harness.js";

vi.mock("jose", async (importOriginal) => {
  const original = await importOriginal<typeof import("jose")>();
  return {
    ...original,
    compactVerify: vi.fn(original.compactVerify),
    createLocalJWKSet: vi.fn(original.createLocalJWKSet),
  };
});

it("calls a token bad only where jose says that of the token or of the key", async () => {
  const { verify } = createBench();
  for (const error of [new errors.JWSInvalid("?"), new TypeError("the key is too weak")]) {
    vi.mocked(compactVerify).mockRejectedValueOnce(error);
    expect(await verify(mint())).toEqual(invalidBecause("the signature does not verify"));
  }
  const bug = new RangeError("a bug");
  vi.mocked(compactVerify).mockRejectedValueOnce(bug);
  await expect(verify(mint())).rejects.toBe(bug);
});

it("lets jose accept nothing but the algorithm of the token", async () => {
  const { verify } = createBench({ algorithms: ["RS256", "ES256"] });
  expect(await verify(mint())).toMatchObject({ clientId: "order-service" });
  expect(vi.mocked(compactVerify).mock.lastCall?.[2]).toEqual({ algorithms: ["ES256"] });
});

it("takes keys that cannot be read for keys that cannot be fetched, also behind the callers", async () => {
  const { verify, unready, issuer, clock } = createBench();
  vi.mocked(createLocalJWKSet).mockImplementationOnce(() => {
    throw new RangeError("a bug");
  });
  expect(unready()).toEqual([issuer.url]);
  await settle();
  expect(await verify(mint())).toEqual({
    reason: "AUTHORIZATION_SERVER_UNAVAILABLE",
    cause: `the keys of ${issuer.url} cannot be read`,
    retryAfterMs: 5_000,
  });
  clock.advance(5_000);
  expect(await verify(mint())).toMatchObject({ clientId: "order-service" });
});
