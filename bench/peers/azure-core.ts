// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import {
  bearerTokenAuthenticationPolicy,
  createHttpHeaders,
  createPipelineRequest,
  type PipelineResponse,
} from "@azure/core-rest-pipeline";
import type { AuthorizationServer } from "../lib/authorization-server.js";
import { type Peer, request } from "./peer.js";

/** The token cache of Azure's own clients: the bearer token policy of `@azure/core-rest-pipeline`. */
export const azureCore: Peer = {
  name: "@azure/core-rest-pipeline",
  connect(server) {
    const policy = bearerTokenAuthenticationPolicy({
      credential: { getToken: () => requestToken(server) },
      scopes: `${request.audience}/.default`,
    });
    return async () => {
      const call = createPipelineRequest({ url: "https://payment.test/charge" });
      await policy.sendRequest(call, answer);
      return (call.headers.get("authorization") ?? "").replace("Bearer ", "");
    };
  },
};

async function answer(call: PipelineResponse["request"]): Promise<PipelineResponse> {
  return { request: call, status: 200, headers: createHttpHeaders() };
}

async function requestToken(server: AuthorizationServer): Promise<{ token: string; expiresOnTimestamp: number }> {
  const response = await server.fetch(server.tokenEndpoint, { method: "POST" });
  if (!response.ok) throw new Error(`the token endpoint answered with HTTP ${response.status}`);
  const body = (await response.json()) as { access_token: string; expires_in: number };
  return { token: body.access_token, expiresOnTimestamp: Date.now() + body.expires_in * 1000 };
}
