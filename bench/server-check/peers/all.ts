// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import type { CheckName } from "../settings.js";
import { createAwsJwtVerify } from "./aws-jwt-verify.js";
import { createExpressOauth2JwtBearer } from "./express-oauth2-jwt-bearer.js";
import { createFastJwt } from "./fast-jwt.js";
import { createJose } from "./jose.js";
import type { PeerSettings, VerifyHeader } from "./peer.js";

/** The peers that are a function of the `authorization` header. */
export const peers: Readonly<Partial<Record<CheckName, (settings: PeerSettings) => VerifyHeader>>> = {
  jose: createJose,
  "fast-jwt": createFastJwt,
  "aws-jwt-verify": createAwsJwtVerify,
  "express-oauth2-jwt-bearer": createExpressOauth2JwtBearer,
};
