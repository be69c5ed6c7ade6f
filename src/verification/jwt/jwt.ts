// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { isUtf8 } from "node:buffer";
import { deepFreeze } from "../../platform/frozen.js";
import { ownText } from "../../platform/own-text.js";
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

/** Takes JWTs apart; a string says why one is none. Headers that come again and again are read once. */
export function createJwtDecoder(): (token: string) => UnverifiedJwt | string {
  const headers = new Map<string, UnverifiedJwt["header"]>();

  function readHeader(encoded: string): UnverifiedJwt["header"] | string {
    const known = headers.get(encoded);
    if (known !== undefined) return known;
    const header = decodeObject(encoded);
    // Whatever somebody made up may push out what is known, but takes no more memory than that.
    if (typeof header !== "string" && encoded.length <= maxKeptHeader) {
      if (headers.size >= maxKeptHeaders) headers.clear();
      headers.set(ownText(encoded), deepFreeze(header));
    }
    return header;
  }

  return (token) => {
    const first = token.indexOf(".");
    const second = token.indexOf(".", first + 1);
    if (!looksLikeJwt(token)) return "the token is not a JWT of three parts";
    const header = readHeader(token.slice(0, first));
    if (typeof header === "string") return `the token's header ${header}`;
    const claims = decodeObject(token.slice(first + 1, second));
    if (typeof claims === "string") return `the token's payload ${claims}`;
    if (!isBase64url(token.slice(second + 1))) return "the token's signature is not base64url";
    return { header, claims };
  };
}

// An issuer has a handful, of some 100 characters.
const maxKeptHeaders = 64;
const maxKeptHeader = 512;

/** Reads the claims of a token that was verified, or of the credentials that carried it. */
export function readVerifiedClaims(token: string): Readonly<Record<string, unknown>> {
  const [, encodedClaims = ""] = token.split(".", 2);
  return JSON.parse(Buffer.from(encodedClaims, "base64url").toString()) as Record<string, unknown>;
}

function decodeObject(encoded: string): Record<string, unknown> | string {
  const bytes = decodeBase64url(encoded);
  if (bytes === undefined) return "is not base64url";
  if (!isUtf8(bytes)) return "is not a JSON object";
  try {
    const json = bytes.toString();
    const value: unknown = JSON.parse(json);
    const isObject = typeof value === "object" && value !== null && !Array.isArray(value);
    if (isObject) return findJsonProblem(json) ?? (value as Record<string, unknown>);
  } catch {
    // falls through: the parser's message would quote the token
  }
  return "is not a JSON object";
}

// Buffer ignores what it does not know and what is left over; of a token, one spelling counts (RFC 7515 §2).
function decodeBase64url(encoded: string): Buffer | undefined {
  return isBase64url(encoded) ? Buffer.from(encoded, "base64url") : undefined;
}

const alphabet = /^[A-Za-z0-9_-]+$/;

// Behind the last whole byte there are 4 bits, or 2, that have to be zero.
const lastOfTwo = "AQgw";
const lastOfThree = "AEIMQUYcgkosw048";

/** Whether a text is base64url as RFC 7515 §2 writes it: no padding, and no other spelling of the same bytes. */
export function isBase64url(encoded: string): boolean {
  if (!alphabet.test(encoded)) return false;
  const last = encoded.charAt(encoded.length - 1);
  switch (encoded.length % 4) {
    case 0:
      return true;
    case 2:
      return lastOfTwo.includes(last);
    case 3:
      return lastOfThree.includes(last);
    default:
      return false;
  }
}
