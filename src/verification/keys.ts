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
import { DiscoveryError, discover, networkReason } from "../discovery/discovery.js";
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

/** Creates a key source. Discovery runs when keys are needed first. */
export function createKeySource(options: KeySourceOptions): KeySource {
  let keySet: Promise<RemoteJWKSet> | undefined;
  let failure: { readonly error: DiscoveryError; readonly until: number } | undefined;

  function connect(): Promise<RemoteJWKSet> {
    keySet ??= discoverKeys(options).catch((error: unknown) => {
      keySet = undefined;
      throw error;
    });
    return keySet;
  }

  function remember(error: unknown): DiscoveryError {
    const known = error instanceof DiscoveryError ? error : keysUnreachable(options.issuer, error);
    failure = { error: known, until: options.clock.now() + failureCooldownMs };
    return known;
  }

  return {
    async find(header) {
      if (failure !== undefined && options.clock.now() < failure.until) return unavailable(failure.error);
      try {
        const keys = await connect();
        return await resolve(keys, header);
      } catch (error) {
        return unavailable(remember(error));
      }
    },
    async load() {
      try {
        await (await connect()).reload();
        failure = undefined;
      } catch (error) {
        throw remember(error);
      }
    },
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
    timeoutDuration: options.timeoutMs,
    [customFetch]: (input, init) => options.fetch(input, init),
  });
}

async function resolve(
  keySet: RemoteJWKSet,
  header: JWSHeaderParameters,
): Promise<readonly CryptoKey[] | TokenRefusal> {
  try {
    return [await keySet(header)];
  } catch (error) {
    if (error instanceof errors.JWKSNoMatchingKey) return invalid("no published key matches the token's kid and alg");
    if (error instanceof errors.JOSENotSupported) return invalid("the token's alg is not supported");
    if (!(error instanceof errors.JWKSMultipleMatchingKeys)) throw error;
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
