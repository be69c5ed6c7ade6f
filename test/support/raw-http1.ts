// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import * as net from "node:net";
import type { Field } from "./http2-frames.js";
import { NoAnswerError } from "./no-answer.js";
import type { RawResponse } from "./raw-http.js";

/** A request over HTTP/1.1, of which every byte is the test's. */
export interface RawHttp1Request {
  readonly method: string;
  readonly target: string;
  /** The header lines, as they go on the wire. */
  readonly fields: readonly Field[];
  readonly body?: Uint8Array | undefined;
}

/** A connection over HTTP/1.1 that sends requests as they are written, one after the other. */
export interface RawHttp1 {
  /** Sends a request. Fails if the server ends the connection instead of answering. */
  send(request: RawHttp1Request): Promise<RawResponse>;
  readonly closed: boolean;
  close(): void;
}

/** Connects to a server on this machine. */
export function connectRawHttp1(port: number): RawHttp1 {
  const socket = net.connect({ port, host: "127.0.0.1", noDelay: true });
  let received: Buffer = Buffer.alloc(0);
  let onChange = (): void => {};
  socket.on("error", () => {});
  socket.on("data", (chunk) => {
    received = Buffer.concat([received, chunk]);
    onChange();
  });
  socket.on("close", () => onChange());
  return {
    send({ method, target, fields, body = Buffer.alloc(0) }) {
      const lines = [`${method} ${target} HTTP/1.1`, ...fields.map(([name, value]) => `${name}: ${value}`), "", ""];
      socket.write(Buffer.concat([Buffer.from(lines.join("\r\n"), "latin1"), body]));
      return new Promise((resolve, reject) => {
        onChange = () => {
          const parsed = parseResponse(received, socket.destroyed);
          if (parsed !== undefined) {
            received = received.subarray(parsed.length);
            resolve(parsed.response);
          } else if (socket.destroyed) {
            reject(new NoAnswerError("the connection ended without an answer"));
          }
        };
        onChange();
      });
    },
    get closed() {
      return socket.destroyed || socket.readableEnded || !socket.writable;
    },
    close: () => socket.destroy(),
  };
}

interface Parsed {
  readonly response: RawResponse;
  readonly length: number;
}

/** The first response in some bytes (RFC 9112 §6); `undefined` if it is not complete. */
function parseResponse(bytes: Buffer, isOver: boolean): Parsed | undefined {
  const headEnd = bytes.indexOf("\r\n\r\n");
  if (headEnd === -1) return undefined;
  const [statusLine = "", ...lines] = bytes.subarray(0, headEnd).toString("latin1").split("\r\n");
  const headers = Object.fromEntries(lines.map(splitLine));
  const status = Number(statusLine.split(" ")[1]);
  const start = headEnd + 4;
  const respond = (body: Buffer, length: number): Parsed => ({
    response: { status, headers, body, trailers: {} },
    length,
  });
  if (headers["transfer-encoding"] === "chunked") {
    const chunks = readChunks(bytes, start);
    return chunks && respond(chunks.body, chunks.end);
  }
  const length = headers["content-length"];
  if (length === undefined && headers["connection"] === "close") {
    return isOver ? respond(bytes.subarray(start), bytes.length) : undefined;
  }
  const end = start + Number(length ?? 0);
  return bytes.length >= end ? respond(bytes.subarray(start, end), end) : undefined;
}

function splitLine(line: string): [string, string] {
  const colon = line.indexOf(":");
  return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
}

function readChunks(bytes: Buffer, start: number): { readonly body: Buffer; readonly end: number } | undefined {
  const chunks: Buffer[] = [];
  for (let at = start; ; ) {
    const lineEnd = bytes.indexOf("\r\n", at);
    if (lineEnd === -1) return undefined;
    const size = Number.parseInt(bytes.subarray(at, lineEnd).toString("latin1"), 16);
    const end = lineEnd + 2 + size + 2;
    if (bytes.length < end) return undefined;
    if (size === 0) return { body: Buffer.concat(chunks), end };
    chunks.push(bytes.subarray(lineEnd + 2, end - 2));
    at = end;
  }
}
