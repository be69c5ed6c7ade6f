// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import type { ClientAuth } from "openid-client";

/** How a client proves to the authorization server who it is. Made by clientSecret() and privateKeyJwt(). */
export interface Credential {
  /** The client authentication method, as registered at the authorization server. */
  readonly method: "client_secret_basic" | "client_secret_post" | "private_key_jwt";
  /** Creates what signs one token request. */
  authenticate(): Promise<ClientAuth>;
  /** Whether a text quotes the secret or a part of it, as it is or encoded for a URL, and so must not be shown. */
  isIn(text: string): boolean;
}

/** Options of clientSecret(). */
export interface ClientSecretOptions {
  /** Where the secret goes: into the header or the body of the token request. By default, "client_secret_basic". */
  readonly method?: "client_secret_basic" | "client_secret_post";
}

/** Authenticates with a client secret (RFC 6749 §2.3.1). Throws a TypeError if it is empty. */
export function clientSecret(secret: string, options: ClientSecretOptions = {}): Credential {
  if (typeof secret !== "string" || secret === "") throw new TypeError("the client secret is empty; set one");
  const method = options.method ?? "client_secret_basic";
  const forms = [secret, encodeURIComponent(secret), new URLSearchParams({ s: secret }).toString().slice(2)];
  return {
    method,
    async authenticate() {
      const client = await import("openid-client");
      return method === "client_secret_post" ? client.ClientSecretPost(secret) : client.ClientSecretBasic(secret);
    },
    isIn: (text) => forms.some((form) => quotes(text, form)),
  };
}

const quoteLength = 8;

/** Whether a text contains a secret, or as much as eight characters of it in a row. */
export function quotes(text: string, secret: string): boolean {
  for (let start = 0; start === 0 || start + quoteLength <= secret.length; start += 1) {
    if (text.includes(secret.slice(start, start + quoteLength))) return true;
  }
  return false;
}

/** Options of privateKeyJwt(). */
export interface PrivateKeyJwtOptions {
  /** The key id of the registered public key, sent as `kid`. By default, none. */
  readonly keyId?: string;
}

/** Authenticates with a JWT that a private key signs (RFC 7523 §2.2). The key needs the usage "sign". */
export function privateKeyJwt(key: CryptoKey, options: PrivateKeyJwtOptions = {}): Credential {
  return {
    method: "private_key_jwt",
    async authenticate() {
      const client = await import("openid-client");
      return client.PrivateKeyJwt(options.keyId === undefined ? key : { key, kid: options.keyId });
    },
    isIn: () => false,
  };
}
