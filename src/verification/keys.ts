// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import {
  type CryptoKey,
  createRemoteJWKSet,
  customFetch,
  errors,
  type JWSHeaderParameters,
  type RemoteJWKSet,
} from "jose";
import { discover } from "../discovery/discovery.js";
import { DiscoveryError, networkReason } from "../discovery/discovery-failure.js";
import type { Clock } from "../platform/clock.js";
import { isLoopback } from "../platform/loopback.js";
import { invalid, type TokenRefusal } from "./refusal.js";

/** The published keys of one issuer. */
export interface KeySource {
  /** The keys that a token with this header may be signed with; more than one only where `kid` is not unique. */
  find(header: JWSHeaderParameters): Promise<readonly CryptoKey[] | TokenRefusal>;
  /** Fetches metadata and keys now. Throws a DiscoveryError. */
  load(): Promise<void>;
}

/** What a key source needs. */
export interface KeySourceOptions {
  readonly issuer: string;
  readonly timeoutMs: number;
  readonly fetch: typeof fetch;
  readonly clock: Clock;
}

// After a failure the authorization server is left alone for a moment: a flood of tokens is no flood of requests.
const failureCooldownMs = 5_000;

// A token may name a key that is newer than ours, or one that never was.
const unknownKeyCooldownMs = 30_000;

// Keys of this age are fetched anew, so that a withdrawn key is not trusted for long.
const refreshAfterMs = 600_000;

// How long the last good keys do while they cannot be fetched anew.
const usableForMs = 3_600_000;

/** Creates a key source. Discovery runs when keys are needed first. */
export function createKeySource(options: KeySourceOptions): KeySource {
  const { issuer, clock } = options;
  let connecting: Promise<RemoteJWKSet> | undefined;
  let fetchedAt = Number.NEGATIVE_INFINITY;
  let failure: { readonly error: DiscoveryError; readonly at: number } | undefined;

  // What lies in the future, after the clock was set back, was not just now.
  function isWithin(at: number, ms: number): boolean {
    const age = clock.now() - at;
    return age >= 0 && age < ms;
  }

  const isOlderThan = (ms: number): boolean => !isWithin(fetchedAt, ms);

  function connect(): Promise<RemoteJWKSet> {
    connecting ??= discoverKeys(options).catch((error: unknown) => {
      connecting = undefined;
      throw error;
    });
    return connecting;
  }

  async function fetchKeys(): Promise<void> {
    try {
      // Calls at the same time share one request.
      await (await connect()).reload();
      fetchedAt = clock.now();
      failure = undefined;
    } catch (error) {
      const known = error instanceof DiscoveryError ? error : keysUnreachable(issuer, error);
      failure = { error: known, at: clock.now() };
      throw known;
    }
  }

  /** Fetches keys unless that failed a moment ago; says why there are none. */
  async function refresh(): Promise<TokenRefusal | undefined> {
    if (failure !== undefined && isWithin(failure.at, failureCooldownMs)) return unavailable(failure.error);
    try {
      await fetchKeys();
      return undefined;
    } catch (error) {
      return unavailable(error as DiscoveryError);
    }
  }

  return {
    async find(header) {
      if (isOlderThan(refreshAfterMs)) {
        // Nobody waits while the last good keys do.
        const waits = isOlderThan(usableForMs);
        const refreshing = refresh();
        const refusal = waits ? await refreshing : undefined;
        if (refusal !== undefined && isOlderThan(usableForMs)) return refusal;
      }
      let keys = await findPublished(await connect(), header);
      if (keys.length === 0 && isOlderThan(unknownKeyCooldownMs)) {
        const refusal = await refresh();
        if (refusal !== undefined) return refusal;
        keys = await findPublished(await connect(), header);
      }
      return keys.length === 0 ? invalid("no published key matches the token's kid and alg") : keys;
    },
    load: fetchKeys,
  };
}

async function discoverKeys(options: KeySourceOptions): Promise<RemoteJWKSet> {
  const { jwks_uri: location } = await discover(options);
  if (location === undefined || !URL.canParse(location)) {
    throw new DiscoveryError("refused", `the metadata of ${options.issuer} names no jwks_uri`);
  }
  const url = new URL(location);
  if (url.protocol !== "https:" && !isLoopback(url.hostname)) {
    throw new DiscoveryError(
      "refused",
      `the jwks_uri of ${options.issuer} is plain http; that is allowed for loopback only`,
    );
  }
  return createRemoteJWKSet(url, {
    // When to fetch is decided above; looking up a key never does.
    cacheMaxAge: Number.POSITIVE_INFINITY,
    cooldownDuration: Number.POSITIVE_INFINITY,
    // jose takes whole numbers; a timer that does not fit into 31 bits fires at once.
    timeoutDuration: Math.min(Math.ceil(options.timeoutMs), 2 ** 31 - 1),
    [customFetch]: (input, init) => options.fetch(input, init),
  });
}

/** The keys that were fetched last and match a header. One that cannot be imported is no key. */
async function findPublished(keySet: RemoteJWKSet, header: JWSHeaderParameters): Promise<readonly CryptoKey[]> {
  try {
    return [await keySet(header)];
  } catch (error) {
    if (!(error instanceof errors.JWKSMultipleMatchingKeys)) return [];
    const keys: CryptoKey[] = [];
    for await (const key of error) keys.push(key);
    return keys;
  }
}

function keysUnreachable(issuer: string, error: unknown): DiscoveryError {
  const reason = error instanceof errors.JOSEError ? error.code : networkReason(error);
  return new DiscoveryError("unreachable", `the keys of ${issuer} cannot be fetched (${reason})`);
}

function unavailable(error: DiscoveryError): TokenRefusal {
  return { reason: "AUTHORIZATION_SERVER_UNAVAILABLE", cause: error.message, retryAfterMs: failureCooldownMs };
}
