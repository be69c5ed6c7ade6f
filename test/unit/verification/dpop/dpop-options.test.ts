// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { describe, expect, it } from "vitest";
import { type DpopOptions, validateDpopOptions } from "../../../../src/verification/dpop/dpop-options.js";
import { createNonceSource } from "../../../../src/verification/dpop/nonce-source.js";
import { createFakeClock } from "../../../support/fake-clock.js";

const origin = "https://payments.example.com";
const validate = (options: object): unknown => validateDpopOptions(options as DpopOptions, createFakeClock());

describe("the options of DPoP", () => {
  it("have defaults", () => {
    expect(validate({ origin })).toEqual({
      origins: [origin],
      maxAgeMs: 60_000,
      algorithms: ["ES256", "ES384", "ES512", "RS256", "PS256", "EdDSA", "Ed25519"],
      nonce: undefined,
      replayStore: { add: expect.any(Function) },
    });
  });

  it("are taken over", () => {
    const [nonce, replayStore] = [createNonceSource(), { add: () => "new" as const }];
    const algorithms = ["RS384", "RS512", "PS384", "PS512"];
    const origins = ["HTTPS://A.test:443", "http://b.test"];
    expect(validate({ origin: origins, maxAgeSeconds: 3_600, algorithms, nonce, replayStore })).toEqual({
      origins: ["https://a.test", "http://b.test"],
      maxAgeMs: 3_600_000,
      algorithms,
      nonce,
      replayStore,
    });
  });

  it.each<[object, string]>([
    [{}, "dpop.origin is missing; give the origin that clients call"],
    [{ origin: [] }, "dpop.origin is missing; give the origin that clients call"],
    [{ origin: `${origin}/` }, "dpop.origin is no origin"],
    [{ origin: [origin, "x"] }, "dpop.origin is no origin"],
    [{ origin, maxAgeSeconds: 0 }, "dpop.maxAgeSeconds is 0; give a number of seconds from 1 to 3,600"],
    [{ origin, maxAgeSeconds: 3_601 }, "dpop.maxAgeSeconds is 3601"],
    [{ origin, maxAgeSeconds: Number.NaN }, "dpop.maxAgeSeconds is NaN"],
    [{ origin, algorithms: [] }, "dpop.algorithms is empty; use some of ES256"],
    [{ origin, algorithms: ["ES256", "HS256", "none"] }, "dpop.algorithms has HS256, none; use some of ES256"],
  ])("cannot be %j", (options, message) => {
    expect(() => validate(options)).toThrow(TypeError);
    expect(() => validate(options)).toThrow(message);
  });
});
