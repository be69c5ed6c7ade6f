// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

/** Who calls, proven by a verified access token. */
export interface Principal {
  /** The client that called (RFC 9068 §2.2 `client_id`). */
  readonly clientId: string;
  /** `sub` of the token; for client credentials usually the client id. */
  readonly subject: string;
  /** `iss` of the token. */
  readonly issuer: string;
  /** `aud` of the token. */
  readonly audience: readonly string[];
  /** The scopes that the token grants. */
  readonly scopes: ReadonlySet<string>;
  /** When the token expires, in milliseconds since the Unix epoch. */
  readonly expiresAt: number;
  /** `jti` of the token, to find it in the authorization server's log. */
  readonly tokenId: string | undefined;
  /** Every claim of the token, as it was. */
  readonly claims: Readonly<Record<string, unknown>>;
}
