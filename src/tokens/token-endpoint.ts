// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import type { Configuration, DPoPHandle } from "openid-client";
import { type ClientEndpointOptions, createClientEndpoint } from "../credentials/client-endpoint.js";
import { ClientRequestFailure } from "../credentials/client-request-failure.js";
import type { Exchange } from "../credentials/exchange.js";
import { AccessToken } from "./access-token.js";
import { bindToken, unusableTokenType } from "./dpop/bind-token.js";
import type { DpopSettings } from "./dpop/dpop-options.js";
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
export interface TokenEndpointOptions extends Omit<ClientEndpointOptions, "endpoint" | "showsAnswers"> {
  /** By default, bearer tokens are asked for. */
  readonly dpop?: DpopSettings | undefined;
}

/** Creates a token endpoint. Discovery runs with the first request, once; after a failure, with the next one. */
export function createTokenEndpoint(options: TokenEndpointOptions): TokenEndpoint {
  const { clock } = options;
  const endpoint = createClientEndpoint({ ...options, endpoint: "token", showsAnswers: true });
  const prove = createProver(options);
  return {
    async request(form) {
      const client = await import("openid-client");
      return await endpoint.request(async (configuration, exchange) => {
        const sentAt = clock.now();
        const proof = await prove(configuration);
        const grant = client.clientCredentialsGrant(configuration, form, proof);
        const answer = await grant.catch(failOtherType(exchange));
        return { token: toAccessToken(answer, sentAt, options), scope: answer.scope };
      });
    },
  };
}

type Prover = (configuration: Configuration) => Promise<{ readonly DPoP?: DPoPHandle }>;

// openid-client makes the proofs of token requests, keeps the nonces of the authorization server, and sends a request once
// more if it wants one (RFC 9449 §8).
function createProver({ dpop, clock }: TokenEndpointOptions): Prover {
  if (dpop === undefined) return async () => ({});
  let handle: DPoPHandle | undefined;
  return async (configuration) => {
    const client = await import("openid-client");
    handle ??= client.getDPoPHandle(configuration, await dpop.binder.key.pair(), {
      [client.modifyAssertion]: (_header, payload) => {
        payload["iat"] = Math.floor(clock.now() / 1000);
      },
    });
    return { DPoP: handle };
  };
}

// The same code says that a credential cannot be used; then nothing was answered.
function failOtherType(exchange: Exchange): (error: unknown) => never {
  return (error) => {
    const { code } = (error ?? {}) as { code?: unknown };
    throw code === "OAUTH_UNSUPPORTED_OPERATION" && exchange.response !== undefined ? unusableTokenType() : error;
  };
}

// Headers and gRPC metadata quote a value that they do not take in their errors.
const visibleAscii = /^[\x21-\x7e]+$/;

interface FullAnswer extends TokenAnswer {
  readonly token_type: string;
  readonly scope?: string;
  /** Seconds after which the authorization server would like to be asked again; sent by Entra ID. */
  readonly refresh_in?: unknown;
}

function toAccessToken(answer: FullAnswer, sentAt: number, { dpop, clock }: TokenEndpointOptions): AccessToken {
  const { access_token: value } = answer;
  const binding = bindToken(answer, dpop);
  if (!visibleAscii.test(value)) {
    throw new ClientRequestFailure("refused", "the token endpoint answered with a token that no header can carry");
  }
  const expiresAt = tokenExpiry(answer, sentAt, clock.now());
  const refreshedAt = refreshAt(answer.refresh_in, sentAt, expiresAt);
  return new AccessToken(value, sentAt, expiresAt, { refreshAt: refreshedAt, dpop: binding });
}

function refreshAt(seconds: unknown, sentAt: number, expiresAt: number): number | undefined {
  const ms = Number(seconds) * 1000;
  return ms > 0 && sentAt + ms < expiresAt ? sentAt + ms : undefined;
}
