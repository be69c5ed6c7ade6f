// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { once } from "node:events";
import * as http from "node:http";
import * as http2 from "node:http2";
import type { AddressInfo } from "node:net";
import { inspect } from "node:util";
import type { DescMethod } from "@bufbuild/protobuf";
import {
  ConnectError,
  type ConnectRouter,
  type ContextValues,
  type Interceptor,
  type Transport,
} from "@connectrpc/connect";
import {
  type ConnectNodeAdapterOptions,
  connectNodeAdapter,
  createConnectTransport,
  createGrpcTransport,
  createGrpcWebTransport,
  Http2SessionManager,
} from "@connectrpc/connect-node";
import { Metadata, type Server, ServerCredentials, type StatusObject } from "@grpc/grpc-js";
import { expect, onTestFinished } from "vitest";

/** A protocol of Connect's servers and clients, and the HTTP that carries it. */
export type Wire = "Connect" | "Connect over HTTP/1.1" | "gRPC" | "gRPC-Web" | "gRPC-Web over HTTP/1.1";

export const wires: readonly Wire[] = [
  "Connect",
  "Connect over HTTP/1.1",
  "gRPC",
  "gRPC-Web",
  "gRPC-Web over HTTP/1.1",
];

/** Those that can have requests and responses under way at the same time. */
export const duplexWires: readonly Wire[] = ["Connect", "gRPC", "gRPC-Web"];

/** A Connect server on this machine, until the test is over. */
export interface RunningServer {
  readonly http1Port: number;
  readonly http2Port: number;
}

/** Starts a server with HTTP/1.1 on one port and HTTP/2 on another. */
export async function startConnectServer(options: ConnectNodeAdapterOptions): Promise<RunningServer> {
  const handler = connectNodeAdapter(options);
  const sessions = new Set<http2.ServerHttp2Session>();
  const http1 = http.createServer(handler);
  const h2 = http2.createServer(handler).on("session", (session) => sessions.add(session));
  onTestFinished(() => {
    http1.close();
    http1.closeAllConnections();
    h2.close();
    for (const session of sessions) session.destroy();
  });
  return { http1Port: await listen(http1), http2Port: await listen(h2) };
}

async function listen(server: http.Server | http2.Http2Server): Promise<number> {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return (server.address() as AddressInfo).port;
}

/** Starts a server, and nothing but the routes. */
export function startRoutes(routes: (router: ConnectRouter) => void): Promise<RunningServer> {
  return startConnectServer({ routes });
}

/** The transport of a client of a server, closed when the test is over. */
export function connectTo(server: RunningServer, wire: Wire, interceptors: Interceptor[] = []): Transport {
  switch (wire) {
    case "Connect over HTTP/1.1":
      return createConnectTransport({ httpVersion: "1.1", baseUrl: urlOf(server.http1Port), interceptors });
    case "gRPC-Web over HTTP/1.1":
      return createGrpcWebTransport({ httpVersion: "1.1", baseUrl: urlOf(server.http1Port), interceptors });
    case "Connect":
      return createConnectTransport({ httpVersion: "2", ...sessionWith(server), interceptors });
    case "gRPC":
      return createGrpcTransport({ ...sessionWith(server), interceptors });
    case "gRPC-Web":
      return createGrpcWebTransport({ httpVersion: "2", ...sessionWith(server), interceptors });
  }
}

function urlOf(port: number): string {
  return `http://127.0.0.1:${port}`;
}

function sessionWith({ http2Port }: RunningServer): { baseUrl: string; sessionManager: Http2SessionManager } {
  const baseUrl = urlOf(http2Port);
  const sessionManager = new Http2SessionManager(baseUrl);
  onTestFinished(() => sessionManager.abort());
  return { baseUrl, sessionManager };
}

/** A transport whose calls all have this signal. */
export function withSignal(transport: Transport, signal: AbortSignal): Transport {
  return {
    unary: (method, _signal, ...rest) => transport.unary(method, signal, ...rest),
    stream: (method, _signal, ...rest) => transport.stream(method, signal, ...rest),
  };
}

/** A transport whose calls all have context values of their own. */
export function withContextValues(transport: Transport, create: () => ContextValues): Transport {
  return {
    unary: (method, signal, timeoutMs, header, message) =>
      transport.unary(method, signal, timeoutMs, header, message, create()),
    stream: (method, signal, timeoutMs, header, messages) =>
      transport.stream(method, signal, timeoutMs, header, messages, create()),
  };
}

/** Lets a grpc-js server listen until the test is over, and returns its target. */
export async function startGrpcServer(server: Server): Promise<string> {
  onTestFinished(() => server.forceShutdown());
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, bound) => {
      if (error === null) resolve(bound);
      else reject(error);
    });
  });
  return `127.0.0.1:${port}`;
}

/** The HTTP path of an RPC. */
export function pathOf(method: DescMethod): string {
  return `/${method.parent.typeName}/${method.name}`;
}

/** A promise that a test settles. */
export interface Deferred<T = void> {
  readonly promise: Promise<T>;
  readonly resolve: (value: T) => void;
  readonly reject: (error: unknown) => void;
}

export function defer<T = void>(): Deferred<T> {
  let resolve: Deferred<T>["resolve"] = () => {};
  let reject: Deferred<T>["reject"] = () => {};
  const promise = new Promise<T>((resolvePromise, rejectPromise) => {
    resolve = resolvePromise;
    reject = rejectPromise;
  });
  return { promise, resolve, reject };
}

/** The error that a call fails with. Fails if it does not. */
export async function errorOf(call: Promise<unknown>): Promise<unknown> {
  let result: unknown;
  try {
    result = await call;
  } catch (error) {
    return error;
  }
  throw new Error(`the call went through: ${inspect(result)}`);
}

/** The ConnectError that a call fails with. Fails if it does not. */
export async function connectErrorOf(call: Promise<unknown>): Promise<ConnectError> {
  const error = await errorOf(call);
  if (error instanceof ConnectError) return error;
  throw new Error(`not a ConnectError: ${inspect(error)}`);
}

/** Reads a stream of responses to its end. */
export async function collect<T>(messages: AsyncIterable<T>): Promise<T[]> {
  const collected: T[] = [];
  for await (const message of messages) collected.push(message);
  return collected;
}

/** Makes sure that nothing a client can see of an error has one of the secrets. */
export function expectNoSecret(error: unknown, ...secrets: readonly string[]): void {
  const text = everythingIn(error);
  for (const secret of secrets) expect(text).not.toContain(secret);
}

function everythingIn(error: unknown): string {
  const shown = [inspect(error, { depth: Infinity, showHidden: true, maxStringLength: null, maxArrayLength: null })];
  for (let each: unknown = error; each instanceof Error; each = each.cause) {
    shown.push(each.message, each.stack ?? "", JSON.stringify(each, replaceBigInt));
    if (each instanceof ConnectError) {
      shown.push(JSON.stringify([...each.metadata]));
      for (const detail of each.details) {
        if ("value" in detail && detail.value instanceof Uint8Array) shown.push(latin1(detail.value));
      }
    }
    const { metadata } = each as Partial<StatusObject>;
    if (metadata instanceof Metadata) shown.push(...Object.keys(metadata.getMap()).flatMap(valuesIn(metadata)));
  }
  return shown.join("\n");
}

function valuesIn(metadata: Metadata): (key: string) => string[] {
  return (key) => metadata.get(key).map((value) => (typeof value === "string" ? value : latin1(value)));
}

function latin1(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("latin1");
}

function replaceBigInt(_key: string, value: unknown): unknown {
  return typeof value === "bigint" ? String(value) : value;
}
