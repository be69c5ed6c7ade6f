// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import type Provider from "oidc-provider";
import type { Adapter, AdapterConstructor, AdapterFactory, ClientMetadata } from "oidc-provider";

/** Clients of oidc-provider whose credentials change while it runs. */
export interface ReplaceableClients {
  /** Puts a client in place of what it was. It may use any of these secrets, if it uses one. */
  set(clientId: string, metadata: ClientMetadata, secrets: readonly string[]): void;
  /** Finds clients here, and everything else in another store. */
  adapter(others: AdapterConstructor): AdapterFactory;
  /** Lets a provider accept more than one secret. */
  install(provider: Provider): void;
}

/** Creates an empty set of clients. */
export function createReplaceableClients(): ReplaceableClients {
  const clients = new Map<string, { readonly metadata: ClientMetadata; readonly secrets: readonly string[] }>();
  return {
    set: (clientId, metadata, secrets) => void clients.set(clientId, { metadata, secrets }),
    adapter: (Others) => (model) => {
      const others: Adapter = new Others(model);
      if (model === "Client") others.find = async (clientId) => clients.get(clientId)?.metadata;
      return others;
    },
    install(provider) {
      // In memory and on loopback: how long the comparison takes tells nobody anything.
      provider.Client.prototype.compareClientSecret = function (actual) {
        return clients.get(this.clientId)?.secrets.includes(actual) ?? false;
      };
    },
  };
}
