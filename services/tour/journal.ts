// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import type { DecisionEvent } from "../../src/index.js";

/** Every decision of the mesh's services, in order. */
export class Journal {
  readonly #events: DecisionEvent[] = [];

  add(event: DecisionEvent): void {
    this.#events.push(event);
    if (this.#events.length > 1000) this.#events.shift();
  }

  /** Takes out what was decided since the last time. */
  take(): DecisionEvent[] {
    return this.#events.splice(0);
  }
}
