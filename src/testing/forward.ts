// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { type IncomingMessage, request as sendRequest } from "node:http";
import { type Answer, ProxyProblem } from "./answer.js";
import type { ReceivedRequest } from "./proxied-request.js";

/** Checks where requests are to be forwarded to. Throws a TypeError unless it is the origin of an http URL. */
export function parseTarget(url: string): URL {
  const target = URL.canParse(url) ? new URL(url) : undefined;
  if (target?.protocol !== "http:" || target.pathname !== "/" || target.search !== "" || target.hash !== "") {
    throw new TypeError("the proxy cannot forward to that; give a URL such as http://127.0.0.1:8080, without a path");
  }
  return target;
}

/** Sends a request on and reads the whole answer. Throws a ProxyProblem. */
export async function forward(target: URL, request: ReceivedRequest, signal: AbortSignal): Promise<Answer> {
  try {
    const answer = await send(target, request, signal);
    const chunks: Buffer[] = [];
    for await (const chunk of answer) chunks.push(chunk as Buffer);
    const headers = endToEnd(answer.rawHeaders, connectionHeaders);
    return { status: answer.statusCode ?? 502, headers, body: Buffer.concat(chunks) };
  } catch (error) {
    const { code = "no answer" } = error as { code?: string };
    throw new ProxyProblem(`${target.origin} cannot be reached (${code})`);
  }
}

function send(
  target: URL,
  { method, url, rawHeaders, body }: ReceivedRequest,
  signal: AbortSignal,
): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    // With the client's own Host header: a server that derives its URLs from it names the proxy.
    const headers = endToEnd(rawHeaders, requestHeaders).flat();
    if (body.length > 0) headers.push("content-length", String(body.length));
    const { hostname, port } = target;
    const host = hostname.replace(/^\[(.*)\]$/, "$1");
    sendRequest({ host, port, method, path: url, headers, agent: false, signal }, resolve)
      .once("error", reject)
      .end(body);
  });
}

// What says how a body is sent on one connection (RFC 9110 §7.6.1).
const connectionHeaders = [
  "connection",
  "content-length",
  "keep-alive",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
];

// A compressed answer could be neither rewritten nor cut; expect has been met by reading the body.
const requestHeaders = [...connectionHeaders, "accept-encoding", "expect"];

function endToEnd(rawHeaders: readonly string[], left: readonly string[]): [name: string, value: string][] {
  const headers: [string, string][] = [];
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
    const [name = "", value = ""] = rawHeaders.slice(i, i + 2);
    if (!left.includes(name.toLowerCase())) headers.push([name, value]);
  }
  return headers;
}
