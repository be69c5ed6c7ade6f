// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { ArticleTokenManager } from "./article-cache.js";
import { type Peer, request } from "./peer.js";

/** The token cache of the article that this project starts from. */
export const article: Peer = {
  name: "article's cache",
  connect(server) {
    const { clientId, clientSecret, scope, audience } = request;
    const manager = new ArticleTokenManager({
      tokenUrl: server.tokenEndpoint,
      clientId,
      clientSecret,
      fetch: server.fetch,
    });
    return () => manager.getToken(scope, audience);
  },
};
