// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { calculateJwkThumbprint } from "jose";
import { describe, expect, it } from "vitest";
import { jwkThumbprint } from "../../../src/platform/jwk-thumbprint.js";
import { mintKey } from "../../support/issuer.js";

describe("the thumbprint of a JWK", () => {
  it.each(["ES256", "RS256", "Ed25519"])("is that of jose for a key of %s, whatever else is in it", async (alg) => {
    const { publicJwk } = await mintKey(alg, "kid");
    expect(jwkThumbprint({ ...publicJwk, ext: true })).toBe(await calculateJwkThumbprint(publicJwk));
  });
});
