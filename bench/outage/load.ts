// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import type { AuthorizationServer, IssuedToken } from "../lib/authorization-server.js";
import { settle } from "../lib/fake-time.js";

/** What makes a load. */
export interface LoadOptions {
  readonly server: AuthorizationServer;
  readonly getToken: () => string | Promise<string>;
  readonly intervalMs: number;
  /** Lets fake time pass. */
  readonly pass: (ms: number) => Promise<void>;
}

/** How long a call waits for its token: the deadline of the article's calls. */
const callDeadlineMs = 5000;

/** Calls at a steady rate, each of which wants a token. */
export class Load {
  /** Calls that got a valid token. */
  served = 0;
  /** Calls that did not, since observe(). */
  failed = 0;
  /** Those of them that began while a token of the client was valid. */
  failedThoughValid = 0;
  /** When a call got a token that was issued after the outage. */
  freshAt: number | undefined;
  readonly #options: LoadOptions;
  #pending = 0;
  #observing = false;
  #outageEndsAt = Infinity;

  constructor(options: LoadOptions) {
    this.#options = options;
  }

  /** Counts failures from now on. */
  observe(outageEndsAt: number): void {
    this.#observing = true;
    this.#outageEndsAt = outageEndsAt;
  }

  /** Makes calls until a condition holds. */
  async run(isDone: () => boolean): Promise<void> {
    while (!isDone()) {
      void this.#call();
      await this.#step();
    }
  }

  /** Makes no calls any more, and waits for those that are on their way. */
  async drain(): Promise<void> {
    for (let waited = 0; this.#pending > 0 && waited <= callDeadlineMs; waited += this.#options.intervalMs) {
      await this.#step();
    }
    this.failed += this.#pending;
  }

  async #step(): Promise<void> {
    await settle();
    await this.#options.pass(this.#options.intervalMs);
  }

  async #call(): Promise<void> {
    const startedAt = Date.now();
    const wasValid = this.#options.server.hasValidToken();
    const counts = this.#observing;
    this.#pending += 1;
    const token = await this.#getToken();
    this.#pending -= 1;
    const now = Date.now();
    if (token !== undefined && now < token.expiresAt && now - startedAt <= callDeadlineMs) {
      this.served += 1;
      if (token.issuedAt >= this.#outageEndsAt) this.freshAt ??= now;
    } else if (counts) {
      this.failed += 1;
      if (wasValid) this.failedThoughValid += 1;
    }
  }

  async #getToken(): Promise<IssuedToken | undefined> {
    const { server, getToken } = this.#options;
    try {
      return server.find(await getToken());
    } catch {
      return undefined;
    }
  }
}
