// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { deepFreeze, frozenSet } from "../platform/frozen.js";
import type { Confirmation } from "./confirmation.js";
import { readVerifiedClaims } from "./jwt/jwt.js";

/** Who calls, proven by a verified access token. The same object serves all calls with that token: it cannot be changed. */
export interface Principal {
  /** The client that called (RFC 9068 §2.2 `client_id`). */
  readonly clientId: string;
  /** `sub` of the token; for client credentials usually the client id. */
  readonly subject: string;
  /** `iss` of the token. */
  readonly issuer: string;
  /** `aud` of the token; empty where the issuer's tokens have none. */
  readonly audience: readonly string[];
  /** The scopes that the token grants. */
  readonly scopes: ReadonlySet<string>;
  /** When the token expires, in milliseconds since the Unix epoch. */
  readonly expiresAt: number;
  /** `jti` of the token, to find it in the authorization server's log. */
  readonly tokenId: string | undefined;
  /** The key that whoever sends the token has proven to hold; `undefined` for a bearer token. */
  readonly confirmation: Confirmation | undefined;
  /** Every claim of the token, as it was. Read from the token when it is asked for first. */
  readonly claims: Readonly<Record<string, unknown>>;
}

/** What a principal has of the claims. */
export type PrincipalParts = Omit<Principal, "claims">;

/** Where the rest of the claims is: the token, or the credentials that carried it, or the claims themselves. */
export type ClaimSource = string | Readonly<Record<string, unknown>>;

/** Creates a principal. */
export function createPrincipal(parts: PrincipalParts, scopes: ReadonlySet<string>, source: ClaimSource): Principal {
  return new VerifiedPrincipal(parts, scopes, source);
}

// 100,000 of them may be held at a time: their claims, of which most are never asked for, are read when they are.
class VerifiedPrincipal implements Principal {
  readonly clientId: string;
  readonly subject: string;
  readonly issuer: string;
  readonly audience: readonly string[];
  readonly scopes: ReadonlySet<string>;
  readonly expiresAt: number;
  readonly tokenId: string | undefined;
  readonly confirmation: Confirmation | undefined;
  declare readonly claims: Readonly<Record<string, unknown>>;
  #source: ClaimSource;

  constructor(parts: PrincipalParts, scopes: ReadonlySet<string>, source: ClaimSource) {
    this.clientId = parts.clientId;
    this.subject = parts.subject;
    this.issuer = parts.issuer;
    this.audience = parts.audience;
    this.scopes = scopes;
    this.expiresAt = parts.expiresAt;
    this.tokenId = parts.tokenId;
    this.confirmation = parts.confirmation;
    this.#source = source;
    Object.defineProperty(this, "claims", VerifiedPrincipal.#claims);
    Object.freeze(this);
  }

  // A property of its own, so that copies of a principal have it.
  static readonly #claims: PropertyDescriptor = {
    enumerable: true,
    get(this: VerifiedPrincipal) {
      if (typeof this.#source === "string") this.#source = readVerifiedClaims(this.#source);
      return deepFreeze(this.#source);
    },
  };
}

/** Makes one set out of all that have the same scopes: few of them differ. Bounded. */
export function createScopeSets(): (scopes: ReadonlySet<string>) => ReadonlySet<string> {
  const known = new Map<string, ReadonlySet<string>>();
  return (scopes) => {
    const text = [...scopes].join(" ");
    const same = known.get(text);
    if (same !== undefined) return same;
    if (known.size === maxScopeSets) known.clear();
    const set = frozenSet(scopes);
    known.set(text, set);
    return set;
  };
}

const maxScopeSets = 1_000;
