// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import type { Provider } from "../providers/provider.js";
import { describeScopeClaims, readGrantedScopes, readType, stringList } from "../providers/read-claims.js";
import { readConfirmation } from "./confirmation.js";
import type { PrincipalParts } from "./principal.js";
import { invalid, type TokenRefusal } from "./refusal.js";

/** What the claims of a token have to say. */
export interface ClaimRules {
  readonly issuer: string;
  readonly provider: Provider;
  /** What the issuer calls the audience. */
  readonly audience: string;
  /** Whether `aud` is looked at. Where it is not, `clientIds` stands in for it. */
  readonly checksAudience: boolean;
  /** The clients whose tokens are taken; `undefined` for all. */
  readonly clientIds: ReadonlySet<string> | undefined;
  readonly now: number;
  readonly clockToleranceMs: number;
}

/** What a token claims, as far as a principal has it, and when that begins to hold. */
export interface CheckedClaims extends PrincipalParts {
  /** In milliseconds since the Unix epoch, by `nbf` and `iat`; 0 without them. */
  readonly validFrom: number;
}

type Claims = Readonly<Record<string, unknown>>;

/**
 * Reads and checks everything that a token, or an answer about one, claims (RFC 9068 §4, RFC 7662 §4). What is wrong for
 * good comes before what is a matter of time.
 */
export function checkClaims(claims: Claims, rules: ClaimRules): CheckedClaims | TokenRefusal {
  const { issuer, provider } = rules;
  const otherUse = findOtherUse(claims, provider);
  if (otherUse !== undefined) return invalid(otherUse);
  if (claims["iss"] !== issuer) return invalid("iss is not the issuer");
  const audience = checkAudience(claims, rules);
  if ("reason" in audience) return audience;
  const clientId = checkClientId(claims, rules);
  if (typeof clientId !== "string") return clientId;
  const { sub: subject, jti } = claims;
  if (typeof subject !== "string" || subject === "") return invalid("sub is missing or no string");
  const confirmation = readConfirmation(claims);
  if (confirmation !== undefined && "reason" in confirmation) return confirmation;
  const scopes = readGrantedScopes(claims, provider, rules.audience);
  if (scopes === undefined) return invalid(`the scopes in ${describeScopeClaims(provider)} cannot be read`);
  const times = checkTimes(claims, rules);
  if ("reason" in times) return times;
  const tokenId = typeof jti === "string" ? jti : undefined;
  return { clientId, subject, issuer, audience, scopes, ...times, tokenId, confirmation };
}

/** An ID token, a logout token or a DPoP proof has another type, or none: it is no access token (RFC 8725 §3.11). */
export function checkType(typ: unknown, types: readonly string[]): TokenRefusal | undefined {
  const type = readType(typ);
  return type !== undefined && types.includes(type) ? undefined : invalid(`typ is not ${types.join(" or ")}`);
}

/** Claims that only ID tokens (OpenID Connect Core §2, §3.3.2.11) and security events (RFC 8417) have. */
const foreignClaims = ["nonce", "at_hash", "c_hash", "s_hash", "events"];

// Where an issuer gives all of its tokens the same typ, what they are for shows in their claims only.
function findOtherUse(claims: Claims, { requiredClaims = {} }: Provider): string | undefined {
  const foreign = foreignClaims.find((name) => Object.hasOwn(claims, name));
  if (foreign !== undefined) return `${foreign} marks a token of another kind`;
  // Keycloak: "Bearer", "ID", "Refresh", "Logout". Cognito: "access", "id". Hydra's answers: "access_token", ...
  const { typ, token_use: use } = claims;
  if (typ !== undefined && typ !== "Bearer") return "the claim typ is not Bearer";
  if (use !== undefined && use !== "access" && use !== "access_token") return "token_use is not access";
  const lacking = Object.entries(requiredClaims).find(([name, value]) => claims[name] !== value);
  return lacking === undefined ? undefined : `${lacking[0]} is not ${lacking[1]}`;
}

const noAudience: readonly string[] = Object.freeze([]);

function checkAudience(claims: Claims, { audience, checksAudience }: ClaimRules): readonly string[] | TokenRefusal {
  const named = claims["aud"] === undefined ? noAudience : stringList(claims["aud"]);
  if (checksAudience && named?.includes(audience) !== true) return invalid(`aud does not include ${audience}`);
  if (named === undefined) return invalid("aud is neither a text nor a list of texts");
  return Object.freeze(named);
}

function checkClientId(claims: Claims, { provider, clientIds }: ClaimRules): string | TokenRefusal {
  const name = provider.clientIdClaims.find((candidate) => Object.hasOwn(claims, candidate));
  const clientId = name === undefined ? undefined : claims[name];
  if (typeof clientId !== "string" || clientId === "") {
    return invalid(`no client id in ${provider.clientIdClaims.join(", ")}`);
  }
  return clientIds === undefined || clientIds.has(clientId) ? clientId : invalid("the client is not in clientIds");
}

function checkTimes(
  claims: Claims,
  { now, clockToleranceMs }: ClaimRules,
): { readonly expiresAt: number; readonly validFrom: number } | TokenRefusal {
  const { exp, nbf, iat } = claims;
  if (!isTime(exp)) return invalid("exp is missing or no time");
  if (nbf !== undefined && !isTime(nbf)) return invalid("nbf is no time");
  if (iat !== undefined && !isTime(iat)) return invalid("iat is no time");
  if (now >= exp * 1000 + clockToleranceMs) return { reason: "TOKEN_EXPIRED", cause: `exp ${exp} has passed` };
  const validFrom = Math.max(nbf ?? 0, iat ?? 0) * 1000;
  if (validFrom > now + clockToleranceMs) {
    return { reason: "TOKEN_NOT_YET_VALID", cause: "nbf or iat lies in the future" };
  }
  return { expiresAt: exp * 1000, validFrom };
}

/** NumericDate of RFC 7519 §2, as far as a Date can hold it. */
function isTime(value: unknown): value is number {
  return typeof value === "number" && value >= 0 && value <= 8.64e12;
}
