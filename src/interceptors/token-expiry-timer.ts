// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import type { Clock } from "../platform/clock.js";

/** Ends what a stream waits for when the stream's token expires. */
export class TokenExpiryTimer {
  readonly #controller = new AbortController();
  readonly #cancel: () => void;
  readonly #waits = new Set<(error: Error) => void>();

  constructor(clock: Clock, expiresAt: number, toError: () => Error) {
    this.#cancel = clock.schedule(expiresAt - clock.now(), () => {
      const error = toError();
      this.#controller.abort(error);
      for (const end of this.#waits) end(error);
    });
  }

  /** Aborted with the error once the token has expired. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Whether the token has expired. */
  get expired(): boolean {
    return this.signal.aborted;
  }

  /**
   * Waits for a promise, but not beyond the expiry. Unlike with Promise.race(), nothing is left behind for each message of
   * a long stream.
   */
  race<T>(promise: Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      if (this.expired) reject(this.signal.reason);
      this.#waits.add(reject);
      promise.then(resolve, reject).finally(() => this.#waits.delete(reject));
    });
  }

  /** Stops the timer; nothing expires any more. */
  stop(): void {
    this.#cancel();
    this.#waits.clear();
  }
}
