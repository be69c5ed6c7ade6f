// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import type { AuthorizationServer } from "../lib/authorization-server.js";

/** A library that hands out access tokens from a cache of its own. */
export interface Peer {
  readonly name: string;
  /** The share of a token's lifetime after which the authorization server recommends to refresh it, as `refresh_in`. */
  readonly refreshIn?: number;
  /** Whether chance decides when it asks: then it is measured several times. */
  readonly isRandom?: boolean;
  /** Creates a client, and returns what a call does to get its token. */
  connect(server: AuthorizationServer, random: () => number): () => string | Promise<string>;
}

/** What every client asks for. */
export const request = {
  clientId: "order-service",
  clientSecret: "a secret of the benchmark",
  audience: "payment-service",
  scope: "payments:write",
} as const;
