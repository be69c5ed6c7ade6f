// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import type { Credential } from "../../credentials/credential.js";
import { isConfidential } from "../../discovery/discovery.js";
import type { Clock } from "../../platform/clock.js";
import type { Provider } from "../../providers/provider.js";
import { identifierProblem } from "../../rules/parse-rule.js";
import type { IntrospectionEvent } from "../server-event.js";

/** How a resource server asks the authorization server about opaque tokens (RFC 7662). */
export interface IntrospectionOptions {
  /** Who asks: a client that may introspect. */
  readonly clientId: string;
  /** What proves it: clientSecret(), privateKeyJwt(), clientAssertionFromFile() or tlsClientAuth(). */
  readonly credential: Credential;
  /**
   * The introspection endpoint, for an authorization server whose metadata name none: https, or http on loopback if the
   * issuer is there as well. By default, the one of the metadata.
   */
  readonly endpoint?: string;
  /**
   * For how long an answer that a token is active is used, in seconds, from 0 to 3,600; never past its `exp`. So long may
   * a token be used that was revoked. By default, 60.
   */
  readonly activeSeconds?: number;
  /** For how long an answer that a token is not active is used, in seconds, from 0 to 3,600. By default, 30. */
  readonly inactiveSeconds?: number;
  /** How many requests are under way at most; 1,000 more wait. By default, 32. */
  readonly maxConcurrent?: number;
  /**
   * How many active tokens are remembered at most, and how many that are not; of more, those that were seen least recently
   * go. By default, 10,000.
   */
  readonly maxTokens?: number;
}

/** What an introspector needs. */
export interface IntrospectorOptions extends IntrospectionOptions {
  readonly issuer: string;
  readonly provider: Provider;
  /** Time-out of each request, and of the wait for a verdict, in milliseconds. */
  readonly timeoutMs: number;
  readonly fetch: typeof fetch;
  readonly clock: Clock;
  /** Is told of every request. By default, nobody is. */
  readonly onEvent?: ((event: IntrospectionEvent) => void) | undefined;
  /** Randomness in [0, 1) for jitter. By default, Math.random. */
  readonly random?: () => number;
}

/** Checked options, without a gap. */
export type IntrospectorSettings = Required<Omit<IntrospectorOptions, "endpoint" | "onEvent">> &
  Pick<IntrospectorOptions, "endpoint" | "onEvent">;

/** Fills in the defaults. Throws a TypeError if an option is wrong. */
export function checkIntrospectorOptions(options: IntrospectorOptions): IntrospectorSettings {
  const { clientId, credential, endpoint, issuer } = options;
  const { activeSeconds = 60, inactiveSeconds = 30, maxConcurrent = 32, maxTokens = 10_000 } = options;
  const problem = typeof clientId === "string" ? identifierProblem(clientId) : "is missing";
  if (problem !== undefined) throw new TypeError(`introspection: clientId ${problem}`);
  if (credential === undefined) {
    throw new TypeError("introspection: credential is missing; give clientSecret(), privateKeyJwt() or another one");
  }
  if (endpoint !== undefined) checkEndpoint(endpoint, issuer);
  checkSeconds("activeSeconds", activeSeconds);
  checkSeconds("inactiveSeconds", inactiveSeconds);
  checkCount("maxConcurrent", maxConcurrent);
  checkCount("maxTokens", maxTokens);
  const { random = Math.random } = options;
  return { ...options, activeSeconds, inactiveSeconds, maxConcurrent, maxTokens, random };
}

function checkEndpoint(endpoint: string, issuer: string): void {
  const url = URL.canParse(endpoint) ? new URL(endpoint) : undefined;
  if (url !== undefined && (url.username !== "" || url.password !== "")) {
    throw new TypeError("introspection: endpoint has credentials in it; give them as credential");
  }
  const isPlain = url?.protocol === "http:" && new URL(issuer).protocol === "https:";
  if (url === undefined || isPlain || !isConfidential(url)) {
    throw new TypeError(`introspection: endpoint ${JSON.stringify(endpoint)} is no https URL`);
  }
}

function checkSeconds(name: string, value: number): void {
  if (value >= 0 && value <= 3600) return;
  throw new TypeError(`introspection: ${name} is ${value}; give a number of seconds from 0 to 3600`);
}

function checkCount(name: string, value: number): void {
  if (Number.isInteger(value) && value > 0) return;
  throw new TypeError(`introspection: ${name} is ${value}; give a whole number above 0`);
}
