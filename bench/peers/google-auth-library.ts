// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { generateKeyPairSync } from "node:crypto";
import { JWT } from "google-auth-library";
import { type Peer, request } from "./peer.js";

/** `google-auth-library`: its client for services, which exchanges a signed JWT for an access token (RFC 7523). */
export const googleAuthLibrary: Peer = createPeer("google-auth-library");

/** The same, told to refresh 60 s before the expiry instead of 300 s. */
export const googleAuthLibrary60: Peer = createPeer("google-auth-library, threshold 60 s", 60_000);

function createPeer(name: string, eagerRefreshThresholdMillis?: number): Peer {
  return {
    name,
    connect(server) {
      const client = new JWT({
        email: `${request.clientId}@example.iam.gserviceaccount.com`,
        key: key(),
        scopes: [request.scope],
        // It knows Google's address only.
        transporterOptions: { fetchImplementation: () => server.fetch(server.tokenEndpoint) },
        ...(eagerRefreshThresholdMillis === undefined ? {} : { eagerRefreshThresholdMillis }),
      });
      return async () => {
        const { token } = await client.getAccessToken();
        if (typeof token !== "string") throw new Error("no token");
        return token;
      };
    },
  };
}

let cachedKey: string | undefined;

function key(): string {
  cachedKey ??= generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey.export({
    type: "pkcs8",
    format: "pem",
  }) as string;
  return cachedKey;
}
