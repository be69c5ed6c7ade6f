// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import type { Credential } from "../credentials/credential.js";
import type { Provider } from "../providers/provider.js";
import { expand, spellScopes } from "../providers/template.js";
import { identifierProblem } from "../rules/parse-rule.js";
import type { TokenRequirement } from "../rules/token-requirement.js";

/** What an authorization server calls the audiences of the protos. One that is not listed has the same name there. */
export type AudienceMap = Readonly<Record<string, string>>;

/** A requirement, with the audience as the authorization server calls it. */
export function mapAudience(requirement: TokenRequirement, audiences: AudienceMap = {}): TokenRequirement {
  const { audience } = requirement;
  const mapped = Object.hasOwn(audiences, audience) ? audiences[audience] : undefined;
  return mapped === undefined ? requirement : { ...requirement, audience: mapped };
}

/** Throws a TypeError if an audience is mapped to what cannot be one. */
export function validateAudiences(audiences: AudienceMap): void {
  for (const [audience, mapped] of Object.entries(audiences)) {
    const problem = typeof mapped === "string" ? identifierProblem(mapped) : "is no text";
    if (problem !== undefined) throw new TypeError(`audiences maps ${JSON.stringify(audience)} to what ${problem}`);
  }
}

/**
 * The form of a token request (RFC 6749 §4.4.2), without what authenticates the client. Parameters and scopes are
 * sorted, so that requirements that come to the same have the same form.
 */
export function createTokenRequest(
  provider: Provider,
  requirement: TokenRequirement,
  audiences?: AudienceMap,
): URLSearchParams {
  const { audience, scopes } = mapAudience(requirement, audiences);
  const form = new URLSearchParams({ grant_type: "client_credentials" });
  if (provider.audienceParameter !== "none") form.set(provider.audienceParameter, audience);
  const scope = requestedScope(provider, audience, scopes);
  if (scope !== "") form.set("scope", scope);
  form.sort();
  return form;
}

function requestedScope(provider: Provider, audience: string, scopes: readonly string[]): string {
  const extra = provider.extraScopes.map((template) => expand(template, { audience }));
  const all = new Set([...extra, ...spellScopes(provider, audience, scopes)]);
  all.delete("");
  return [...all].sort().join(" ");
}

/** What makes a token request the one that it is. */
export interface TokenRequestIdentity {
  /** The issuer, or its token endpoint. */
  readonly issuer: string;
  readonly clientId: string;
  readonly method: Credential["method"];
  readonly keyId?: string | undefined;
  /** The audience, as the authorization server calls it: not every request names it. */
  readonly audience: string;
  /** The thumbprint of the key that the token is bound to (RFC 9449), if it is. */
  readonly dpopThumbprint?: string | undefined;
  /** The form as createTokenRequest() makes it. It must not authenticate the client: that would be a secret in here. */
  readonly form: URLSearchParams;
}

/** One text for each token request: cache key and single-flight key in one. JSON; there is no secret in it. */
export function fingerprint(request: TokenRequestIdentity): string {
  const { issuer, clientId, method, keyId, audience, dpopThumbprint, form } = request;
  const sorted = new URLSearchParams(form);
  sorted.sort();
  const binding = dpopThumbprint === undefined ? [] : [dpopThumbprint];
  return JSON.stringify([issuer, clientId, method, keyId ?? null, audience, [...sorted], ...binding]);
}
