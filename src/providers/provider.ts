// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

/**
 * What differs between authorization servers, as data: how a token request says what it wants, and where the claims of
 * a token are.
 */
export interface Provider {
  /** For messages. */
  readonly name: string;
  /** The request parameter that carries the audience: `resource` (RFC 8707), `audience`, or none at all. */
  readonly audienceParameter: "resource" | "audience" | "none";
  /** The claims that may hold the scopes, in order; the first one present counts. A string is split at spaces. */
  readonly scopeClaims: readonly string[];
  /** The claims that may name the client, in order; the first one present counts. */
  readonly clientIdClaims: readonly string[];
  /** The values of the `typ` header that mark an access token, in lower case, without "application/". */
  readonly types: readonly string[];
}

/**
 * An authorization server that follows the standards: RFC 8707 resource indicators in the request, RFC 9068 access
 * tokens (`typ` "at+jwt", `scope`, `client_id`). The default.
 */
export const standardProvider: Provider = {
  name: "RFC 8707 / RFC 9068",
  audienceParameter: "resource",
  scopeClaims: ["scope"],
  clientIdClaims: ["client_id"],
  types: ["at+jwt"],
};
