// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import diagnostics from "node:diagnostics_channel";
import { EventEmitter, once } from "node:events";
import http from "node:http";
import * as http2 from "node:http2";
import { syncBuiltinESMExports } from "node:module";
import * as net from "node:net";
import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from "vitest";
import { type ListeningServer, listenOnOnePort } from "../../services/shared/one-port.js";
import { connectRaw, openRequest, rewriting } from "../support/raw-http.js";

// Bounded, but not by how busy the machine is.
vi.setConfig({ testTimeout: 30_000 });

const preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const arrivals = new EventEmitter();

type Handler = Parameters<typeof listenOnOnePort>[0];

/** Says which version it was asked with; "/wait" is never answered. */
const handler: Handler = (request, response) => {
  arrivals.emit("request");
  if (request.url === "/wait") return;
  const answer = `HTTP/${request.httpVersion} ${request.method} ${request.url}`;
  response.setHeader("content-length", answer.length);
  (response as http.ServerResponse).end(answer);
};

let server: ListeningServer;
beforeAll(async () => {
  server = await listenOnOnePort(handler, 0);
});
afterAll(async () => {
  await server.close();
});

/** The server's end of the next connection. */
function nextAccepted(): Promise<net.Socket> {
  return new Promise((resolve) => {
    const accept = (message: unknown): void => {
      diagnostics.unsubscribe("net.server.socket", accept);
      resolve((message as { socket: net.Socket }).socket);
    };
    diagnostics.subscribe("net.server.socket", accept);
  });
}

/** A connection of HTTP/2 without TLS. Its first bytes reach the server one part after the other, cut at these places. */
function connectHttp2(port: number, cuts: readonly number[] = []): http2.ClientHttp2Session {
  const accepted = nextAccepted();
  let isFirst = true;
  const session = http2.connect(`http://127.0.0.1:${port}`, {
    createConnection: () =>
      rewriting(net.connect({ port, host: "127.0.0.1", noDelay: true }), async function* (bytes) {
        let start = 0;
        for (const cut of isFirst ? cuts : []) {
          yield bytes.subarray(start, cut);
          await once(await accepted, "data");
          start = cut;
        }
        isFirst = false;
        yield bytes.subarray(start);
      }),
  });
  onTestFinished(() => session.destroy());
  return session;
}

async function get(session: http2.ClientHttp2Session, path: string): Promise<string> {
  const stream = session.request({ ":path": path }).setEncoding("utf8");
  let text = "";
  stream.on("data", (part: string) => {
    text += part;
  });
  await once(stream, "end");
  return text;
}

describe("one port", () => {
  it.each(["HTTP/1.1", "HTTP/2"] as const)("serves %s", async (version) => {
    const { body, response } = openRequest({ version, port: server.port, path: "/a", headers: {} });
    body.end();
    const { status, body: answer } = await response;
    expect(status).toBe(200);
    expect(answer.toString()).toBe(`HTTP/${version === "HTTP/2" ? "2.0" : "1.1"} POST /a`);
  });

  it("serves both at the same time", async () => {
    const session = connectHttp2(server.port);
    const { socket, received } = await connectRaw(server.port);
    socket.write("GET /1 HTTP/1.1\r\nhost: a\r\n\r\n");
    const answers = await Promise.all([get(session, "/2"), get(session, "/3"), received("GET /1")]);
    expect(answers.slice(0, 2)).toEqual(["HTTP/2.0 GET /2", "HTTP/2.0 GET /3"]);
  });

  it.each([
    { cuts: [1] },
    { cuts: [3, 7] },
    { cuts: [13] },
    { cuts: Array.from({ length: 13 }, (_, index) => index + 1) },
  ])("serves HTTP/2 whose preface comes in parts, cut at $cuts", async ({ cuts }) => {
    expect(await get(connectHttp2(server.port, cuts), "/parts")).toBe("HTTP/2.0 GET /parts");
  });

  it.each([
    ["P", "OST /a"],
    ["P", "U", "T /a"],
    ["G", "E", "T /a"],
  ])("serves HTTP/1.1 whose first bytes come in parts: %s, %s", async (...parts) => {
    const accepted = nextAccepted();
    const { socket, received } = await connectRaw(server.port);
    const serverSocket = await accepted;
    for (const part of parts.slice(0, -1)) {
      socket.write(part);
      await once(serverSocket, "data");
    }
    socket.write(`${parts.at(-1)} HTTP/1.1\r\nhost: a\r\ncontent-length: 0\r\n\r\n`);
    expect(await received(`HTTP/1.1 ${parts.join("")}`)).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
  });

  it.each([
    { name: "the preface of another version", parts: ["PRI * HTTP/", "1.1\r\n\r\nSM\r\n\r\n"] },
    { name: "a preface that turns into something else", parts: ["PRI * HTTP/2", "!0\r\n\r\nSM\r\n\r\n"] },
    { name: "a method that is none", parts: ["PRIVATE", " /a HTTP/1.1\r\n\r\n"] },
    { name: "TLS", parts: ["\u0016\u0003\u0001\u0002\u0000\u0001\u0000"] },
    { name: "blanks", parts: [`${" ".repeat(100)}\r\n\r\n`] },
    { name: "zeros", parts: ["\0".repeat(100)] },
  ])("answers $name with 400 and closes", async ({ parts }) => {
    const accepted = nextAccepted();
    const { socket, closed } = await connectRaw(server.port);
    const serverSocket = await accepted;
    for (const part of parts.slice(0, -1)) {
      socket.write(part, "latin1");
      await once(serverSocket, "data");
    }
    socket.write(parts.at(-1) ?? "", "latin1");
    expect(await closed).toBe("HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n");
  });

  it("closes a connection that goes on with garbage after the preface", async () => {
    const { socket, closed } = await connectRaw(server.port);
    socket.write(`${preface}${"\xff".repeat(100)}`, "latin1");
    await closed;
  });

  it("closes a connection that ends within the preface", async () => {
    const { socket, closed } = await connectRaw(server.port);
    socket.end("PRI * HT");
    expect(await closed).toBe("");
  });

  it("goes on after a connection that is reset", async () => {
    const accepted = nextAccepted();
    const { socket } = await connectRaw(server.port);
    const serverSocket = await accepted;
    socket.write("PRI");
    await once(serverSocket, "data");
    socket.resetAndDestroy();
    await new Promise((resolve) => serverSocket.once("close", resolve));
    expect(await get(connectHttp2(server.port), "/after")).toBe("HTTP/2.0 GET /after");
  });

  it("keeps an HTTP/1.1 connection for the next request", async () => {
    const { socket, received } = await connectRaw(server.port);
    socket.write("GET /1 HTTP/1.1\r\nhost: a\r\n\r\n");
    await received("HTTP/1.1 GET /1");
    socket.write("POST /2 HTTP/1.1\r\nhost: a\r\ncontent-length: 4\r\n\r\nbody");
    await received("HTTP/1.1 POST /2");
  });

  it("answers two HTTP/1.1 requests that come at once, in order", async () => {
    const { socket, received } = await connectRaw(server.port);
    socket.write("GET /1 HTTP/1.1\r\nhost: a\r\n\r\nGET /2 HTTP/1.1\r\nhost: a\r\n\r\n");
    const answers = await received("HTTP/1.1 GET /2");
    expect(answers.indexOf("HTTP/1.1 GET /1")).toBeGreaterThan(0);
    expect(answers.split("HTTP/1.1 200 OK")).toHaveLength(3);
  });

  it("gives a connection that says nothing half a minute", async () => {
    const accepted = nextAccepted();
    const { closed } = await connectRaw(server.port);
    const serverSocket = await accepted;
    expect(serverSocket.timeout).toBe(30_000);
    serverSocket.emit("timeout");
    expect(await closed).toBe("");
  });

  it("does not limit how long a connection that has said what it is may be silent", async () => {
    const accepted = nextAccepted();
    expect(await get(connectHttp2(server.port), "/")).toBe("HTTP/2.0 GET /");
    expect((await accepted).timeout).toBe(0);
  });

  it("ends an HTTP/1.1 request whose head does not come to its end", async () => {
    const { createServer } = http;
    vi.spyOn(http, "createServer").mockImplementation(((handle: http.RequestListener) =>
      createServer({ headersTimeout: 1, requestTimeout: 1, connectionsCheckingInterval: 1 }, handle)) as never);
    syncBuiltinESMExports();
    onTestFinished(() => {
      vi.restoreAllMocks();
      syncBuiltinESMExports();
    });
    const impatient = await listenOnOnePort(handler, 0);
    onTestFinished(() => impatient.close());
    const { socket, closed } = await connectRaw(impatient.port);
    socket.write("GET / HTTP/1.1\r\nhost: a\r\n");
    expect(await closed).toMatch(/^HTTP\/1\.1 408 /);
  });

  it("refuses a port that is taken", async () => {
    await expect(listenOnOnePort(handler, server.port)).rejects.toMatchObject({ code: "EADDRINUSE" });
  });
});

describe("closing", () => {
  it("ends whatever is open, and frees the port", async () => {
    const closing = await listenOnOnePort(handler, 0);
    const { port } = closing;
    const silent = await connectRaw(port);
    const undecided = await connectRaw(port);
    undecided.socket.write("PRI * H");
    const idle = await connectRaw(port);
    idle.socket.write("GET /idle HTTP/1.1\r\nhost: a\r\n\r\n");
    await idle.received("GET /idle");
    const waiting = await connectRaw(port);
    let arrived = once(arrivals, "request");
    waiting.socket.write("GET /wait HTTP/1.1\r\nhost: a\r\n\r\n");
    await arrived;
    const session = connectHttp2(port);
    session.on("error", () => {});
    arrived = once(arrivals, "request");
    const stream = session.request({ ":path": "/wait" });
    stream.on("error", () => {});
    await arrived;

    const sessionClosed = new Promise((resolve) => session.once("close", resolve));
    await closing.close();
    expect(await Promise.all([silent.closed, undecided.closed, waiting.closed])).toEqual(["", "", ""]);
    await idle.closed;
    await sessionClosed;
    const next = await listenOnOnePort(handler, port);
    await next.close();
  });

  it("resolves at once without connections, and when it is done again", async () => {
    const closing = await listenOnOnePort(handler, 0);
    await closing.close();
    await closing.close();
  });
});
