// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { timingSafeEqual } from "node:crypto";
import { invalid, type TokenRefusal } from "./refusal.js";

/** The key that a token is bound to (`cnf`, RFC 7800 §3.1). Whoever sends the token has to prove that they hold it. */
export interface Confirmation {
  /** SHA-256 of a certificate, base64url: `x5t#S256` (RFC 8705 §3.1). */
  readonly certificateThumbprint?: string;
  /** JWK thumbprint of a public key: `jkt` (RFC 9449 §6.1). */
  readonly keyThumbprint?: string;
}

const sha256 = /^[A-Za-z0-9_-]{43}$/;

/**
 * Reads `cnf`. Every member of it counts: a way of confirmation that is not known cannot be checked, so a token that has
 * one is refused.
 */
export function readConfirmation(claims: Readonly<Record<string, unknown>>): Confirmation | undefined | TokenRefusal {
  if (!Object.hasOwn(claims, "cnf")) return undefined;
  const cnf = claims["cnf"];
  if (typeof cnf !== "object" || cnf === null || Array.isArray(cnf)) return invalid("cnf is no object");
  const members = Object.entries(cnf);
  if (members.length === 0) return invalid("cnf is empty");
  const confirmation: { certificateThumbprint?: string; keyThumbprint?: string } = {};
  for (const [name, value] of members) {
    if (name !== "x5t#S256" && name !== "jkt") return invalid("the token is bound to a key in a way that is not known");
    if (typeof value !== "string" || !sha256.test(value)) return invalid(`cnf has a ${name} that is no SHA-256`);
    confirmation[name === "jkt" ? "keyThumbprint" : "certificateThumbprint"] = value;
  }
  return confirmation;
}

/** Why the certificate of a call is not the one that its token is bound to (RFC 8705 §3); `undefined` if it is. */
export function checkCertificate(bound: string, presented: string | undefined): TokenRefusal | undefined {
  if (presented === undefined) return invalid("the token is bound to a certificate, and none came with the call");
  const matches = presented.length === bound.length && timingSafeEqual(Buffer.from(presented), Buffer.from(bound));
  return matches ? undefined : invalid("the token is bound to another certificate");
}
