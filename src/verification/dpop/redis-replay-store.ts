// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { type Clock, systemClock } from "../../platform/clock.js";
import type { ReplayStore } from "./replay-store.js";

/** Options of createRedisReplayStore(). */
export interface RedisReplayStoreOptions {
  /**
   * Sends one command to Redis and returns its answer. With the package `redis`, `(args) => client.sendCommand([...args])`;
   * with `ioredis`, `([name = "", ...args]) => client.call(name, ...args)`.
   */
  readonly command: (args: readonly string[]) => Promise<unknown>;
  /** What its keys begin with. By default, "meshauth:dpop:". */
  readonly prefix?: string;
  /** How long an answer may take, in milliseconds. By default, 1,000. Clients of Redis wait for a lost server for long. */
  readonly timeoutMs?: number;
  /** The time. By default, the machine's. */
  readonly clock?: Clock;
}

/**
 * Creates a replay store in Redis 2.6.12 or later, or in what speaks its protocol, for servers with several replicas. Each
 * proof is one key that expires by itself. A call whose proof cannot be looked up is refused, so give Redis enough memory
 * and the policy `noeviction`: with another one, a full Redis forgets proofs before they expire.
 *
 * Throws a TypeError if an option is wrong.
 */
export function createRedisReplayStore(options: RedisReplayStoreOptions): ReplayStore {
  const { command, prefix = "meshauth:dpop:", timeoutMs = 1_000, clock = systemClock } = options;
  if (typeof command !== "function") throw new TypeError("command is missing; give what sends a command to Redis");
  if (!(timeoutMs > 0 && Number.isFinite(timeoutMs))) {
    throw new TypeError(`timeoutMs is ${timeoutMs}; give a number of milliseconds above 0`);
  }
  return {
    async add(id, ttlMs) {
      const args = ["SET", prefix + id, "1", "PX", String(Math.ceil(ttlMs)), "NX"];
      const answer = await within(timeoutMs, clock, () => command(args));
      if (answer === null) return "seen";
      // Some clients give simple strings as buffers.
      if (String(answer) === "OK") return "new";
      throw new Error("Redis answered with neither OK nor nil");
    },
  };
}

function within<T>(ms: number, clock: Clock, action: () => Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const cancel = clock.schedule(ms, () => reject(Object.assign(new Error("timed out"), { code: "ETIMEDOUT" })));
    new Promise<T>((settle) => settle(action())).finally(cancel).then(resolve, reject);
  });
}
