// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { randomBytes } from "node:crypto";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { exportJWK, generateKeyPair, type JWK } from "jose";
import Provider, { type ClientMetadata, type Configuration, errors, type KoaContextWithOIDC } from "oidc-provider";
import type { Mesh, MeshClient } from "../../src/index.js";
import { createMemoryAdapter } from "./memory-adapter.js";
import { createReplaceableClients, type ReplaceableClients } from "./replaceable-clients.js";

/** Options of startAuthorizationServer(). */
export interface AuthorizationServerOptions {
  /** Who may ask for what. */
  readonly mesh: Mesh;
  /** Port on 127.0.0.1; 0 takes a free one. */
  readonly port: number;
  /** What it calls itself, where that is not its address: it stands behind a proxy. By default, its address. */
  readonly issuer?: string;
  /** Lifetime of access tokens in seconds. By default, 300. */
  readonly lifetimeSeconds?: number;
  /** How clients authenticate. By default, client_secret_basic with the development secret. */
  readonly clients?: ReadonlyMap<string, ClientRegistration>;
  /** Audiences whose tokens are opaque; they can be introspected and revoked. By default, all tokens are JWTs. */
  readonly opaque?: readonly string[];
  /** Whether DPoP proofs need a nonce (RFC 9449 §8). By default, not. */
  readonly requireDpopNonce?: boolean;
  /** Whether credentials can be replaced while it runs. By default, not. */
  readonly replaceable?: boolean;
}

/** How one client authenticates. */
export type ClientRegistration =
  | { readonly method: "client_secret_basic" | "client_secret_post"; readonly secret: string }
  | { readonly method: "private_key_jwt"; readonly publicKey: JWK };

/** A running authorization server. */
export interface AuthorizationServer {
  readonly issuer: string;
  /** Where it listens. */
  readonly url: string;
  /**
   * From now on, the client authenticates by any of these, all of the same method, and by nothing else: by the new one,
   * and by the old one while they overlap. Throws an Error unless the option `replaceable` is set.
   */
  replaceCredential(clientId: string, ...accepted: [ClientRegistration, ...ClientRegistration[]]): void;
  close(): Promise<void>;
}

/** The secret of a client in development. It is no secret: the server listens on loopback only. */
export function developmentSecret(clientId: string): string {
  return `${clientId}-secret`;
}

/**
 * Starts an authorization server on loopback: client credentials (RFC 6749 §4.4), resource indicators (RFC 8707), JWT
 * access tokens (RFC 9068) signed with ES256, opaque ones without a resource or where it is told to, DPoP (RFC 9449),
 * introspection (RFC 7662), and with opaque tokens revocation (RFC 7009).
 */
export async function startAuthorizationServer(options: AuthorizationServerOptions): Promise<AuthorizationServer> {
  const server = createServer();
  const { port } = await listen(server, options.port);
  const url = `http://127.0.0.1:${port}`;
  const { issuer = url } = options;
  const replaceable = options.replaceable === true ? createReplaceableClients() : undefined;
  const provider = new Provider(issuer, await createConfiguration(options, replaceable));
  replaceable?.install(provider);
  server.on("request", provider.callback());
  return {
    issuer,
    url,
    replaceCredential(clientId, ...accepted) {
      if (replaceable === undefined) throw new Error("credentials can be replaced with the option replaceable only");
      replaceable.set(clientId, registerClient(clientId, accepted), secretsOf(accepted));
    },
    close: () => close(server),
  };
}

async function createConfiguration(
  options: AuthorizationServerOptions,
  replaceable: ReplaceableClients | undefined,
): Promise<Configuration> {
  const { mesh, lifetimeSeconds = 300, opaque = [] } = options;
  const registrations = options.clients ?? new Map<string, ClientRegistration>();
  const clients = [...mesh.clients.keys()].map((clientId) => {
    const accepted = [registrations.get(clientId) ?? developmentRegistration(clientId)] as const;
    const metadata = registerClient(clientId, accepted);
    replaceable?.set(clientId, metadata, secretsOf(accepted));
    return metadata;
  });
  const adapter = createMemoryAdapter();
  return {
    adapter: replaceable?.adapter(adapter) ?? adapter,
    clients: replaceable === undefined ? clients : [],
    jwks: { keys: [await createSigningKey()] },
    scopes: [...mesh.audiences.values()].flat(),
    responseTypes: [],
    clientAuthMethods: ["client_secret_basic", "client_secret_post", "private_key_jwt"],
    ttl: { ClientCredentials: lifetimeSeconds },
    features: {
      devInteractions: { enabled: false },
      clientCredentials: { enabled: true },
      introspection: { enabled: true, allowedPolicy: () => true },
      revocation: {
        enabled: opaque.length > 0,
        allowedPolicy: (_ctx, client, token) => token.clientId === client.clientId,
      },
      // Tokens are bound to a key for clients that prove one.
      dPoP: {
        enabled: true,
        ...(options.requireDpopNonce === true && { nonceSecret: randomBytes(32), requireNonce: () => true }),
      },
      userinfo: { enabled: false },
      rpInitiatedLogout: { enabled: false },
      resourceIndicators: {
        enabled: true,
        // Without a resource the token is opaque; it can be introspected.
        defaultResource: () => [],
        getResourceServerInfo: (ctx, resource, client) => {
          const known = mesh.audiences.get(resource);
          if (known === undefined) throw new errors.InvalidTarget(`${resource} is no audience of this mesh`);
          assertGranted(ctx, mesh.clients.get(client.clientId), resource);
          return {
            scope: known.join(" "),
            audience: resource,
            accessTokenTTL: lifetimeSeconds,
            accessTokenFormat: opaque.includes(resource) ? "opaque" : "jwt",
            // 40 % smaller than RS256.
            jwt: { sign: { alg: "ES256" } },
          };
        },
      },
    },
  };
}

// oidc-provider drops a scope that it does not grant and answers with less. Here a client hears of it at once
// (RFC 6749 §5.2, invalid_scope).
function assertGranted(ctx: KoaContextWithOIDC, client: MeshClient | undefined, resource: string): void {
  const requested = typeof ctx.oidc.params?.["scope"] === "string" ? ctx.oidc.params["scope"].split(" ") : [];
  const granted = client?.grants.get(resource) ?? [];
  const refused = requested.filter((scope) => scope !== "" && !granted.includes(scope));
  if (refused.length > 0) {
    throw new errors.InvalidScope(`not granted to this client at ${resource}`, refused.join(" "));
  }
}

function developmentRegistration(clientId: string): ClientRegistration {
  return { method: "client_secret_basic", secret: developmentSecret(clientId) };
}

/** Registers a client with everything that it may authenticate by; the first one is the newest. */
function registerClient(
  clientId: string,
  accepted: readonly [ClientRegistration, ...ClientRegistration[]],
): ClientMetadata {
  const [secret] = secretsOf(accepted);
  const keys = accepted.flatMap((each) => ("publicKey" in each ? [each.publicKey] : []));
  return {
    client_id: clientId,
    grant_types: ["client_credentials"],
    response_types: [],
    redirect_uris: [],
    id_token_signed_response_alg: "ES256",
    token_endpoint_auth_method: accepted[0].method,
    ...(secret === undefined ? {} : { client_secret: secret }),
    ...(keys.length === 0 ? {} : { jwks: { keys } }),
  };
}

function secretsOf(accepted: readonly ClientRegistration[]): string[] {
  return accepted.flatMap((each) => ("secret" in each ? [each.secret] : []));
}

async function createSigningKey(): Promise<JWK> {
  const { privateKey } = await generateKeyPair("ES256", { extractable: true });
  return { ...(await exportJWK(privateKey)), alg: "ES256", use: "sig" };
}

function listen(server: Server, port: number): Promise<AddressInfo> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, "127.0.0.1", () => {
      server.off("error", reject);
      resolve(server.address() as AddressInfo);
    });
  });
}

function close(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}
