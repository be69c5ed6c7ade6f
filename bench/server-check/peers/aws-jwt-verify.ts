// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { JwtVerifier } from "aws-jwt-verify";
import { mesh } from "../../lib/issuer.js";
import { bearerToken, type PeerSettings, type VerifyHeader } from "./peer.js";

/** aws-jwt-verify, generic issuer, keys loaded beforehand, synchronous. It has no cache of tokens. */
export function createAwsJwtVerify({ issuer, publicJwk }: PeerSettings): VerifyHeader {
  const verifier = JwtVerifier.create({ issuer, audience: mesh.audience, jwksUri: "https://unused.invalid/keys" });
  verifier.cacheJwks({ keys: [publicJwk] });
  return (authorization) => verifier.verifySync(bearerToken(authorization));
}
