// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import type { Agent } from "undici";
import { CredentialError } from "./credential-error.js";

/** What a connection presents, and what it trusts; PEM. */
export interface TlsMaterial {
  readonly certificate: string;
  readonly key: string;
  readonly ca: string | undefined;
}

/** Connections with client certificates. */
export interface TlsConnections {
  /** Returns a fetch that presents this certificate. Connections with others are closed as soon as they are idle. */
  use(material: TlsMaterial): Promise<typeof fetch>;
}

/** The connections that present one certificate. */
interface Pool {
  readonly agent: Agent;
  inFlight: number;
}

/** Creates a set of connections. None of them keeps the process alive. */
export function createTlsConnections(): TlsConnections {
  const pools = new Map<TlsMaterial, Pool>();
  let current: TlsMaterial | undefined;

  function closeOthers(): void {
    for (const [material, { agent, inFlight }] of pools) {
      if (material === current || inFlight > 0) continue;
      pools.delete(material);
      agent.close().catch(() => {});
    }
  }

  return {
    async use(material) {
      const undici = await loadUndici();
      current = material;
      closeOthers();
      const open = (): Pool => {
        const { certificate: cert, key, ca } = material;
        const connect = { cert, key, ...(ca === undefined ? {} : { ca }) };
        const pool = pools.get(material) ?? { agent: new undici.Agent({ connect }), inFlight: 0 };
        pools.set(material, pool);
        return pool;
      };
      const send = async (input: string, init: object): Promise<unknown> => {
        const pool = open();
        pool.inFlight += 1;
        try {
          return await undici.fetch(input, { ...init, dispatcher: pool.agent });
        } finally {
          pool.inFlight -= 1;
          closeOthers();
        }
      };
      // The same functions and classes, of another release than the ones in Node.js.
      return send as unknown as typeof fetch;
    },
  };
}

async function loadUndici(): Promise<typeof import("undici")> {
  try {
    return await import("undici");
  } catch {
    throw new CredentialError(
      "refused",
      "tlsClientAuth() needs the package undici, which is not installed; run: npm install undici@7",
    );
  }
}
