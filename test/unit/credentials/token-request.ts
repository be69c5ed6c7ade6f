// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { clientCredentialsGrant } from "openid-client";
import type {
  ClientAuthentication,
  ClientAuthenticationContext,
  Credential,
} from "../../../src/credentials/credential.js";
import { configureRequest } from "../../../src/discovery/discovery.js";

/** What the token requests of these tests are about. */
export const context: ClientAuthenticationContext = {
  clientId: "order-service",
  issuer: "https://login.test",
  tokenEndpoint: "https://login.test/oauth/token",
  assertionAudience: "issuer",
};

/** A token request as it was sent. */
export interface SentRequest {
  readonly headers: Headers;
  readonly form: URLSearchParams;
  readonly authentication: ClientAuthentication;
}

/** Sends the token request of a client with this credential, to nobody. */
export async function requestWith(
  credential: Credential,
  changes: Partial<ClientAuthenticationContext> = {},
): Promise<SentRequest> {
  const about = { ...context, ...changes };
  const authentication = await credential.authenticate(about);
  let init: RequestInit = {};
  const configuration = await configureRequest({
    server: { issuer: about.issuer, token_endpoint: about.tokenEndpoint },
    clientId: about.clientId,
    authentication: authentication.clientAuth,
    timeoutMs: 1000,
    fetch: async (_, sent = {}) => {
      init = sent;
      return Response.json({ access_token: "token", token_type: "Bearer", expires_in: 300 });
    },
  });
  await clientCredentialsGrant(configuration);
  return {
    headers: new Headers(init.headers),
    form: new URLSearchParams(init.body as URLSearchParams),
    authentication,
  };
}

/** The secret that a token request carried in its header. */
export function basicSecret({ headers }: SentRequest): string {
  const [, secret = ""] = atob(headers.get("authorization")?.replace("Basic ", "") ?? "").split(":");
  return decodeURIComponent(secret.replaceAll("+", " "));
}
