// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { EventEmitter, on } from "node:events";

/** Tells everybody who listens. */
export class Topic<T> {
  readonly #events = new EventEmitter().setMaxListeners(0);

  publish(value: T): void {
    this.#events.emit("value", value);
  }

  /** Everything that is published from now on, until the signal is aborted. */
  subscribe(signal: AbortSignal): AsyncIterable<T> {
    // Listening starts here, not when the first value is asked for: nothing published in between is missed.
    const events = signal.aborted ? undefined : on(this.#events, "value", { signal });
    return values(events, signal);
  }
}

async function* values<T>(events: AsyncIterable<unknown[]> | undefined, signal: AbortSignal): AsyncGenerator<T> {
  if (events === undefined) return;
  try {
    for await (const [value] of events) yield value as T;
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}
