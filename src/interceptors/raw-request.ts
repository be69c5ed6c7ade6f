// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { createHash, type X509Certificate } from "node:crypto";
import { type ContextKey, type ContextValues, createContextKey, createContextValues } from "@connectrpc/connect";
import type { CallTransport } from "../verification/incoming-call.js";

/** A request of node:http or node:http2, or what Fastify wraps around one. */
export interface RawRequest {
  readonly headers?: Record<string, string | string[] | undefined>;
  readonly rawHeaders?: readonly string[];
  readonly socket?: RawSocket;
  readonly stream?: { readonly session?: RawSession | undefined };
  readonly raw?: RawRequest;
}

interface RawSocket {
  readonly remoteAddress?: string | undefined;
  readonly remotePort?: number | undefined;
  getPeerX509Certificate?(): X509Certificate | undefined;
}

interface RawSession {
  readonly socket: RawSocket;
}

/** A request, and the `authorization` header that was taken out of it. */
export interface NotedRequest {
  readonly raw: RawRequest;
  readonly authorization: string | undefined;
}

const notedRequest: ContextKey<NotedRequest | undefined> = createContextKey<NotedRequest | undefined>(undefined, {
  description: "meshauth noted request",
});

/**
 * Notes the request of a server adapter in front of its context values: those are the user's, who may give all requests
 * the same ones. Takes the `authorization` header out of it, before the adapter copies headers: nobody else is to see the
 * token of a caller that is known, and to copy a token costs more than to check one that is known.
 */
export function noteRequest(request: RawRequest, values: ContextValues): ContextValues {
  const raw = request.raw ?? request;
  return new LayeredValues({ raw, authorization: takeAuthorization(raw) }, values);
}

function takeAuthorization({ headers }: RawRequest): string | undefined {
  const value = headers?.["authorization"];
  if (headers === undefined || typeof value !== "string") return undefined;
  headers["authorization"] = undefined;
  return value;
}

class LayeredValues implements ContextValues {
  readonly #request: NotedRequest;
  readonly #values: ContextValues;

  constructor(request: NotedRequest, values: ContextValues) {
    this.#request = request;
    this.#values = values;
  }

  get<T>(key: ContextKey<T>): T {
    return key.id === notedRequest.id ? (this.#request as T) : this.#values.get(key);
  }

  set<T>(key: ContextKey<T>, value: T): this {
    this.#values.set(key, value);
    return this;
  }

  delete(key: ContextKey<unknown>): this {
    this.#values.delete(key);
    return this;
  }
}

/** The request that a call came with; `undefined` where the server adapter was not told to note it. */
export function requestOf(values: ContextValues): NotedRequest | undefined {
  return values.get(notedRequest);
}

/** Values of a header as they were sent, line by line. Node keeps the first of some repeated lines and drops the others. */
export function linesOf({ rawHeaders = [] }: RawRequest, name: string): readonly string[] {
  const lines: string[] = [];
  for (let at = 0; at + 1 < rawHeaders.length; at += 2) {
    const sent = rawHeaders[at];
    if (sent?.length !== name.length || sent.toLowerCase() !== name) continue;
    lines.push(rawHeaders[at + 1] ?? "");
  }
  return lines;
}

/** The `authorization` header of a call; several values are joined as HTTP joins them, which makes them no token. */
export function readAuthorization(request: NotedRequest | undefined, header: Headers): string | null {
  const lines = request === undefined ? [] : linesOf(request.raw, "authorization");
  return lines.length > 1 ? lines.join(", ") : (request?.authorization ?? header.get("authorization"));
}

/** What carries a call, read only as far as it is asked for. */
export class ConnectTransport implements CallTransport {
  readonly #request: RawRequest | undefined;
  readonly #header: Headers;
  readonly #url: string;
  readonly httpMethod: string;

  constructor(
    request: RawRequest | undefined,
    context: { readonly requestHeader: Headers; readonly url: string; readonly requestMethod: string },
  ) {
    this.#request = request;
    this.#header = context.requestHeader;
    this.#url = context.url;
    this.httpMethod = context.requestMethod;
  }

  get peer(): string | undefined {
    const { remoteAddress: address, remotePort: port } = this.#socket ?? {};
    if (address === undefined || port === undefined) return undefined;
    return address.includes(":") ? `[${address}]:${port}` : `${address}:${port}`;
  }

  // What the certificate was issued by is for TLS to check: here it counts that its key is held.
  get certificateThumbprint(): string | undefined {
    const certificate = this.#socket?.getPeerX509Certificate?.();
    return certificate && createHash("sha256").update(certificate.raw).digest("base64url");
  }

  get path(): string {
    return new URL(this.#url, "http://localhost").pathname;
  }

  get dpopProofs(): readonly string[] {
    if (this.#request !== undefined) return linesOf(this.#request, "dpop");
    const value = this.#header.get("dpop");
    return value === null ? [] : [value];
  }

  get #socket(): RawSocket | undefined {
    return this.#request?.stream?.session?.socket ?? this.#request?.socket;
  }
}

/** Context values for requests of a server whose own context values come from `create`. */
export function withRequest(
  create: ((request: never) => ContextValues) | undefined,
): (request: never) => ContextValues {
  return (request) => noteRequest(request, create?.(request) ?? createContextValues());
}
