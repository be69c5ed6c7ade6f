// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import type { Provider } from "../providers/provider.js";
import { describeScopeClaims, readScopes, readType, stringList } from "../providers/read-claims.js";
import type { UnverifiedJwt } from "./jwt.js";
import type { Principal } from "./principal.js";
import { invalid, type TokenRefusal } from "./refusal.js";

/** What the claims of a token have to say. */
export interface ClaimRules {
  readonly issuer: string;
  readonly audience: string;
  readonly provider: Provider;
  readonly now: number;
  readonly clockToleranceMs: number;
}

/**
 * Reads and checks everything that a token claims (RFC 9068 §4), its signature aside. What is wrong for good comes
 * before what is a matter of time.
 */
export function checkClaims({ header, claims }: UnverifiedJwt, rules: ClaimRules): Principal | TokenRefusal {
  const typeProblem = checkType(header["typ"], rules.provider);
  if (typeProblem !== undefined) return invalid(typeProblem);
  const otherUse = findOtherUse(claims);
  if (otherUse !== undefined) return invalid(otherUse);
  if (claims["iss"] !== rules.issuer) return invalid("iss is not the issuer");
  const audience = stringList(claims["aud"]);
  if (audience?.includes(rules.audience) !== true) return invalid(`aud does not include ${rules.audience}`);
  const clientId = firstClaim(claims, rules.provider.clientIdClaims);
  if (typeof clientId !== "string" || clientId === "") {
    return invalid(`no client id in ${rules.provider.clientIdClaims.join(", ")}`);
  }
  const { sub: subject, jti } = claims;
  if (typeof subject !== "string" || subject === "") return invalid("sub is missing or no string");
  // Whoever sends it did not prove to hold the key (RFC 7800 §3, RFC 8705 §3, RFC 9449 §6).
  if (Object.hasOwn(claims, "cnf")) return invalid("the token is bound to a key (cnf), so it is no bearer token");
  const scopes = readScopes(claims, rules.provider, rules.audience);
  if (scopes === undefined) return invalid(`the scopes in ${describeScopeClaims(rules.provider)} cannot be read`);
  const expiresAt = checkTimes(claims, rules);
  if (typeof expiresAt !== "number") return expiresAt;
  return {
    clientId,
    subject,
    issuer: rules.issuer,
    audience,
    scopes,
    expiresAt,
    tokenId: typeof jti === "string" ? jti : undefined,
    claims,
  };
}

// An ID token, a logout token or a DPoP proof has another type, or none: it is no access token (RFC 8725 §3.11).
function checkType(typ: unknown, provider: Provider): string | undefined {
  const type = readType(typ);
  return type !== undefined && provider.types.includes(type) ? undefined : `typ is not ${provider.types.join(" or ")}`;
}

/** Claims that only ID tokens (OpenID Connect Core §2, §3.3.2.11) and security events (RFC 8417) have. */
const foreignClaims = ["nonce", "at_hash", "c_hash", "s_hash", "events"];

// Where an issuer gives all of its tokens the same typ, what they are for shows in their claims only.
function findOtherUse(claims: Readonly<Record<string, unknown>>): string | undefined {
  const foreign = foreignClaims.find((name) => Object.hasOwn(claims, name));
  if (foreign !== undefined) return `${foreign} marks a token of another kind`;
  // Keycloak: "Bearer", "ID", "Refresh", "Logout"; Cognito: "access", "id".
  const { typ, token_use: use } = claims;
  if (typ !== undefined && typ !== "Bearer") return "the claim typ is not Bearer";
  return use !== undefined && use !== "access" ? "token_use is not access" : undefined;
}

function firstClaim(claims: Readonly<Record<string, unknown>>, names: readonly string[]): unknown {
  const name = names.find((candidate) => Object.hasOwn(claims, candidate));
  return name === undefined ? undefined : claims[name];
}

function checkTimes(claims: Readonly<Record<string, unknown>>, rules: ClaimRules): number | TokenRefusal {
  const { exp, nbf, iat } = claims;
  if (!isTime(exp)) return invalid("exp is missing or no time");
  if (nbf !== undefined && !isTime(nbf)) return invalid("nbf is no time");
  if (iat !== undefined && !isTime(iat)) return invalid("iat is no time");
  const { now, clockToleranceMs } = rules;
  if (now >= exp * 1000 + clockToleranceMs) return { reason: "TOKEN_EXPIRED", cause: `exp ${exp} has passed` };
  const validFrom = Math.max(nbf ?? 0, iat ?? 0) * 1000;
  if (validFrom > now + clockToleranceMs) {
    return { reason: "TOKEN_NOT_YET_VALID", cause: "nbf or iat lies in the future" };
  }
  return exp * 1000;
}

/** NumericDate of RFC 7519 §2, as far as a Date can hold it. */
function isTime(value: unknown): value is number {
  return typeof value === "number" && value >= 0 && value <= 8.64e12;
}
