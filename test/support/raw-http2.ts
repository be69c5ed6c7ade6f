// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import * as http2 from "node:http2";
import * as net from "node:net";
import { dataFrames, type Field, frameHeaderLength, frameType, headersFrames, prefaceLength } from "./http2-frames.js";
import { NoAnswerError } from "./no-answer.js";
import type { RawResponse } from "./raw-http.js";
import { rewriting } from "./raw-http.js";

/** A request over HTTP/2, of which every byte is the test's. */
export interface RawHttp2Request {
  /** The header list with its pseudo-header fields, as it goes on the wire. */
  readonly fields: readonly Field[];
  /** What follows in DATA frames. By default, nothing does. */
  readonly body?: Uint8Array | undefined;
  /** Whether the request ends there. By default, yes. */
  readonly ends?: boolean;
  /** The frames of the whole request, in the place of those that the rest describes. */
  readonly frames?: ((streamId: number) => readonly Uint8Array[]) | undefined;
}

/** A connection over HTTP/2 that sends requests as they are written. */
export interface RawHttp2 {
  /** Sends a request. Fails if the server resets the stream or ends the connection instead of answering. */
  send(request: RawHttp2Request): Promise<RawResponse>;
  readonly closed: boolean;
  close(): void;
}

/**
 * Connects to a server on this machine. node:http2 reads what comes back and keeps the connection going; the frames of
 * each of its requests are replaced on their way out.
 */
export async function connectRawHttp2(port: number): Promise<RawHttp2> {
  const queue: RawHttp2Request[] = [];
  const session = http2.connect(`http://127.0.0.1:${port}`, {
    createConnection: () => rewriting(net.connect({ port, host: "127.0.0.1", noDelay: true }), replaceRequests(queue)),
  });
  session.on("error", () => {});
  await new Promise<void>((resolve, reject) => {
    session.once("remoteSettings", () => resolve());
    session.once("close", () => reject(new NoAnswerError("the connection ended at once")));
  });
  return {
    send(request) {
      queue.push(request);
      return respond(session, session.request({ ":path": "/" }, { endStream: true }));
    },
    get closed() {
      return session.closed || session.destroyed;
    },
    close: () => session.destroy(),
  };
}

function respond(session: http2.ClientHttp2Session, stream: http2.ClientHttp2Stream): Promise<RawResponse> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let head: http2.IncomingHttpHeaders & http2.IncomingHttpStatusHeader = {};
    let trailers: http2.IncomingHttpHeaders = {};
    let ended = false;
    const onGoaway = (code: number): void => reject(new NoAnswerError(`GOAWAY ${code}`));
    session.once("goaway", onGoaway);
    stream.on("error", () => {});
    stream.once("response", (received) => {
      head = received;
    });
    stream.once("trailers", (received) => {
      trailers = received;
    });
    stream.on("data", (chunk: Buffer) => chunks.push(chunk));
    const settle = (): void => {
      session.off("goaway", onGoaway);
      const status = head[":status"];
      if (status === undefined || !ended) {
        reject(new NoAnswerError(`RST_STREAM ${stream.rstCode}`));
        return;
      }
      resolve({ status, headers: flatten(head), body: Buffer.concat(chunks), trailers: flatten(trailers) });
    };
    stream.once("end", () => {
      ended = true;
      // A request that is not over keeps its stream open.
      setImmediate(settle);
    });
    stream.once("close", settle);
  });
}

function flatten(headers: Readonly<Record<string, unknown>>): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, String(value)]));
}

/** Puts the frames of the queued requests in the place of the HEADERS frames that node:http2 sends. */
function replaceRequests(queue: RawHttp2Request[]): (bytes: Buffer) => Iterable<Buffer> {
  let rest: Buffer = Buffer.alloc(0);
  let prefaceSent = false;
  return function* (bytes) {
    rest = Buffer.concat([rest, bytes]);
    if (!prefaceSent && rest.length >= prefaceLength) {
      yield rest.subarray(0, prefaceLength);
      rest = rest.subarray(prefaceLength);
      prefaceSent = true;
    }
    while (prefaceSent && rest.length >= frameHeaderLength) {
      const length = frameHeaderLength + rest.readUIntBE(0, 3);
      if (rest.length < length) return;
      const sent = rest.subarray(0, length);
      rest = rest.subarray(length);
      const request = sent.readUInt8(3) === frameType.HEADERS ? queue.shift() : undefined;
      yield request === undefined ? sent : Buffer.concat(framesOf(request, sent.readUInt32BE(5)));
    }
  };
}

function framesOf({ fields, body, ends = true, frames }: RawHttp2Request, streamId: number): readonly Uint8Array[] {
  if (frames !== undefined) return frames(streamId);
  const headers = headersFrames(streamId, fields, { endStream: ends && body === undefined });
  return body === undefined ? headers : [...headers, ...dataFrames(streamId, body, ends)];
}
