// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

/**
 * What differs between authorization servers, as data: how a token request says what it wants, where the claims of a
 * token are, and what to change at the server when a token is not what was asked for. Take one of `providers`, change a
 * field of it, or write your own.
 *
 * Templates are texts in which `{audience}` stands for what the authorization server calls the audience and `{scope}`
 * for a scope.
 */
export interface Provider {
  /** For messages: "Keycloak". */
  readonly name: string;
  /** The request parameter that carries the audience: `resource` (RFC 8707), `audience`, or none at all. */
  readonly audienceParameter: "resource" | "audience" | "none";
  /**
   * Template of what asks for permissions in the `scope` parameter. With `{scope}` in it, it is sent once for each scope
   * that is needed, and not at all if none is. Without, it is sent once, whatever is needed: the server then grants what
   * the client was assigned, and what a token lacks is reported as `missing_roles`. The empty string sends nothing.
   */
  readonly scopeFormat: "{scope}" | "{audience}/{scope}" | "{audience}/.default" | (string & {});
  /** Templates of scopes that every request has, besides. They must not contain `{scope}`. */
  readonly extraScopes: readonly string[];
  /** What goes into `aud` of a JWT that authenticates the client (RFC 7523 §3): the issuer or the token endpoint. */
  readonly assertionAudience: "issuer" | "token_endpoint";
  /** Whether an access token that is no JWT is worth a warning. False where opaque tokens are normal. */
  readonly expectsJwt: boolean;
  /** Whether access tokens name their audience, in `aud`, or do not at all. */
  readonly audienceClaim: "aud" | "none";
  /**
   * The claims that may hold the scopes, in order; the first one present counts. A string is split at spaces, a list is
   * taken as it is.
   */
  readonly scopeClaims: readonly ClaimPath[];
  /** The claims that may name the client, in order; the first one present counts. */
  readonly clientIdClaims: readonly string[];
  /**
   * Template of what stands in front of each scope in a token. Scopes without it are none of this audience. By default,
   * nothing.
   */
  readonly scopePrefix?: string;
  /** Claims that mark an access token, with their values: tokens without them are refused. By default, none. */
  readonly requiredClaims?: Readonly<Record<string, string>>;
  /**
   * The values of the `typ` header that mark an access token, in lower case, without "application/". The empty string
   * stands for a token without that header.
   */
  readonly types: readonly string[];
  /**
   * Templates of what to change at the authorization server, in its own words, for each finding about an issued token.
   * In them, `{scope}` stands for all scopes that are missing. Each continues a sentence and has no full stop.
   */
  readonly advice: Readonly<Partial<Record<FindingKind, string>>>;
}

/**
 * Where a claim is: its name, or the way to a nested one, such as `["realm_access", "roles"]`. Names are templates, in
 * which `{audience}` may stand. A way that ends in `"*"` leads to the names of an object's members, for servers that
 * write `{"payments:write": {...}}`.
 */
export type ClaimPath = string | readonly string[];

/** What can be wrong with a token that was issued. */
export type FindingKind =
  /** `aud` is there, but does not have the audience that was asked for. */
  | "wrong_audience"
  /** There is no `aud`, or an empty one. */
  | "missing_audience"
  /** A scope that was asked for was not granted. */
  | "narrowed_scope"
  /** A permission is missing that cannot be asked for by its name, only assigned. */
  | "missing_roles"
  /** The token is not a JWT. */
  | "opaque_token"
  /** `typ` is none that marks an access token. */
  | "wrong_type";

/**
 * An authorization server that follows the standards: RFC 8707 resource indicators in the request, RFC 9068 access
 * tokens (`typ` "at+jwt", `scope`, `client_id`). The default.
 */
export const standardProvider: Provider = {
  name: "the authorization server",
  audienceParameter: "resource",
  scopeFormat: "{scope}",
  extraScopes: [],
  assertionAudience: "issuer",
  expectsJwt: true,
  audienceClaim: "aud",
  scopeClaims: ["scope"],
  clientIdClaims: ["client_id"],
  types: ["at+jwt"],
  advice: {
    wrong_audience:
      "register {audience} as a resource (RFC 8707) and allow this client to ask for it, or choose the provider that fits the authorization server",
    missing_audience:
      "register {audience} as a resource (RFC 8707) and allow this client to ask for it, or choose the provider that fits the authorization server",
    narrowed_scope: "define {scope} for {audience} and allow this client to ask for it",
    missing_roles: "assign {scope} to this client",
    opaque_token: "let it issue JWT access tokens (RFC 9068) for {audience}",
    wrong_type:
      "let it issue access tokens as RFC 9068 says, or choose the provider that fits the authorization server",
  },
};
