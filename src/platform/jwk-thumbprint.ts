// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { createHash } from "node:crypto";

/** The members that make a public key what it is, by `kty`, in the order of RFC 7638 §3.2. */
export const requiredMembers = {
  EC: ["crv", "kty", "x", "y"],
  OKP: ["crv", "kty", "x"],
  RSA: ["e", "kty", "n"],
} as const;

/** The SHA-256 thumbprint of a public JWK that has the members of its type, base64url (RFC 7638 §3). */
export function jwkThumbprint(jwk: Readonly<Record<string, unknown>>): string {
  const members = requiredMembers[jwk["kty"] as keyof typeof requiredMembers];
  const canonical = Object.fromEntries(members.map((member) => [member, jwk[member]]));
  return createHash("sha256").update(JSON.stringify(canonical)).digest("base64url");
}
