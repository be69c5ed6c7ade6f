// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { once } from "node:events";
import * as http from "node:http";
import * as http2 from "node:http2";
import * as net from "node:net";
import * as tls from "node:tls";
import { type ConnectRouter, cors as connectCors } from "@connectrpc/connect";
import { expressConnectMiddleware } from "@connectrpc/connect-express";
import { fastifyConnectPlugin } from "@connectrpc/connect-fastify";
import { connectNodeAdapter } from "@connectrpc/connect-node";
import fastifyCors from "@fastify/cors";
import cors from "cors";
import express from "express";
import { type FastifyInstance, fastify } from "fastify";
import { guardConnect, type ResourceServer } from "../../src/index.js";
import { hasOpenssl, selfSigned } from "../unit/credentials/certificates.js";
import type { HttpVersion } from "./raw-http.js";

/** What a server serves behind an adapter, beside `GET /about`, which needs no token and answers "about". */
export interface Served {
  readonly resourceServer: ResourceServer;
  readonly routes: (router: ConnectRouter) => void;
  /** Whether the server answers to scripts of `allowedOrigin`. */
  readonly cors: boolean;
}

/** A server that listens on loopback. */
export interface AdapterServer {
  /** Takes plaintext. A server with TLS has a proxy in front. */
  readonly port: number;
  close(): Promise<void>;
}

/** A way to serve RPCs. */
export interface Adapter {
  readonly name: string;
  readonly version: HttpVersion;
  start(served: Served): Promise<AdapterServer>;
}

export const allowedOrigin = "https://shop.example.com";

/** CORS as docs/adapters.md says. */
const corsOptions = {
  origin: allowedOrigin,
  methods: [...connectCors.allowedMethods],
  allowedHeaders: [...connectCors.allowedHeaders, "authorization"],
  exposedHeaders: [...connectCors.exposedHeaders, "www-authenticate"],
};

/** Every adapter for servers of Node.js, with what carries it. */
export const adapters: readonly Adapter[] = [
  { name: "Express", version: "HTTP/1.1", start: (served) => listenExpress(served, (app) => app) },
  { name: "Fastify", version: "HTTP/1.1", start: (served) => listenFastify(served, fastify()) },
  {
    name: "Fastify over HTTP/2",
    version: "HTTP/2",
    start: (served) => listenFastify(served, fastify({ http2: true })),
  },
  { name: "node:http", version: "HTTP/1.1", start: (served) => listen(http.createServer(nodeHandler(served))) },
  { name: "node:http2", version: "HTTP/2", start: (served) => listen(http2.createServer(nodeHandler(served))) },
  ...(hasOpenssl ? [overTls("HTTP/2"), overTls("HTTP/1.1")] : []),
];

/** Starts Express with middleware of the test's in front of the RPCs. */
export async function listenExpress(
  { resourceServer, routes, cors: withCors }: Served,
  prepare: (app: express.Express) => express.Express,
  mountedAt = "/",
): Promise<AdapterServer> {
  const app = prepare(express());
  if (withCors) app.use(cors(corsOptions));
  app.get("/about", (_request, response) => void response.send("about"));
  app.use(mountedAt, expressConnectMiddleware(guardConnect(resourceServer, { routes })));
  return await listen(http.createServer(app));
}

/** Starts Fastify. */
export async function listenFastify(
  { resourceServer, routes, cors: withCors }: Served,
  instance: FastifyInstance | FastifyInstance<http2.Http2Server>,
): Promise<AdapterServer> {
  // The types of fastify tell servers of HTTP/1.1 and HTTP/2 apart; what is used here, both have.
  const app = instance as FastifyInstance;
  if (withCors) await app.register(fastifyCors, corsOptions);
  app.get("/about", async () => "about");
  await app.register(fastifyConnectPlugin, guardConnect(resourceServer, { routes }));
  await app.ready();
  return await listen(app.server);
}

type Handler = (
  request: http.IncomingMessage | http2.Http2ServerRequest,
  response: http.ServerResponse | http2.Http2ServerResponse,
) => void;

function nodeHandler({ resourceServer, routes, cors: withCors }: Served): Handler {
  const handler = connectNodeAdapter({
    ...guardConnect(resourceServer, { routes }),
    fallback(request, response) {
      response.statusCode = request.url === "/about" ? 200 : 404;
      response.end(request.url === "/about" ? "about" : "");
    },
  });
  if (!withCors) return handler;
  const middleware = cors(corsOptions);
  return (request, response) =>
    middleware(request as http.IncomingMessage, response as http.ServerResponse, () => handler(request, response));
}

function overTls(version: HttpVersion): Adapter {
  const protocol = version === "HTTP/2" ? "h2" : "http/1.1";
  return {
    name: `node:http2 with TLS, ${version}`,
    version,
    async start(served) {
      const { certificate: cert, key } = selfSigned("localhost");
      const server = await listen(http2.createSecureServer({ cert, key, allowHTTP1: true }, nodeHandler(served)));
      const proxy = await listen(
        net.createServer((socket) => {
          const upstream = connectTls(server.port, cert, protocol);
          socket.pipe(upstream).pipe(socket);
          socket.on("error", () => upstream.destroy()).on("close", () => upstream.destroy());
          upstream.on("error", () => socket.destroy()).on("close", () => socket.destroy());
        }),
      );
      return {
        port: proxy.port,
        async close() {
          await proxy.close();
          await server.close();
        },
      };
    },
  };
}

function connectTls(port: number, ca: string, protocol: string): tls.TLSSocket {
  return tls.connect({
    port,
    host: "127.0.0.1",
    ca,
    ALPNProtocols: [protocol],
    checkServerIdentity: () => undefined,
  });
}

async function listen(server: net.Server): Promise<AdapterServer> {
  const sockets = new Set<net.Socket>();
  const note = (socket: net.Socket): void => {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
  };
  server.on("connection", note);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    port: (server.address() as net.AddressInfo).port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const socket of sockets) socket.destroy();
      }),
  };
}
