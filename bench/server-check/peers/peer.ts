// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import type { PublicJwk } from "../../lib/issuer.js";

/** What a peer is set up with. */
export interface PeerSettings {
  readonly issuer: string;
  readonly publicJwk: PublicJwk;
}

/** The claims of a verified token. */
export type Claims = Readonly<Record<string, unknown>>;

/** Verifies the value of an `authorization` header, as the peer's documentation shows it. Throws or rejects if it is not good. */
export type VerifyHeader = (authorization: string | undefined) => Claims | Promise<Claims>;

/** Takes the token out of an `authorization` header, as naive servers do. */
export function bearerToken(authorization: string | undefined): string {
  if (authorization?.startsWith("Bearer ") !== true) throw new Error("no bearer token");
  return authorization.slice("Bearer ".length);
}

/** What every server demands, whoever verifies. */
export function requireScope(claims: Claims, scope: string): void {
  const granted = claims["scope"];
  if (typeof granted !== "string" || !granted.split(" ").includes(scope)) throw new Error(`${scope} is not granted`);
}
