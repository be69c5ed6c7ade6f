// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { EventEmitter, once } from "node:events";
import * as http from "node:http";
import * as http2 from "node:http2";
import * as net from "node:net";
import { Duplex, type Writable } from "node:stream";
import { fromBinary } from "@bufbuild/protobuf";
import { anyUnpack } from "@bufbuild/protobuf/wkt";
import { Code } from "@connectrpc/connect";
import { codeFromString } from "@connectrpc/connect/protocol-connect";
import { onTestFinished } from "vitest";
import { ErrorInfoSchema } from "../../src/gen/google/rpc/error_details_pb.js";
import { StatusSchema } from "../../src/gen/google/rpc/status_pb.js";
import { type Field, frameType, headerBlock, prefaceLength } from "./http2-frames.js";

export type HttpVersion = "HTTP/1.1" | "HTTP/2";

/** The head of a request to a server on this machine, as it goes on the wire. */
export interface RequestHead {
  readonly version: HttpVersion;
  readonly port: number;
  /** By default, POST. */
  readonly method?: "GET" | "POST" | "OPTIONS";
  readonly path: string;
  /** An array is as many header lines. */
  readonly headers: Readonly<Record<string, string | string[]>>;
}

/** A whole response. */
export interface RawResponse {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
  readonly trailers: Readonly<Record<string, string>>;
}

/** A request whose head is sent. Nothing of its body is, until the test writes it; it is over when the test is. */
export interface OpenRequest {
  readonly body: Writable;
  readonly response: Promise<RawResponse>;
}

/** Sends the head of a request, over a connection of its own. */
export function openRequest(head: RequestHead): OpenRequest {
  const request = head.version === "HTTP/1.1" ? openHttp1(head) : openHttp2(head);
  // A server that has answered may reset what it does not read.
  request.body.on("error", () => {});
  request.response.catch(() => {});
  return request;
}

function openHttp1({ port, method = "POST", path, headers }: RequestHead): OpenRequest {
  const agent = new http.Agent({ keepAlive: true });
  const request = http.request({ host: "127.0.0.1", port, method, path, headers, agent });
  onTestFinished(() => {
    request.destroy();
    agent.destroy();
  });
  const response = new Promise<RawResponse>((resolve, reject) => {
    request.once("error", reject);
    request.once("response", (incoming) => {
      collect(incoming).then(
        (body) =>
          resolve({
            status: incoming.statusCode ?? 0,
            headers: flatten(incoming.headers),
            body,
            trailers: flatten(incoming.trailers),
          }),
        reject,
      );
    });
  });
  request.flushHeaders();
  return { body: request, response };
}

function openHttp2({ port, method = "POST", path, headers }: RequestHead): OpenRequest {
  const { once: single, repeated } = splitRepeated(headers);
  const session = http2.connect(`http://127.0.0.1:${port}`, {
    createConnection: () => appendHeaders(net.connect(port, "127.0.0.1"), repeated),
  });
  onTestFinished(() => session.destroy());
  const stream = session.request({ ":method": method, ":path": path, ...single }, { endStream: false });
  const response = new Promise<RawResponse>((resolve, reject) => {
    session.once("error", reject);
    stream.once("error", reject);
    let trailers: Readonly<Record<string, string>> = {};
    stream.once("trailers", (received) => {
      trailers = flatten(received);
    });
    stream.once("response", (received) => {
      const status = received[":status"] ?? 0;
      collect(stream).then((body) => resolve({ status, headers: flatten(received), body, trailers }), reject);
    });
  });
  return { body: stream, response };
}

async function collect(incoming: NodeJS.ReadableStream): Promise<Buffer> {
  const chunks: Buffer[] = [];
  // Until the end, not until the close: a server may answer and leave the request open.
  incoming.on("data", (chunk: Buffer) => chunks.push(chunk));
  await once(incoming, "end");
  return Buffer.concat(chunks);
}

function flatten(headers: Readonly<Record<string, unknown>>): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, String(value)]));
}

/**
 * Writes a body from one chunk, over and over, as fast as the other side takes it. Stops early when `until` settles or
 * the request is over. Returns how many bytes were written.
 */
export async function pour(body: Writable, total: number, until: Promise<unknown>): Promise<number> {
  const chunk = Buffer.alloc(64 * 1024);
  let stopped = false;
  const stop = new Promise<void>((resolve) => {
    const settle = (): void => {
      stopped = true;
      resolve();
    };
    until.then(settle, settle);
    body.once("close", settle);
  });
  let written = 0;
  while (written < total && !stopped && body.writable) {
    written += chunk.length;
    if (body.write(chunk)) await new Promise((resolve) => setImmediate(resolve));
    else await Promise.race([once(body, "drain").catch(() => {}), stop]);
  }
  return written;
}

/** A connection for bytes as they are. It is over when the test is. */
export interface RawConnection {
  readonly socket: net.Socket;
  /** What came back, once that has the text as many times. Fails if the connection ends before. */
  received(text: string, times?: number): Promise<string>;
  /** What came back altogether, once the other side has closed the connection. */
  readonly closed: Promise<string>;
}

/** Connects to a server on this machine. */
export async function connectRaw(port: number): Promise<RawConnection> {
  const socket = net.connect({ port, host: "127.0.0.1", noDelay: true });
  onTestFinished(() => void socket.destroy());
  await once(socket, "connect");
  let all = "";
  let isClosed = false;
  const changes = new EventEmitter();
  socket.on("error", () => {});
  socket.on("data", (bytes) => {
    all += bytes.toString("latin1");
    changes.emit("change");
  });
  const closed = new Promise<string>((resolve) => {
    // Not once() of node:events, which fails if the connection is reset.
    socket.once("close", () => {
      isClosed = true;
      changes.emit("change");
      resolve(all);
    });
  });
  return {
    socket,
    async received(text, times = 1) {
      while (all.split(text).length <= times) {
        if (isClosed) throw new Error(`the connection ended after ${JSON.stringify(all)}`);
        await once(changes, "change");
      }
      return all;
    },
    closed,
  };
}

/** Wraps a message in the envelope that gRPC, gRPC-Web and Connect streams share. */
export function envelope(message: Uint8Array, flags = 0, length: number = message.length): Buffer {
  const head = Buffer.alloc(5);
  head.writeUInt8(flags, 0);
  head.writeUInt32BE(length, 1);
  return Buffer.concat([head, message]);
}

/** What a caller is told, whatever the protocol. */
export interface Answer {
  /** Name of the status code, or "Ok". */
  readonly code: string;
  /** Of the ErrorInfo of domain `meshauth`. */
  readonly reason: string | undefined;
  /** `www-authenticate`, from where the protocol carries it. */
  readonly challenge: string | undefined;
}

/** How one protocol puts a call into a request, and its outcome into a response. */
export interface Protocol {
  readonly contentTypes: { readonly proto: string; readonly json: string };
  readonly encodingHeader: string;
  /** Whether messages travel in envelopes. */
  readonly enveloped: boolean;
  read(response: RawResponse): Answer;
}

export const connectUnary: Protocol = {
  contentTypes: { proto: "application/proto", json: "application/json" },
  encodingHeader: "content-encoding",
  enveloped: false,
  read({ status, headers, body }) {
    if (status === 200) return ok;
    const error = JSON.parse(body.toString()) as ConnectErrorJson;
    return answerOf(error, headers["www-authenticate"]);
  },
};

export const connectStream: Protocol = {
  contentTypes: { proto: "application/connect+proto", json: "application/connect+json" },
  encodingHeader: "connect-content-encoding",
  enveloped: true,
  read({ body }) {
    const end = lastEnvelope(body, 0b10);
    const { error, metadata } = JSON.parse(end.toString()) as {
      error?: ConnectErrorJson;
      metadata?: Record<string, string[]>;
    };
    return error === undefined ? ok : answerOf(error, metadata?.["www-authenticate"]?.join(", "));
  },
};

export const grpc: Protocol = {
  contentTypes: { proto: "application/grpc+proto", json: "application/grpc+json" },
  encodingHeader: "grpc-encoding",
  enveloped: true,
  // A response without a body has its trailers in the place of its headers ("Trailers-Only").
  read: ({ headers, trailers }) => grpcAnswer("grpc-status" in trailers ? trailers : headers),
};

export const grpcWeb: Protocol = {
  contentTypes: { proto: "application/grpc-web+proto", json: "application/grpc-web+json" },
  encodingHeader: "grpc-encoding",
  enveloped: true,
  read({ body }) {
    const lines = lastEnvelope(body, 0b1000_0000).toString().split("\r\n");
    return grpcAnswer(Object.fromEntries(lines.filter((line) => line !== "").map(parseHeaderLine)));
  },
};

const ok: Answer = { code: "Ok", reason: undefined, challenge: undefined };

interface ConnectErrorJson {
  readonly code: string;
  readonly details?: readonly { readonly type: string; readonly value: string }[];
}

function answerOf({ code, details = [] }: ConnectErrorJson, challenge: string | undefined): Answer {
  const infos = details
    .filter(({ type }) => type === ErrorInfoSchema.typeName)
    .map(({ value }) => fromBinary(ErrorInfoSchema, Buffer.from(value, "base64")));
  return {
    code: Code[codeFromString(code) ?? Code.Unknown],
    reason: infos.find(({ domain }) => domain === "meshauth")?.reason,
    challenge,
  };
}

function grpcAnswer(trailers: Readonly<Record<string, string>>): Answer {
  const code = Number(trailers["grpc-status"]);
  if (code === 0) return ok;
  const status = fromBinary(StatusSchema, Buffer.from(trailers["grpc-status-details-bin"] ?? "", "base64"));
  const infos = status.details.map((detail) => anyUnpack(detail, ErrorInfoSchema));
  return {
    code: Code[code] ?? `none: ${trailers["grpc-status"]}`,
    reason: infos.find((info) => info?.domain === "meshauth")?.reason,
    challenge: trailers["www-authenticate"],
  };
}

function lastEnvelope(body: Buffer, flag: number): Buffer {
  for (let offset = 0; offset < body.length; ) {
    const end = offset + 5 + body.readUInt32BE(offset + 1);
    if ((body.readUInt8(offset) & flag) !== 0) return body.subarray(offset + 5, end);
    offset = end;
  }
  throw new Error(`no last envelope in ${body.length} bytes`);
}

function parseHeaderLine(line: string): [string, string] {
  const colon = line.indexOf(":");
  return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
}

/** A connection whose outgoing bytes go through a function, which may split and change them. */
export function rewriting(
  socket: net.Socket,
  rewrite: (bytes: Buffer) => Iterable<Buffer> | AsyncIterable<Buffer>,
): Duplex {
  const duplex = new Duplex({
    read() {},
    write(bytes: Buffer, _encoding, done) {
      const send = async (): Promise<void> => {
        for await (const part of rewrite(bytes)) socket.write(part);
      };
      send().then(() => done(), done);
    },
    final(done) {
      socket.end(done);
    },
    destroy(error, done) {
      socket.destroy();
      done(error);
    },
  });
  socket.on("data", (bytes) => duplex.push(bytes));
  socket.on("end", () => duplex.push(null));
  socket.on("error", (error) => duplex.destroy(error));
  socket.on("close", () => duplex.destroy());
  return duplex;
}

type Lines = readonly Field[];

function splitRepeated(headers: RequestHead["headers"]): { once: Record<string, string>; repeated: Lines } {
  const single: Record<string, string> = {};
  const repeated: [string, string][] = [];
  for (const [name, value] of Object.entries(headers)) {
    const [first = "", ...more] = [value].flat();
    single[name] = first;
    repeated.push(...more.map((each): [string, string] => [name, each]));
  }
  return { once: single, repeated };
}

// node:http2 sends a header such as `authorization` only once. More of them are put into the first HEADERS frame
// (RFC 9113 §6.2), as literals that leave the compression of the others alone (RFC 7541 §6.2.2).
function appendHeaders(socket: net.Socket, lines: Lines): Duplex {
  if (lines.length === 0) return socket;
  const block = headerBlock(lines);
  let rest = Buffer.alloc(0);
  let prefaceSent = false;
  let appended = false;
  return rewriting(socket, function* (bytes) {
    rest = Buffer.concat([rest, bytes]);
    if (!prefaceSent && rest.length >= prefaceLength) {
      yield rest.subarray(0, prefaceLength);
      rest = rest.subarray(prefaceLength);
      prefaceSent = true;
    }
    while (prefaceSent && rest.length >= 9 && rest.length >= 9 + rest.readUIntBE(0, 3)) {
      const frame = Buffer.from(rest.subarray(0, 9 + rest.readUIntBE(0, 3)));
      rest = rest.subarray(frame.length);
      if (frame[3] === frameType.HEADERS && !appended) {
        appended = true;
        frame.writeUIntBE(frame.length - 9 + block.length, 0, 3);
        yield frame;
        yield block;
      } else {
        yield frame;
      }
    }
  });
}
