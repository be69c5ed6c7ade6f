// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import type { Clock, DecisionEvent } from "../../src/index.js";

/** What every service of the example takes. */
export interface ServiceOptions {
  /** The issuer whose tokens it accepts, and which it asks for its own. */
  readonly issuer: string;
  /** Port on 127.0.0.1; 0 takes a free one. */
  readonly port: number;
  /** Is told of every decision. By default, nobody is. */
  readonly onDecision?: ((event: DecisionEvent) => void) | undefined;
  /** The time by which tokens are judged. By default, the machine's. */
  readonly clock?: Clock | undefined;
}

/** A service that listens. */
export interface RunningService {
  /** "127.0.0.1:8081" */
  readonly address: string;
  /** Stops listening, and ends what is under way. */
  close(): Promise<void>;
}
