// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { type ClientEndpointOptions, createClientEndpoint } from "../credentials/client-endpoint.js";
import { ClientRequestFailure } from "../credentials/client-request-failure.js";
import type { Exchange } from "../credentials/exchange.js";
import type { Clock } from "../platform/clock.js";
import { AccessToken } from "./access-token.js";
import { type TokenAnswer, tokenExpiry } from "./token-lifetime.js";

/** Asks one authorization server for tokens, as one client. */
export interface TokenEndpoint {
  /** Sends one token request (RFC 6749 §4.4), its form without client authentication. Throws a ClientRequestFailure. */
  request(form: URLSearchParams): Promise<IssuedToken>;
}

/** A token, and what the answer says beside it. */
export interface IssuedToken {
  readonly token: AccessToken;
  /** The granted scopes, if the answer names them (RFC 6749 §5.1). */
  readonly scope: string | undefined;
}

/** What a token endpoint needs to know. */
export type TokenEndpointOptions = Omit<ClientEndpointOptions, "endpoint" | "showsAnswers">;

/** Creates a token endpoint. Discovery runs with the first request, once; after a failure, with the next one. */
export function createTokenEndpoint(options: TokenEndpointOptions): TokenEndpoint {
  const { clock } = options;
  const endpoint = createClientEndpoint({ ...options, endpoint: "token", showsAnswers: true });
  return {
    async request(form) {
      const client = await import("openid-client");
      return await endpoint.request(async (configuration, exchange) => {
        const sentAt = clock.now();
        const answer = await client.clientCredentialsGrant(configuration, form).catch(failOtherType(exchange));
        return { token: toAccessToken(answer, sentAt, clock), scope: answer.scope };
      });
    },
  };
}

// The same code says that a credential cannot be used; then nothing was answered.
function failOtherType(exchange: Exchange): (error: unknown) => never {
  return (error) => {
    const { code } = (error ?? {}) as { code?: unknown };
    throw code === "OAUTH_UNSUPPORTED_OPERATION" && exchange.response !== undefined ? noBearerToken() : error;
  };
}

function noBearerToken(): ClientRequestFailure {
  return new ClientRequestFailure("refused", "the token endpoint answered with a token that is no bearer token");
}

// Headers and gRPC metadata quote a value that they do not take in their errors.
const visibleAscii = /^[\x21-\x7e]+$/;

interface FullAnswer extends TokenAnswer {
  readonly token_type: string;
  readonly scope?: string;
  /** Seconds after which the authorization server would like to be asked again; sent by Entra ID. */
  readonly refresh_in?: unknown;
}

function toAccessToken(answer: FullAnswer, sentAt: number, clock: Clock): AccessToken {
  if (answer.token_type !== "bearer") throw noBearerToken();
  if (!visibleAscii.test(answer.access_token)) {
    throw new ClientRequestFailure("refused", "the token endpoint answered with a token that no header can carry");
  }
  const expiresAt = tokenExpiry(answer, sentAt, clock.now());
  return new AccessToken(answer.access_token, sentAt, expiresAt, refreshAt(answer.refresh_in, sentAt, expiresAt));
}

function refreshAt(seconds: unknown, sentAt: number, expiresAt: number): number | undefined {
  const ms = Number(seconds) * 1000;
  return ms > 0 && sentAt + ms < expiresAt ? sentAt + ms : undefined;
}
