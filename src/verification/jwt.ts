// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { findJsonProblem } from "./strict-json.js";

/** A JWT in the JWS compact serialization, taken apart but not verified (RFC 7515 §3.1). */
export interface UnverifiedJwt {
  readonly header: Readonly<Record<string, unknown>>;
  readonly claims: Readonly<Record<string, unknown>>;
}

/** Whether a token has the form of a JWT: three parts. Any other one is opaque (RFC 6749 §1.4). */
export function looksLikeJwt(token: string): boolean {
  const first = token.indexOf(".");
  const second = token.indexOf(".", first + 1);
  return first !== -1 && second !== -1 && token.indexOf(".", second + 1) === -1;
}

/** Takes a JWT apart; a string says why it is none. */
export function decodeJwt(token: string): UnverifiedJwt | string {
  if (!looksLikeJwt(token)) return "the token is not a JWT of three parts";
  const [encodedHeader = "", encodedClaims = "", signature = ""] = token.split(".");
  const header = decodeObject(encodedHeader);
  if (typeof header === "string") return `the token's header ${header}`;
  const claims = decodeObject(encodedClaims);
  if (typeof claims === "string") return `the token's payload ${claims}`;
  if (decodeBase64url(signature) === undefined) return "the token's signature is not base64url";
  return { header, claims };
}

/** Reads the claims of a token that was verified, or of the credentials that carried it. */
export function readVerifiedClaims(token: string): Readonly<Record<string, unknown>> {
  const [, encodedClaims = ""] = token.split(".", 2);
  return JSON.parse(Buffer.from(encodedClaims, "base64url").toString()) as Record<string, unknown>;
}

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

function decodeObject(encoded: string): Record<string, unknown> | string {
  const bytes = decodeBase64url(encoded);
  if (bytes === undefined) return "is not base64url";
  try {
    const json = utf8.decode(bytes);
    const value: unknown = JSON.parse(json);
    const isObject = typeof value === "object" && value !== null && !Array.isArray(value);
    if (isObject) return findJsonProblem(json) ?? (value as Record<string, unknown>);
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
