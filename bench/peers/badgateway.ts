// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { OAuth2Client, OAuth2Fetch } from "@badgateway/oauth2-client";
import { type Peer, request } from "./peer.js";

/** `@badgateway/oauth2-client`: the token that its fetch wrapper adds to a call. */
export const badgateway: Peer = {
  name: "@badgateway/oauth2-client",
  connect(server) {
    const { clientId, clientSecret, scope, audience } = request;
    const client = new OAuth2Client({
      server: server.issuer,
      tokenEndpoint: server.tokenEndpoint,
      clientId,
      clientSecret,
      fetch: server.fetch,
    });
    const wrapper = new OAuth2Fetch({
      client,
      getNewToken: () => client.clientCredentials({ scope: [scope], resource: audience }),
    });
    return () => wrapper.getAccessToken();
  },
};
