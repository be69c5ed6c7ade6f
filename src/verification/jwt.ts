// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

/** A JWT in the JWS compact serialization, taken apart but not verified (RFC 7515 §3.1). */
export interface UnverifiedJwt {
  readonly header: Readonly<Record<string, unknown>>;
  readonly claims: Readonly<Record<string, unknown>>;
}

/** Takes a JWT apart; a string says why it is none. */
export function decodeJwt(token: string): UnverifiedJwt | string {
  const parts = token.split(".");
  if (parts.length !== 3) return "the token is not a JWT of three parts";
  const [encodedHeader = "", encodedClaims = "", signature = ""] = parts;
  const header = decodeObject(encodedHeader);
  if (typeof header === "string") return `the token's header ${header}`;
  const claims = decodeObject(encodedClaims);
  if (typeof claims === "string") return `the token's payload ${claims}`;
  if (decodeBase64url(signature) === undefined) return "the token's signature is not base64url";
  return { header, claims };
}

const utf8 = new TextDecoder("utf-8", { fatal: true });

function decodeObject(encoded: string): Record<string, unknown> | string {
  const bytes = decodeBase64url(encoded);
  if (bytes === undefined) return "is not base64url";
  try {
    const value: unknown = JSON.parse(utf8.decode(bytes));
    if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  } catch {
    // falls through: the parser's message would quote the token
  }
  return "is not a JSON object";
}

// Buffer ignores what it does not know and what is left over; of a token, one spelling counts (RFC 7515 §2).
function decodeBase64url(encoded: string): Uint8Array | undefined {
  const bytes = Buffer.from(encoded, "base64url");
  return encoded !== "" && bytes.toString("base64url") === encoded ? bytes : undefined;
}
