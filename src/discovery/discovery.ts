// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import type { ClientAuth, ClientMetadata, Configuration, CustomFetch, ServerMetadata } from "openid-client";
import { boundedFetch } from "../platform/bounded-fetch.js";
import { type Clock, systemClock } from "../platform/clock.js";
import { isLoopback } from "../platform/loopback.js";
import { DiscoveryError, toDiscoveryError } from "./discovery-failure.js";

/** Which authorization server to ask, and how. */
export interface DiscoveryOptions {
  /** The issuer, exactly as the authorization server writes it; compared byte for byte. */
  readonly issuer: string;
  /** Time-out of the request in milliseconds. By default, 10,000. */
  readonly timeoutMs?: number | undefined;
  /** Replaces the global fetch, for a proxy or a certificate authority of your own. */
  readonly fetch?: typeof fetch | undefined;
  /** The time. By default, the machine's. */
  readonly clock?: Clock | undefined;
}

/**
 * Checks that an issuer can be used: an https URL without query and fragment (RFC 8414 §2); plain http for loopback
 * only.
 *
 * Throws a TypeError otherwise.
 */
export function parseIssuer(issuer: string): URL {
  const url = URL.canParse(issuer) ? new URL(issuer) : undefined;
  // First, so that no other message can show them.
  if (url !== undefined && (url.search !== "" || url.hash !== "" || url.username !== "" || url.password !== "")) {
    throw new TypeError("issuer has a query, a fragment or credentials in it; an issuer has none of them");
  }
  if (url === undefined || (url.protocol !== "https:" && url.protocol !== "http:")) {
    throw new TypeError(`issuer ${JSON.stringify(issuer)} is not a URL; write it as the authorization server does`);
  }
  if (!isConfidential(url)) throw new TypeError(`issuer ${issuer} is plain http; that is allowed for loopback only`);
  return url;
}

/** Whether what is sent to this URL stays between the two ends: https, or http that does not leave the machine. */
export function isConfidential(url: URL): boolean {
  return url.protocol === "https:" || (url.protocol === "http:" && isLoopback(url.hostname));
}

// Real ones have some kilobytes.
const maxMetadataBytes = 262_144;

/**
 * Fetches the metadata of an authorization server (OpenID Connect Discovery 1.0 §4) and checks that it is the one
 * asked for.
 *
 * Throws a DiscoveryError.
 */
export async function discover(options: DiscoveryOptions): Promise<ServerMetadata> {
  const url = parseIssuer(options.issuer);
  const client = await import("openid-client");
  let configuration: Configuration;
  try {
    // openid-client wants a client id; discovery has no use for it.
    configuration = await client.discovery(url, "discovery", undefined, client.None(), {
      timeout: timeoutSeconds(options.timeoutMs ?? defaultTimeoutMs),
      [client.customFetch]: boundedFetch(options.fetch ?? fetch, maxMetadataBytes) as CustomFetch,
      ...(url.protocol === "http:" ? { execute: [client.allowInsecureRequests] } : {}),
    });
  } catch (error) {
    throw toDiscoveryError(options.issuer, error, options.clock ?? systemClock);
  }
  const metadata = configuration.serverMetadata();
  // openid-client compares after URL normalisation; tokens are compared byte for byte, so this has to be as well.
  if (metadata.issuer !== options.issuer) {
    throw new DiscoveryError(
      "refused",
      `the authorization server at ${options.issuer} calls itself ${metadata.issuer}; configure exactly that issuer`,
    );
  }
  return metadata;
}

/** Time-out of requests to the authorization server in milliseconds. */
export const defaultTimeoutMs = 10_000;

/** Throws a TypeError unless it can be a time-out. */
export function checkTimeout(timeoutMs: number): void {
  if (timeoutMs > 0 && Number.isFinite(timeoutMs)) return;
  throw new TypeError(`timeoutMs is ${timeoutMs}; give a number of milliseconds above 0`);
}

const maxTimeoutMs = 2_147_483_000;

// openid-client takes seconds, and hands 1000 times as many to AbortSignal.timeout(), which throws unless that is a
// whole number (1.001 * 1000 is not) and fires at once if it does not fit into 31 bits.
function timeoutSeconds(timeoutMs: number): number {
  let ms = Math.min(Math.ceil(timeoutMs), maxTimeoutMs);
  while (!Number.isInteger((ms / 1000) * 1000)) ms += 1;
  return ms / 1000;
}

/** What configures one request of openid-client. */
export interface RequestConfiguration {
  readonly server: ServerMetadata;
  readonly clientId: string;
  readonly metadata?: Partial<ClientMetadata>;
  readonly authentication: ClientAuth;
  readonly timeoutMs: number;
  readonly fetch: typeof fetch;
}

/** Creates a configuration of openid-client for one request. */
export async function configureRequest(request: RequestConfiguration): Promise<Configuration> {
  const client = await import("openid-client");
  const { server, clientId, metadata, authentication } = request;
  const configuration = new client.Configuration(server, clientId, metadata, authentication);
  configuration.timeout = timeoutSeconds(request.timeoutMs);
  configuration[client.customFetch] = request.fetch as CustomFetch;
  if (new URL(server.issuer).protocol === "http:") client.allowInsecureRequests(configuration);
  return configuration;
}
