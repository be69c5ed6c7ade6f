// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { createRemoteJWKSet, customFetch, errors, type JSONWebKeySet, type RemoteJWKSet } from "jose";
import { discover, isConfidential, isDowngrade } from "../../discovery/discovery.js";
import { DiscoveryError, networkReason } from "../../discovery/discovery-failure.js";
import { boundedFetch } from "../../platform/bounded-fetch.js";
import type { Clock } from "../../platform/clock.js";

/** Where an issuer publishes its keys. */
export interface KeySetEndpoint {
  /** Fetches the keys (RFC 7517 §5). Calls at the same time share one request. Throws a DiscoveryError. */
  fetch(): Promise<JSONWebKeySet>;
}

/** What a key set endpoint needs. */
export interface KeySetEndpointOptions {
  readonly issuer: string;
  readonly timeoutMs: number;
  readonly fetch: typeof fetch;
  readonly clock: Clock;
}

// Real ones have some kilobytes.
const maxBytes = 262_144;

/** Creates a key set endpoint. Discovery runs with the first request, once; after a failure, with the next one. */
export function createKeySetEndpoint(options: KeySetEndpointOptions): KeySetEndpoint {
  let connecting: Promise<RemoteJWKSet> | undefined;

  function connect(): Promise<RemoteJWKSet> {
    connecting ??= discoverKeySet(options).catch((error: unknown) => {
      connecting = undefined;
      throw error;
    });
    return connecting;
  }

  return {
    async fetch() {
      const keySet = await connect();
      try {
        await keySet.reload();
      } catch (error) {
        const reason = error instanceof errors.JOSEError ? error.code : networkReason(error);
        throw new DiscoveryError("unreachable", `the keys of ${options.issuer} cannot be fetched (${reason})`);
      }
      return keySet.jwks() ?? { keys: [] };
    },
  };
}

async function discoverKeySet(options: KeySetEndpointOptions): Promise<RemoteJWKSet> {
  const { jwks_uri: location } = await discover(options);
  if (location === undefined || !URL.canParse(location)) {
    throw new DiscoveryError("refused", `the metadata of ${options.issuer} names no jwks_uri`);
  }
  const url = new URL(location);
  if (!isConfidential(url) || isDowngrade(options.issuer, location)) {
    throw new DiscoveryError(
      "refused",
      `the jwks_uri of ${options.issuer} is plain http; that is allowed for issuers on loopback only`,
    );
  }
  const send = boundedFetch(options.fetch, maxBytes);
  return createRemoteJWKSet(url, {
    // When to fetch is decided elsewhere, and jose does not look keys up here.
    cacheMaxAge: Number.POSITIVE_INFINITY,
    cooldownDuration: Number.POSITIVE_INFINITY,
    // jose takes whole numbers; a timer that does not fit into 31 bits fires at once.
    timeoutDuration: Math.min(Math.ceil(options.timeoutMs), 2 ** 31 - 1),
    [customFetch]: (input, init) => send(input, init),
  });
}
