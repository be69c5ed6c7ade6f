// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { type Clock, systemClock } from "../platform/clock.js";
import { createCredential } from "./create-credential.js";
import type { Credential } from "./credential.js";
import { checkOption } from "./credential-error.js";
import { fileSource } from "./file-source.js";
import { quotesInAnyForm } from "./quotes.js";
import { Rotation } from "./rotation.js";
import { callbackSource, constantSource, environmentSource, type Source } from "./source.js";

/**
 * Where a client secret is: it itself, an environment variable, a file without the line breaks at its end, or whatever
 * a function returns. All but the first are read again for each token request.
 */
export type ClientSecretSource =
  | string
  | { readonly env: string }
  | { readonly file: string }
  | (() => string | Promise<string>);

/** Options of clientSecret(). */
export interface ClientSecretOptions {
  /** Where the secret goes: into the header or the body of the token request. By default, "client_secret_basic". */
  readonly method?: "client_secret_basic" | "client_secret_post";
  /** The time. By default, the machine's. */
  readonly clock?: Clock;
}

/**
 * Authenticates with a client secret (RFC 6749 §2.3.1).
 *
 * A secret that was replaced is used from the next token request on; a file, once it has been left alone for a second.
 * If the new one is refused, the one before it is tried, once, and the other way round: the secret can be changed here
 * and at the authorization server in any order. While a file is empty or gone, or a function fails, the last secret
 * stays in use.
 *
 * Throws a TypeError if the secret is empty or the environment variable is not set. A file that cannot be read fails the
 * token request, with its name.
 */
export function clientSecret(source: ClientSecretSource, options: ClientSecretOptions = {}): Credential {
  const { method = "client_secret_basic", clock = systemClock } = options;
  if (method !== "client_secret_basic" && method !== "client_secret_post") {
    throw new TypeError(`method is ${String(method)}; give client_secret_basic or client_secret_post`);
  }
  const rotation = new Rotation(toSource(source, clock), {
    initial: typeof source === "string" ? source : undefined,
  });
  return createCredential({
    method,
    rotation,
    async authenticate(secret) {
      const client = await import("openid-client");
      const post = method === "client_secret_post";
      return { clientAuth: post ? client.ClientSecretPost(secret) : client.ClientSecretBasic(secret) };
    },
    isIn: (text) => rotation.known().some((secret) => quotesInAnyForm(text, secret)),
  });
}

function toSource(source: ClientSecretSource, clock: Clock): Source<string> {
  if (typeof source === "function") return callbackSource(source, clock);
  if (typeof source === "object" && source !== null) {
    if ("file" in source && isName(source.file)) return fileSource(source.file, "client secret");
    if ("env" in source && isName(source.env)) return checkOption(() => environmentSource(source.env));
    throw new TypeError("the client secret has no source; give a string, { env }, { file } or a function");
  }
  if (typeof source !== "string" || source === "") throw new TypeError("the client secret is empty; set one");
  return constantSource(source);
}

function isName(value: unknown): boolean {
  return typeof value === "string" && value !== "";
}
