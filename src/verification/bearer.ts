// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { invalid, type TokenRefusal } from "./refusal.js";

/** The longest token that is looked at, in characters. Header limits of HTTP servers are about as large. */
export const maxTokenLength = 16_384;

/** What an `authorization` header carries. */
export interface Credentials {
  /** `DPoP` is for tokens that are bound to a key (RFC 9449 §7.1). */
  readonly scheme: "Bearer" | "DPoP";
  readonly token: string;
  /** Both as one text, in which two spellings of a scheme are one. */
  readonly text: string;
}

/** b64token of RFC 6750 §2.1, and token68 of RFC 9110 §11.2. */
const token68 = /^[A-Za-z0-9\-._~+/]+=*$/;

const noHeader: TokenRefusal = { reason: "CREDENTIALS_MISSING", cause: "no authorization header" };

const schemes = ["Bearer", "DPoP"] as const;

/**
 * Takes the token out of an `authorization` header (RFC 6750 §2.1, RFC 9449 §7.1). The scheme is case-insensitive.
 * Another scheme counts as no credentials; several values, blank space or other characters make the token invalid.
 */
export function readCredentials(authorization: string | null | undefined): Credentials | TokenRefusal {
  if (authorization === null || authorization === undefined) return noHeader;
  const scheme = authorization.startsWith("Bearer ")
    ? "Bearer"
    : schemes.find((each) => startsWithScheme(authorization, each));
  if (scheme === undefined) return authorization.trim() === "" ? noHeader : withoutToken(authorization);
  const token = authorization.slice(scheme.length + 1);
  if (token.length > maxTokenLength) return invalid(`the token is longer than ${maxTokenLength} characters`);
  if (!token68.test(token)) return invalid("the authorization header is not exactly one token");
  const text = authorization.startsWith(scheme) ? authorization : `${scheme} ${token}`;
  return { scheme, token, text };
}

function startsWithScheme(authorization: string, scheme: string): boolean {
  return authorization.slice(0, scheme.length + 1).toLowerCase() === `${scheme.toLowerCase()} `;
}

function withoutToken(authorization: string): TokenRefusal {
  const value = authorization.trim().toLowerCase();
  return schemes.some((scheme) => scheme.toLowerCase() === value)
    ? invalid("authorization header without a token")
    : { reason: "CREDENTIALS_MISSING", cause: "the authorization scheme is neither Bearer nor DPoP" };
}
