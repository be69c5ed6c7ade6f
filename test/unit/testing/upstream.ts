// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { onTestFinished } from "vitest";

/** A request as the server behind the proxy saw it. */
export interface SeenRequest {
  readonly method: string | undefined;
  readonly url: string | undefined;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** A server to stand behind the proxy, for the time of one test. */
export interface Upstream {
  readonly url: string;
  readonly requests: readonly SeenRequest[];
  /** How many connections are open. */
  connections(): Promise<number>;
}

/** Answers one request; `count` says which it is, from 1 on. */
export type Respond = (response: ServerResponse, count: number, request: IncomingMessage) => void;

/** Answers with a new opaque token each time. */
export const grant: Respond = (response, count) => {
  response.setHeader("content-type", "application/json");
  response.end(JSON.stringify({ access_token: `token-${count}`, token_type: "Bearer", expires_in: 300 }));
};

/** Starts a server that ends with the test. */
export async function startUpstream(respond: Respond = grant): Promise<Upstream> {
  const requests: SeenRequest[] = [];
  const server = createServer(async (request, response) => {
    const { method, url, headers } = request;
    let body = "";
    for await (const chunk of request) body += chunk;
    requests.push({ method, url, headers, body });
    respond(response, requests.length, request);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(async () => {
    const closed = new Promise((resolve) => server.close(resolve));
    server.closeAllConnections();
    await closed;
  });
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    connections: () =>
      new Promise((resolve, reject) => {
        server.getConnections((error, count) => (error === null ? resolve(count) : reject(error)));
      }),
  };
}
