// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import type { Adapter, AdapterConstructor, AdapterPayload } from "oidc-provider";

const maxEntries = 10_000;

interface Entry {
  readonly payload: AdapterPayload;
  readonly expiresAt: number;
}

/**
 * Creates a store for what has to be remembered: opaque tokens, for introspection, and ids of client assertions. It is
 * bounded, and gone with the process.
 */
export function createMemoryAdapter(): AdapterConstructor {
  const entries = new Map<string, Entry>();

  return class MemoryAdapter implements Adapter {
    readonly #model: string;

    constructor(model: string) {
      this.#model = model;
    }

    async upsert(id: string, payload: AdapterPayload, expiresIn?: number): Promise<void> {
      const expiresAt = expiresIn === undefined ? Infinity : Date.now() + expiresIn * 1000;
      entries.set(this.#key(id), { payload, expiresAt });
      const [oldest] = entries.keys();
      if (entries.size > maxEntries && oldest !== undefined) entries.delete(oldest);
    }

    async find(id: string): Promise<AdapterPayload | undefined> {
      const entry = entries.get(this.#key(id));
      return entry !== undefined && entry.expiresAt > Date.now() ? entry.payload : undefined;
    }

    async consume(id: string): Promise<void> {
      const entry = entries.get(this.#key(id));
      if (entry !== undefined) entry.payload.consumed = Math.floor(Date.now() / 1000);
    }

    async destroy(id: string): Promise<void> {
      entries.delete(this.#key(id));
    }

    // Users, sessions and grants belong to flows that are switched off.
    async findByUid(): Promise<undefined> {}
    async findByUserCode(): Promise<undefined> {}
    async revokeByGrantId(): Promise<void> {}

    #key(id: string): string {
      return `${this.#model}:${id}`;
    }
  };
}
