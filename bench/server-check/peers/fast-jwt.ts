// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { createPublicKey } from "node:crypto";
import { createVerifier } from "fast-jwt";
import { mesh } from "../../lib/issuer.js";
import { bearerToken, type Claims, type PeerSettings, type VerifyHeader } from "./peer.js";

/** fast-jwt with its cache, which it leaves out by default, and with the key at hand, so that it is synchronous. */
export function createFastJwt({ issuer, publicJwk }: PeerSettings): VerifyHeader {
  const key = createPublicKey({ key: publicJwk, format: "jwk" }).export({ type: "spki", format: "pem" });
  const verify = createVerifier({
    key: String(key),
    algorithms: [publicJwk.alg],
    allowedIss: issuer,
    allowedAud: mesh.audience,
    cache: true,
  });
  return (authorization) => verify(bearerToken(authorization)) as Claims;
}
