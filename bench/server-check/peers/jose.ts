// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { createRemoteJWKSet, jwtVerify } from "jose";
import { mesh } from "../../lib/issuer.js";
import { bearerToken, type PeerSettings, type VerifyHeader } from "./peer.js";

/** jose's jwtVerify() for every call. */
export function createJose({ issuer }: PeerSettings): VerifyHeader {
  const keys = createRemoteJWKSet(new URL(`${issuer}/keys`));
  const options = { issuer, audience: mesh.audience, algorithms: ["RS256", "ES256"], typ: "at+jwt" };
  return async (authorization) => {
    const { payload } = await jwtVerify(bearerToken(authorization), keys, options);
    return payload;
  };
}
