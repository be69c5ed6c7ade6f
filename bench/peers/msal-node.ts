// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { ConfidentialClientApplication, type INetworkModule, ProtocolMode } from "@azure/msal-node";
import type { AuthorizationServer } from "../lib/authorization-server.js";
import { type Peer, request } from "./peer.js";

/** `@azure/msal-node`, asked for a token with each call, as its documentation says. */
export const msalNode: Peer = { name: "@azure/msal-node", connect };

/** The same, with an authorization server that sends `refresh_in`, as Entra ID does for long-lived tokens. */
export const msalNodeRefreshIn: Peer = { name: "@azure/msal-node, refresh_in L/2", refreshIn: 0.5, connect };

function connect(server: AuthorizationServer): () => Promise<string> {
  const { clientId, clientSecret, audience } = request;
  const application = new ConfidentialClientApplication({
    auth: {
      clientId,
      clientSecret,
      authority: server.issuer,
      knownAuthorities: [new URL(server.issuer).host],
    },
    system: { protocolMode: ProtocolMode.OIDC, networkClient: networkModule(server) },
  });
  return async () => {
    const result = await application.acquireTokenByClientCredential({ scopes: [`${audience}/.default`] });
    if (result === null) throw new Error("no token");
    return result.accessToken;
  };
}

function networkModule(server: AuthorizationServer): INetworkModule {
  const send = async <T>(url: string): Promise<{ headers: Record<string, string>; body: T; status: number }> => {
    const response = await server.fetch(url);
    const body = (await response.json()) as T;
    return { headers: Object.fromEntries(response.headers), body, status: response.status };
  };
  return { sendGetRequestAsync: send, sendPostRequestAsync: send };
}
