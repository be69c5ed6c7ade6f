// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import type { Configuration, DPoPHandle, ServerMetadata } from "openid-client";
import { configureRequest, discover, isConfidential } from "../discovery/discovery.js";
import { DiscoveryError } from "../discovery/discovery-failure.js";
import type { Clock } from "../platform/clock.js";
import type { Provider } from "../providers/provider.js";
import { AccessToken } from "./access-token.js";
import type { ClientAuthentication, Credential } from "./credentials/credential.js";
import { CredentialError } from "./credentials/credential-error.js";
import { bindToken } from "./dpop/bind-token.js";
import type { DpopSettings } from "./dpop/dpop-options.js";
import { type TokenAnswer, tokenExpiry } from "./token-lifetime.js";
import { type Exchange, TokenRequestFailure, toTokenRequestFailure } from "./token-request-failure.js";

/** Asks one authorization server for tokens, as one client. */
export interface TokenEndpoint {
  /** Sends one token request (RFC 6749 §4.4), its form without client authentication. Throws a TokenRequestFailure. */
  request(form: URLSearchParams): Promise<IssuedToken>;
}

/** A token, and what the answer says beside it. */
export interface IssuedToken {
  readonly token: AccessToken;
  /** The granted scopes, if the answer names them (RFC 6749 §5.1). */
  readonly scope: string | undefined;
}

/** What a token endpoint needs to know. */
export interface TokenEndpointOptions {
  readonly issuer: string;
  readonly clientId: string;
  readonly credential: Credential;
  readonly provider: Provider;
  /** By default, bearer tokens are asked for. */
  readonly dpop?: DpopSettings | undefined;
  readonly timeoutMs: number;
  readonly fetch: typeof fetch;
  readonly clock: Clock;
}

/** Creates a token endpoint. Discovery runs with the first request, once; after a failure, with the next one. */
export function createTokenEndpoint(options: TokenEndpointOptions): TokenEndpoint {
  let metadata: Promise<ServerMetadata> | undefined;
  const prove = createProver(options);
  const send = (...request: [ServerMetadata, URLSearchParams, ClientAuthentication]): Promise<IssuedToken> =>
    requestToken(options, prove, ...request);
  return {
    async request(form) {
      metadata ??= discoverTokenEndpoint(options).catch((error: unknown) => {
        metadata = undefined;
        throw error;
      });
      const server = await metadata;
      const authentication = await authenticate(options, server);
      try {
        return await send(server, form, authentication);
      } catch (error) {
        // The credential may have been rotated since it was read.
        const isRejected = error instanceof TokenRequestFailure && error.oauthError === "invalid_client";
        if (!isRejected || !(await options.credential.renew(authentication))) throw error;
        return await send(server, form, await authenticate(options, server));
      }
    },
  };
}

async function discoverTokenEndpoint(options: TokenEndpointOptions): Promise<ServerMetadata> {
  try {
    const metadata = await discover(options);
    const alias = usesAlias(options.credential) ? metadata.mtls_endpoint_aliases?.token_endpoint : undefined;
    for (const location of [metadata.token_endpoint, ...(alias === undefined ? [] : [alias])]) {
      if (location === undefined || !URL.canParse(location)) {
        throw new DiscoveryError("refused", `the metadata of ${options.issuer} names no token_endpoint`);
      }
      if (!isConfidential(new URL(location))) {
        throw new DiscoveryError("refused", `the metadata of ${options.issuer} names a token_endpoint without TLS`);
      }
    }
    return metadata;
  } catch (error) {
    if (!(error instanceof DiscoveryError)) throw error;
    const kind = error.kind === "refused" ? "refused" : "unavailable";
    throw new TokenRequestFailure(kind, error.message, undefined, error.retryAfterMs);
  }
}

// A client that authenticates by its certificate goes where the server asks for one (RFC 8705 §5).
function usesAlias({ method }: Credential): boolean {
  return method === "tls_client_auth";
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

async function requestToken(
  options: TokenEndpointOptions,
  prove: Prover,
  server: ServerMetadata,
  form: URLSearchParams,
  authentication: ClientAuthentication,
): Promise<IssuedToken> {
  const { clientId, timeoutMs, credential, clock } = options;
  const client = await import("openid-client");
  const exchange: Exchange = {};
  const configuration = await configureRequest({
    server,
    clientId,
    authentication: authentication.clientAuth,
    metadata: usesAlias(credential) ? { use_mtls_endpoint_aliases: true } : {},
    timeoutMs,
    fetch: recorded(authentication.fetch ?? options.fetch, exchange),
  });
  const sentAt = clock.now();
  try {
    const answer = await client.clientCredentialsGrant(configuration, form, await prove(configuration));
    return { token: toAccessToken(answer, sentAt, options), scope: answer.scope };
  } catch (error) {
    if (error instanceof TokenRequestFailure) throw error;
    throw toTokenRequestFailure(error, exchange, credential, clock);
  }
}

async function authenticate(options: TokenEndpointOptions, server: ServerMetadata): Promise<ClientAuthentication> {
  const { issuer, clientId, credential, provider } = options;
  try {
    return await credential.authenticate({
      clientId,
      issuer,
      tokenEndpoint: server.token_endpoint ?? issuer,
      assertionAudience: provider.assertionAudience,
    });
  } catch (error) {
    if (!(error instanceof CredentialError)) throw error;
    throw new TokenRequestFailure(error.kind, error.message);
  }
}

function recorded(send: typeof fetch, exchange: Exchange): typeof fetch {
  return async (input, init) => {
    exchange.request = init as NonNullable<Exchange["request"]>;
    exchange.response = await send(input, init);
    return exchange.response;
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
    throw new TokenRequestFailure("refused", "the token endpoint answered with a token that no header can carry");
  }
  const expiresAt = tokenExpiry(answer, sentAt, clock.now());
  const refreshedAt = refreshAt(answer.refresh_in, sentAt, expiresAt);
  return new AccessToken(value, sentAt, expiresAt, { refreshAt: refreshedAt, dpop: binding });
}

function refreshAt(seconds: unknown, sentAt: number, expiresAt: number): number | undefined {
  const ms = Number(seconds) * 1000;
  return ms > 0 && sentAt + ms < expiresAt ? sentAt + ms : undefined;
}
