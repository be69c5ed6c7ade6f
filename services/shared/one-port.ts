// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import * as http from "node:http";
import * as http2 from "node:http2";
import * as net from "node:net";

/** A server that listens on loopback. */
export interface ListeningServer {
  readonly port: number;
  close(): Promise<void>;
}

type Handler = (
  request: http.IncomingMessage | http2.Http2ServerRequest,
  response: http.ServerResponse | http2.Http2ServerResponse,
) => void;

// The start of every HTTP/2 connection (RFC 9113 §3.4); no HTTP/1.1 request starts like it.
const preface = "PRI * HTTP/2.0";

/**
 * Serves HTTP/1.1 and HTTP/2 without TLS on one port: a connection's first bytes say which it is. With TLS, ALPN does this
 * (`http2.createSecureServer({ allowHTTP1: true })`).
 */
export async function listenOnOnePort(handler: Handler, port: number): Promise<ListeningServer> {
  const http1 = http.createServer(handler);
  const http2Server = http2.createServer(handler);
  const sockets = new Set<net.Socket>();
  const server = net.createServer({ noDelay: true }, (socket) => {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
    socket.on("error", () => socket.destroy());
    socket.setTimeout(30_000, () => socket.destroy());
    dispatch(socket, http1, http2Server);
  });
  const address = await listen(server, port);
  // It listens through the other server; this makes it look for requests that never come to their end.
  http1.emit("listening");
  return {
    port: address.port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        http1.close();
        for (const socket of sockets) socket.destroy();
      }),
  };
}

function dispatch(socket: net.Socket, http1: http.Server, http2Server: http2.Http2Server): void {
  let head = Buffer.alloc(0);
  const onData = (chunk: Buffer): void => {
    head = Buffer.concat([head, chunk]);
    const text = head.toString("latin1", 0, preface.length);
    // As long as it may still become the preface, wait for more of it.
    if (text.length < preface.length && preface.startsWith(text)) return;
    socket.off("data", onData);
    socket.pause();
    socket.setTimeout(0);
    socket.unshift(head);
    (text === preface ? http2Server : http1).emit("connection", socket);
    process.nextTick(() => socket.resume());
  };
  socket.on("data", onData);
}

function listen(server: net.Server, port: number): Promise<net.AddressInfo> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, "127.0.0.1", () => {
      server.off("error", reject);
      resolve(server.address() as net.AddressInfo);
    });
  });
}
