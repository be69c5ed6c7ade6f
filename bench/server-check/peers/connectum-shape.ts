// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { AsyncLocalStorage } from "node:async_hooks";
import { Code, ConnectError, type Interceptor } from "@connectrpc/connect";
import { createRemoteJWKSet, jwtVerify } from "jose";
import { mesh } from "../../lib/issuer.js";
import type { Claims, PeerSettings } from "./peer.js";

interface AuthContext {
  readonly subject: string;
  readonly scopes: readonly string[];
  readonly claims: Claims;
  readonly expiresAt: Date | undefined;
}

const store = new AsyncLocalStorage<AuthContext>();
const spoofable = ["x-auth-subject", "x-auth-name", "x-auth-roles", "x-auth-scopes", "x-auth-claims", "x-auth-type"];

/**
 * Two interceptors in the shape of Connectum's: one verifies with jose on every call and hands the caller on in an
 * AsyncLocalStorage, the other looks at the scope. Written for this comparison.
 */
export function createConnectumShape({ issuer }: PeerSettings): readonly Interceptor[] {
  const keys = createRemoteJWKSet(new URL(`${issuer}/keys`));
  const authenticate: Interceptor = (next) => async (request) => {
    for (const name of spoofable) request.header.delete(name);
    const token = await readToken(request.header);
    if (token === undefined) throw new ConnectError("no credentials", Code.Unauthenticated);
    let context: AuthContext;
    try {
      const { payload } = await jwtVerify(token, keys, { issuer, audience: mesh.audience });
      context = toContext(payload);
    } catch {
      throw new ConnectError("authentication failed", Code.Unauthenticated);
    }
    return await store.run(context, () => next(request));
  };
  const authorize: Interceptor = (next) => async (request) => {
    const granted = store.getStore()?.scopes.includes(mesh.scope) === true;
    if (!granted) throw new ConnectError("access denied", Code.PermissionDenied);
    return await next(request);
  };
  return [authenticate, authorize];
}

async function readToken(header: Headers): Promise<string | undefined> {
  return /^Bearer\s+(.+)$/i.exec(header.get("authorization") ?? "")?.[1];
}

function toContext(claims: Claims): AuthContext {
  const { sub, scope, exp } = claims;
  return {
    subject: String(sub),
    scopes: typeof scope === "string" ? scope.split(" ").filter(Boolean) : [],
    claims,
    expiresAt: typeof exp === "number" ? new Date(exp * 1000) : undefined,
  };
}
