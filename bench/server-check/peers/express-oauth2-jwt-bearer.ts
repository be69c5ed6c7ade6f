// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { auth } from "express-oauth2-jwt-bearer";
import { mesh } from "../../lib/issuer.js";
import type { Claims, PeerSettings, VerifyHeader } from "./peer.js";

type Middleware = ReturnType<typeof auth>;

/** Auth0's middleware. It is given what it reads of an Express request, and no more. */
export function createExpressOauth2JwtBearer({ issuer, publicJwk }: PeerSettings): VerifyHeader {
  const middleware = auth({
    issuer,
    jwksUri: `${issuer}/keys`,
    audience: mesh.audience,
    tokenSigningAlg: publicJwk.alg,
    strict: true,
  });
  return (authorization) => {
    const request = createRequest(authorization);
    return new Promise((resolve, reject) => {
      const next = (error?: unknown): void => {
        if (error === undefined) resolve((request as { auth?: { payload: Claims } }).auth?.payload ?? {});
        else reject(error);
      };
      void middleware(request as unknown as Parameters<Middleware>[0], {} as Parameters<Middleware>[1], next);
    });
  };
}

function createRequest(authorization: string | undefined): object {
  return {
    method: "POST",
    protocol: "http",
    url: "/",
    headers: { host: "localhost", authorization },
    get: (name: string) => (name === "Host" ? "localhost" : undefined),
    is: () => false,
  };
}
