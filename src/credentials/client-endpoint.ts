// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import type { Configuration, ServerMetadata } from "openid-client";
import { configureRequest, discover, isConfidential } from "../discovery/discovery.js";
import { DiscoveryError } from "../discovery/discovery-failure.js";
import type { Clock } from "../platform/clock.js";
import type { Provider } from "../providers/provider.js";
import { ClientRequestFailure, type EndpointName, toClientRequestFailure } from "./client-request-failure.js";
import type { ClientAuthentication, Credential } from "./credential.js";
import { CredentialError } from "./credential-error.js";
import { type Exchange, quotesCredential, recordExchange } from "./exchange.js";

/** An endpoint of the authorization server, and a client that authenticates at it. */
export interface ClientEndpoint {
  /** Fetches the metadata now unless they are known. Throws a DiscoveryError. */
  load(): Promise<ServerMetadata>;
  /**
   * Makes one request, and once more if the credential was refused and is another one now. Throws a ClientRequestFailure.
   */
  request<T>(send: SendRequest<T>): Promise<T>;
}

/** Makes a request of openid-client. What it throws, but for a ClientRequestFailure, is told from the exchange. */
export type SendRequest<T> = (configuration: Configuration, exchange: Exchange) => Promise<T>;

/** What the endpoint needs. */
export interface ClientEndpointOptions {
  readonly endpoint: EndpointName;
  /** Where the endpoint is, for metadata that do not say so. By default, where the metadata say. */
  readonly location?: string | undefined;
  readonly issuer: string;
  readonly clientId: string;
  readonly credential: Credential;
  readonly provider: Provider;
  readonly timeoutMs: number;
  readonly fetch: typeof fetch;
  readonly clock: Clock;
  /**
   * Whether errors say more of an answer that refuses than a code of RFC 6749, as far as that has nothing of the
   * credential in it.
   */
  readonly showsAnswers: boolean;
}

/** Creates a client endpoint. Discovery runs when it is needed first, once; after a failure, with the next request. */
export function createClientEndpoint(options: ClientEndpointOptions): ClientEndpoint {
  const { credential } = options;
  let metadata: Promise<ServerMetadata> | undefined;

  function load(): Promise<ServerMetadata> {
    metadata ??= discoverEndpoint(options).catch((error: unknown) => {
      metadata = undefined;
      throw error;
    });
    return metadata;
  }

  return {
    load,
    async request(send) {
      const server = await load().catch(failDiscovery);
      const authentication = await authenticate(options, server);
      try {
        return await sendRequest(options, server, authentication, send);
      } catch (error) {
        // The credential may have been rotated since it was read.
        const isRejected = error instanceof ClientRequestFailure && error.oauthError === "invalid_client";
        if (!isRejected || !(await credential.renew(authentication))) throw error;
        return await sendRequest(options, server, await authenticate(options, server), send);
      }
    },
  };
}

async function discoverEndpoint(options: ClientEndpointOptions): Promise<ServerMetadata> {
  const { issuer, endpoint, credential, location: configured } = options;
  const name = `${endpoint}_endpoint` as const;
  const metadata = { ...(await discover(options)), ...(configured === undefined ? {} : { [name]: configured }) };
  const alias = usesAlias(credential) ? metadata.mtls_endpoint_aliases?.[name] : undefined;
  for (const location of [metadata[name], ...(alias === undefined ? [] : [alias])]) {
    if (location === undefined || !URL.canParse(location)) {
      throw new DiscoveryError("refused", `the metadata of ${issuer} names no ${name}`);
    }
    if (!isConfidential(new URL(location)) || isDowngrade(issuer, location)) {
      throw new DiscoveryError("refused", `the metadata of ${issuer} has its ${name} without TLS`);
    }
  }
  return metadata;
}

// An issuer with TLS is asked with TLS only, even on loopback.
function isDowngrade(issuer: string, location: string): boolean {
  return new URL(issuer).protocol === "https:" && new URL(location).protocol === "http:";
}

function failDiscovery(error: unknown): never {
  if (!(error instanceof DiscoveryError)) throw error;
  const kind = error.kind === "refused" ? "refused" : "unavailable";
  throw new ClientRequestFailure(kind, error.message, { retryAfterMs: error.retryAfterMs });
}

// A client that authenticates by its certificate goes where the server asks for one (RFC 8705 §5).
function usesAlias({ method }: Credential): boolean {
  return method === "tls_client_auth";
}

async function sendRequest<T>(
  options: ClientEndpointOptions,
  server: ServerMetadata,
  authentication: ClientAuthentication,
  send: SendRequest<T>,
): Promise<T> {
  const { endpoint, clientId, timeoutMs, credential, clock, showsAnswers } = options;
  const exchange: Exchange = {};
  const configuration = await configureRequest({
    server,
    clientId,
    authentication: authentication.clientAuth,
    metadata: usesAlias(credential) ? { use_mtls_endpoint_aliases: true } : {},
    timeoutMs,
    fetch: recordExchange(authentication.fetch ?? options.fetch, exchange),
  });
  try {
    return await send(configuration, exchange);
  } catch (error) {
    if (error instanceof ClientRequestFailure) throw error;
    const isSecret = (text: string): boolean => !showsAnswers || quotesCredential(text, exchange, credential);
    throw toClientRequestFailure(endpoint, error, exchange, isSecret, clock);
  }
}

async function authenticate(options: ClientEndpointOptions, server: ServerMetadata): Promise<ClientAuthentication> {
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
    throw new ClientRequestFailure(error.kind, error.message);
  }
}
