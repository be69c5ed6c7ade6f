// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { DiscoveryError } from "../../discovery/discovery-failure.js";
import { type Clock, elapsed } from "../../platform/clock.js";
import { ageOf, type Moment, momentOf, never } from "../../platform/moment.js";
import { invalid, type TokenRefusal } from "../refusal.js";
import type { KeysEvent } from "../server-event.js";
import type { Proof } from "../token-cache.js";
import { createKeySetEndpoint, type KeySetEndpointOptions } from "./key-set-endpoint.js";
import { noKeys, type PublishedKey, type PublishedKeys } from "./published-keys.js";

/** The published keys of one issuer. */
export interface KeySource {
  /** The keys for an algorithm with a key id; without a key id, all for the algorithm. At once if possible. */
  find(alg: string, kid: string | undefined): Found | Promise<Found>;
  /** Fetches metadata and keys now. Throws a DiscoveryError. */
  load(): Promise<void>;
  /** What a key proved is believed as long as the key is published. */
  proofBy(key: PublishedKey): Proof;
  /** Whether there are keys that can be used. Starts to fetch them if it is time to: nobody else may be calling. */
  isReady(): boolean;
  /** Until when the keys do if they cannot be fetched any more, in milliseconds since the Unix epoch. */
  readonly usableUntil: number;
}

type Found = readonly PublishedKey[] | TokenRefusal;

/** What a key source needs. */
export interface KeySourceOptions extends KeySetEndpointOptions {
  readonly onEvent: (event: KeysEvent) => void;
}

// After a failure the authorization server is left alone for a moment: a flood of tokens is no flood of requests.
const failureCooldownMs = 5_000;

// A token may name a key that is newer than ours, or one that never was. Counted from the last look for one, not from the
// last fetch: an issuer that starts to sign with a new key just after our start costs no call.
const unknownKeyCooldownMs = 30_000;

// Keys of this age are fetched anew, so that a withdrawn key is not trusted for long.
const refreshAfterMs = 600_000;

// After a quiet spell, calls wait a moment for fresh keys: a key may have been withdrawn long ago. Not in an outage.
const waitAfterMs = 1_200_000;
const longestWaitMs = 1_000;

// How long the last good keys do while they cannot be fetched anew.
const usableForMs = 3_600_000;

/** No key fits a token. */
export const unknownKey: TokenRefusal = invalid("no published key matches the token's kid and alg");

/** Creates a key source. Discovery runs when keys are needed first. */
export function createKeySource(options: KeySourceOptions): KeySource {
  const { clock } = options;
  const endpoint = createKeySetEndpoint(options);
  const report = createReporter(options);
  let published: PublishedKeys = noKeys;
  let fetchedAt = never;
  let lookedForUnknownAt = never;
  let failure: { readonly error: DiscoveryError; readonly at: Moment } | undefined;
  let refreshing: Promise<TokenRefusal | undefined> | undefined;

  const isWithin = (moment: Moment, ms: number): boolean => ageOf(moment, clock) < ms;
  const isOlderThan = (ms: number): boolean => !isWithin(fetchedAt, ms);

  async function fetchKeys(): Promise<void> {
    const startedAt = elapsed(clock);
    try {
      published = published.replace(await endpoint.fetch());
      fetchedAt = momentOf(clock);
      failure = undefined;
      report(startedAt, published);
    } catch (error) {
      // Nobody may be there to hear of it: what an issuer publishes must never end the process.
      const known = error instanceof DiscoveryError ? error : unreadable(options.issuer);
      failure = { error: known, at: momentOf(clock) };
      report(startedAt, published, known);
      throw known;
    }
  }

  /** Fetches keys unless that failed a moment ago; says why there are none. One at a time. */
  function refresh(): Promise<TokenRefusal | undefined> {
    if (failure !== undefined && isWithin(failure.at, failureCooldownMs)) {
      return Promise.resolve(unavailable(failure.error));
    }
    refreshing ??= fetchKeys()
      .then(() => undefined, unavailable)
      .finally(() => {
        refreshing = undefined;
      });
    return refreshing;
  }

  async function findAfterRefresh(alg: string, kid: string | undefined): Promise<Found> {
    const refusal = await refresh();
    const found = published.find(alg, kid);
    if (refusal !== undefined && (isOlderThan(usableForMs) || found.length === 0)) return refusal;
    // Not before: whoever asks meanwhile waits for the same keys, and a look that failed found nothing out.
    if (refusal === undefined) lookedForUnknownAt = momentOf(clock);
    return found.length === 0 ? unknownKey : found;
  }

  function findNow(alg: string, kid: string | undefined): Found | Promise<Found> {
    const found = published.find(alg, kid);
    if (found.length > 0) return found;
    return isWithin(lookedForUnknownAt, unknownKeyCooldownMs) ? unknownKey : findAfterRefresh(alg, kid);
  }

  async function findAfterWait(alg: string, kid: string | undefined): Promise<Found> {
    await waitBriefly(refresh(), longestWaitMs, clock);
    return await findNow(alg, kid);
  }

  // Nobody waits while the last good keys do.
  function refreshIfDue(): void {
    if (isOlderThan(refreshAfterMs)) void refresh();
  }

  const proofs = new WeakMap<PublishedKey, Proof>();
  let lookedAt = Number.NaN;

  function createProof(key: PublishedKey): Proof {
    const proof: Proof = {
      isBelieved(now) {
        // Looked at once in a millisecond: this is asked with every call.
        if (now !== lookedAt) refreshIfDue();
        lookedAt = now;
        return key.isPublished;
      },
    };
    proofs.set(key, proof);
    return proof;
  }

  return {
    find(alg, kid) {
      if (isOlderThan(usableForMs)) return findAfterRefresh(alg, kid);
      if (isOlderThan(waitAfterMs) && failure === undefined) return findAfterWait(alg, kid);
      refreshIfDue();
      return findNow(alg, kid);
    },
    load: fetchKeys,
    proofBy: (key) => proofs.get(key) ?? createProof(key),
    isReady() {
      refreshIfDue();
      return published.size > 0 && !isOlderThan(usableForMs);
    },
    get usableUntil() {
      return fetchedAt.wall + usableForMs;
    },
  };
}

/** Waits for something, but not for long. */
function waitBriefly(task: Promise<unknown>, ms: number, clock: Clock): Promise<void> {
  return new Promise((resolve) => {
    const cancel = clock.schedule(ms, resolve);
    const finish = (): void => {
      cancel();
      resolve();
    };
    task.then(finish, finish);
  });
}

function unreadable(issuer: string): DiscoveryError {
  return new DiscoveryError("unreachable", `the keys of ${issuer} cannot be read`);
}

function unavailable(error: DiscoveryError): TokenRefusal {
  return { reason: "AUTHORIZATION_SERVER_UNAVAILABLE", cause: error.message, retryAfterMs: failureCooldownMs };
}

function createReporter({ issuer, clock, onEvent }: KeySourceOptions) {
  return (startedAt: number, { size, unusable }: PublishedKeys, error?: DiscoveryError): void =>
    onEvent({
      kind: "keys",
      issuer,
      outcome: error === undefined ? "refreshed" : "failed",
      durationMs: elapsed(clock) - startedAt,
      keys: size,
      unusable,
      cause: error?.message,
    });
}
