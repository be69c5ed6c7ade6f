// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import type { ClientAuth } from "openid-client";

/** How a client proves to the authorization server who it is. */
export interface Credential {
  /** The client authentication method, as registered at the authorization server. */
  readonly method: "client_secret_basic" | "client_secret_post" | "private_key_jwt" | "tls_client_auth";
  /** Names the key, for telling token slots apart; never a secret. */
  readonly keyId?: string | undefined;
  /** Creates what authenticates one token request. */
  authenticate(context: ClientAuthenticationContext): Promise<ClientAuthentication>;
  /**
   * After the authorization server answered invalid_client: whether authenticate() would now use something that was not
   * refused. Called at most once per token request, with what authenticate() gave for it: other requests may have moved
   * on to something else by then.
   */
  renew(refused: ClientAuthentication): Promise<boolean>;
  /** Whether a text quotes the secret or a part of it, in any form, and so must not be shown. */
  isIn(text: string): boolean;
}

/** What a token request is about, as far as authentication depends on it. */
export interface ClientAuthenticationContext {
  readonly clientId: string;
  readonly issuer: string;
  readonly tokenEndpoint: string;
  /** What the authorization server takes as the `aud` of a client assertion. */
  readonly assertionAudience: "issuer" | "token_endpoint";
}

/** Authenticates one token request. */
export interface ClientAuthentication {
  readonly clientAuth: ClientAuth;
  /** Replaces fetch for this request, where the credential lives in the TLS connection. */
  readonly fetch?: typeof fetch;
}
