// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { type CryptoKey, createLocalJWKSet, type JSONWebKeySet, type JWK, type JWSHeaderParameters } from "jose";
import { findKeyWeakness } from "./weak-key.js";

/** One key of an issuer. It stays the same object as long as the issuer goes on publishing it. */
export interface PublishedKey {
  /** Whether the issuer still publishes it. What it signed is not to be believed any more otherwise. */
  readonly isPublished: boolean;
  /** The key for one algorithm; `undefined` if it cannot be used for that one. A promise the first time. */
  forAlgorithm(alg: string): CryptoKey | undefined | Promise<CryptoKey | undefined>;
}

/** The keys of an issuer that can be used, as it published them last. */
export interface PublishedKeys {
  readonly size: number;
  /** Why some that are published cannot be used, with their key ids. */
  readonly unusable: readonly string[];
  /** Those for an algorithm (RFC 7518 §3.1) with a key id; without one, all for the algorithm. */
  find(alg: string, kid: string | undefined): readonly PublishedKey[];
  /** The next keys. Those that are not among them are not published any more. */
  replace(next: JSONWebKeySet): PublishedKeys;
}

/** No keys yet. */
export const noKeys: PublishedKeys = createPublishedKeys(new Map(), []);

interface KeyRecord extends PublishedKey {
  readonly jwk: JWK;
  isPublished: boolean;
}

function createPublishedKeys(records: ReadonlyMap<string, KeyRecord>, unusable: readonly string[]): PublishedKeys {
  const all = [...records.values()];
  const byId = new Map<string, KeyRecord[]>();
  for (const record of all) {
    const { kid } = record.jwk;
    if (typeof kid === "string") byId.set(kid, [...(byId.get(kid) ?? []), record]);
  }
  return {
    size: all.length,
    unusable,
    find(alg, kid) {
      const named = kid === undefined ? all : (byId.get(kid) ?? []);
      return named.filter(({ jwk }) => mayVerify(jwk, alg));
    },
    replace({ keys }) {
      const next = new Map<string, KeyRecord>();
      const problems = keys.flatMap(describeWeakness);
      for (const jwk of keys.filter((each) => findKeyWeakness(each) === undefined)) {
        const identity = identityOf(jwk);
        next.set(identity, records.get(identity) ?? createRecord(jwk));
      }
      for (const [identity, record] of records) record.isPublished = next.has(identity);
      return createPublishedKeys(next, problems.slice(0, maxTold));
    },
  };
}

const keyTypes: Readonly<Record<string, string>> = { RS: "RSA", PS: "RSA", ES: "EC", Ed: "OKP" };

// RFC 7517 §4.1 to §4.4.
function mayVerify({ kty, alg, use, key_ops: operations }: JWK, wanted: string): boolean {
  return (
    kty === keyTypes[wanted.slice(0, 2)] &&
    (alg === undefined || alg === wanted) &&
    (use === undefined || use === "sig") &&
    (operations === undefined || (Array.isArray(operations) && operations.includes("verify")))
  );
}

// Enough to see what is wrong; whoever publishes keys must not fill a log.
const maxTold = 10;
const maxKeyId = 100;

function describeWeakness(jwk: JWK): readonly string[] {
  const weakness = findKeyWeakness(jwk);
  if (weakness === undefined) return [];
  const name = typeof jwk.kid === "string" ? jwk.kid.slice(0, maxKeyId) : "a key without a kid";
  return [`${name}: ${weakness}`];
}

// All that decides what a key is good for. A key whose key id moved on to another one is another key.
function identityOf({ kty, crv, n, e, x, y, kid, alg, use, key_ops }: JWK): string {
  return JSON.stringify([kty, crv, n, e, x, y, kid, alg, use, key_ops]);
}

function createRecord(jwk: JWK): KeyRecord {
  const lookUp = createLocalJWKSet({ keys: [jwk] });
  const imported = new Map<string, CryptoKey | undefined>();
  return {
    jwk,
    isPublished: true,
    forAlgorithm(alg) {
      if (imported.has(alg)) return imported.get(alg);
      return importKey(lookUp, { alg }).then((key) => {
        imported.set(alg, key);
        return key;
      });
    },
  };
}

// One that is not for this algorithm, or cannot be imported, is no key.
async function importKey(
  lookUp: ReturnType<typeof createLocalJWKSet>,
  header: JWSHeaderParameters,
): Promise<CryptoKey | undefined> {
  try {
    return await lookUp(header);
  } catch {
    return undefined;
  }
}
