// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { invalid, type TokenRefusal } from "./refusal.js";

/** The longest token that is looked at, in characters. Header limits of HTTP servers are about as large. */
export const maxTokenLength = 16_384;

/** b64token of RFC 6750 §2.1. */
const bearerToken = /^[A-Za-z0-9\-._~+/]+=*$/;

const scheme = "bearer ";

/**
 * Takes the token out of an `authorization` header (RFC 6750 §2.1). The scheme is case-insensitive. Another scheme
 * counts as no credentials; several values, blank space or other characters make the token invalid.
 */
export function readBearerToken(authorization: string | null | undefined): string | TokenRefusal {
  if (authorization === null || authorization === undefined || authorization.trim() === "") {
    return { reason: "CREDENTIALS_MISSING", cause: "no authorization header" };
  }
  if (authorization.slice(0, scheme.length).toLowerCase() !== scheme) {
    if (authorization.trim().toLowerCase() === "bearer") return invalid("authorization header without a token");
    return { reason: "CREDENTIALS_MISSING", cause: "the authorization scheme is not Bearer" };
  }
  const token = authorization.slice(scheme.length);
  if (token.length > maxTokenLength) return invalid(`the token is longer than ${maxTokenLength} characters`);
  if (!bearerToken.test(token)) return invalid("the authorization header is not exactly one bearer token");
  return token;
}
