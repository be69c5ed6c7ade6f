// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import type { IncomingMessage } from "node:http";
import type { Fault } from "./fault.js";

/** A request that reached a fault proxy. Holds no secret and no token: it can be printed and compared. */
export interface ProxiedRequest {
  readonly method: string;
  /** The path of the URL, without its query. */
  readonly path: string;
  /** When it had arrived, in milliseconds since the Unix epoch. */
  readonly at: number;
  /** The names of its form's fields, in order, each as often as it was sent. */
  readonly fields: readonly string[];
  /**
   * The values of the fields that are known to be no secret: `grant_type`, `client_id`, `scope`, `resource`, `audience`,
   * and a few more of the standards. Repeated ones are joined with a space.
   */
  readonly form: Readonly<Record<string, string>>;
  /** The kind of the fault that struck it; "pass" for none. */
  readonly fault: Fault["kind"];
  /** The status of the answer; `undefined` while there is none. */
  readonly status: number | undefined;
  /** Why the proxy answered 502 by itself; `undefined` if it did not. */
  readonly problem: string | undefined;
}

/** What the client sent. */
export interface ReceivedRequest {
  readonly method: string;
  /** Path and query. */
  readonly url: string;
  readonly path: string;
  /** Names and values in turn. */
  readonly rawHeaders: readonly string[];
  readonly form: URLSearchParams;
  readonly body: Buffer;
}

/** Reads all of a request. */
export async function receive(request: IncomingMessage): Promise<ReceivedRequest> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  const body = Buffer.concat(chunks);
  const { method = "GET", url = "/", rawHeaders } = request;
  const isForm = /^application\/x-www-form-urlencoded\b/i.test(request.headers["content-type"] ?? "");
  const form = new URLSearchParams(isForm ? body.toString() : "");
  return { method, url, path: url.replace(/\?.*$/s, ""), rawHeaders, form, body };
}

// Names what may be shown, not what may not: the secret of an extension is not known here.
const harmless = [
  "grant_type",
  "client_id",
  "scope",
  "resource",
  "audience",
  "response_type",
  "client_assertion_type",
  "token_type_hint",
  "requested_token_type",
  "subject_token_type",
  "actor_token_type",
];

/** The fields of a form that can be shown. */
export function harmlessFields(form: URLSearchParams): Record<string, string> {
  return Object.fromEntries(
    harmless.filter((name) => form.has(name)).map((name) => [name, form.getAll(name).join(" ")]),
  );
}
