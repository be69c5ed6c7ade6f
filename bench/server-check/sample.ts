// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

/** What one cell showed in one round. */
export interface Sample {
  readonly callsPerSecond: number;
  /** CPU time of the server process, its helper threads included. */
  readonly serverMicrosecondsPerCall: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

/** The samples of a cell, one for each round. */
export type Epoch = Readonly<Record<string, readonly Sample[]>>;
