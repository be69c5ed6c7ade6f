// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

// Loaded on demand by meshauth: here before time stops.
import "openid-client";
import { clientSecret, createTokenSource } from "../../src/index.js";
import { type Peer, request } from "./peer.js";

/** This library, with its defaults. */
export const meshauth: Peer = {
  name: "meshauth",
  isRandom: true,
  connect(server, random) {
    const source = createTokenSource({
      issuer: server.issuer,
      clientId: request.clientId,
      credential: clientSecret(request.clientSecret),
      fetch: server.fetch,
      random,
    });
    const requirement = { audience: request.audience, scopes: [request.scope] };
    return () => {
      const token = source.get(requirement);
      return token instanceof Promise ? token.then(({ value }) => value) : token.value;
    };
  },
};
