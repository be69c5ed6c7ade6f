// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { hash } from "node:crypto";
import { invalid, type TokenRefusal } from "../refusal.js";
import { createCoolDown } from "./cool-down.js";
import { createIntrospectionEndpoint } from "./introspection-endpoint.js";
import { checkIntrospectorOptions, type IntrospectorOptions } from "./introspection-options.js";
import { createQuery } from "./query.js";
import { createTurns, type Turn } from "./turns.js";
import { type Introspected, unavailable, type Verdict } from "./verdict.js";
import { createVerdictCache } from "./verdict-cache.js";

/** Asks one authorization server whether tokens are active. */
export interface Introspector {
  /**
   * Asks whether a token is active: answers at once where that is known, as a promise otherwise. What the answer says of
   * the token is still to be checked. Never throws for what a caller or the authorization server sends.
   */
  introspect(token: string): Introspected | TokenRefusal | Promise<Introspected | TokenRefusal>;
  /** Fetches the metadata now. Throws a DiscoveryError, also if they name no introspection endpoint. */
  load(): Promise<void>;
}

const maxWaiting = 1000;

// b64token of RFC 6750 §2.1: nothing else is worth a request.
const bearerToken = /^[A-Za-z0-9\-._~+/]+=*$/;

/**
 * Creates an introspector (RFC 7662). Discovery runs when it is needed first.
 *
 * Throws a TypeError if an option is wrong.
 */
export function createIntrospector(options: IntrospectorOptions): Introspector {
  const settings = checkIntrospectorOptions(options);
  const { clock, timeoutMs, maxTokens, maxConcurrent, random } = settings;
  const endpoint = createIntrospectionEndpoint(settings);
  const coolDown = createCoolDown(clock, random);
  const query = createQuery(settings, endpoint, coolDown);
  const verdicts = createVerdictCache(maxTokens, clock);
  const turns = createTurns(maxConcurrent, maxWaiting);
  const underWay = new Map<string, Promise<Verdict>>();

  function begin(token: string, key: string): Verdict | Promise<Verdict> {
    if (!bearerToken.test(token)) return invalid("the token has characters that no bearer token has");
    const refusal = coolDown.refusal();
    if (refusal !== undefined) return refusal;
    const turn = turns.take();
    if (turn === undefined) return unavailable("too many tokens wait to be introspected");
    const verdict = inTime(askInTurn(token, key, turn), turn);
    underWay.set(key, verdict);
    return verdict;
  }

  async function askInTurn(token: string, key: string, turn: Turn): Promise<Verdict> {
    try {
      // Others that had their turn before may have found the endpoint unwell.
      return (await turn.came) ? (coolDown.refusal() ?? (await ask(token, key))) : tookTooLong();
    } finally {
      turn.end();
      underWay.delete(key);
    }
  }

  async function ask(token: string, key: string): Promise<Verdict> {
    const { verdict, askedAt, until } = await query(token);
    if (until !== undefined) verdicts.set(key, verdict, askedAt, until);
    return verdict;
  }

  /** Whoever waits for a turn, for discovery and for the answer waits no longer than for one request. */
  function inTime(verdict: Promise<Verdict>, turn: Turn): Promise<Verdict> {
    return new Promise((resolve, reject) => {
      const cancel = clock.schedule(timeoutMs, () => {
        turn.cancel();
        resolve(tookTooLong());
      });
      verdict.finally(cancel).then(resolve, reject);
    });
  }

  const tookTooLong = (): TokenRefusal => unavailable(`introspection took longer than ${timeoutMs} ms`);

  return {
    introspect(token) {
      // All of it: with a part of the hash, one token could be made to stand for another.
      const key = hash("sha256", token, "base64");
      return verdicts.get(key) ?? underWay.get(key) ?? begin(token, key);
    },
    async load() {
      await endpoint.load();
    },
  };
}
