// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { createSeededRandom } from "../lib/seeded-random.js";
import { type Client, secondRequestMs } from "./experiment.js";

/** When an outage begins, in milliseconds since the client got its first token. */
export interface Moment {
  readonly seed: number;
  readonly beginsAtMs: number;
}

const repetitions = 5;

/** Just before this client would ask for its second token: each client has a worst moment of its own. */
export async function worstMoments(client: Omit<Client, "seed">): Promise<Moment[]> {
  const moments: Moment[] = [];
  for (let seed = 1; seed <= (client.peer.isRandom === true ? repetitions : 1); seed += 1) {
    moments.push({ seed, beginsAtMs: (await secondRequestMs({ ...client, seed })) - 1 });
  }
  return moments;
}

/** One moment at random in each fifth of a token's lifetime: the same ones for every client. */
export function randomMoments(lifetimeSeconds: number): Moment[] {
  const random = createSeededRandom(20260101);
  return Array.from({ length: repetitions }, (_, fifth) => ({
    seed: fifth + 1,
    beginsAtMs: Math.floor(((fifth + random()) / repetitions) * lifetimeSeconds * 1000),
  }));
}
