// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { gzipSync } from "node:zlib";
import type { Field } from "../../support/http2-frames.js";
import { NoAnswerError } from "../../support/no-answer.js";
import { connectUnary, envelope, grpc, type RawResponse } from "../../support/raw-http.js";
import { connectRawHttp1, type RawHttp1 } from "../../support/raw-http1.js";
import { connectRawHttp2, type RawHttp2 } from "../../support/raw-http2.js";
import type { Forged, ForgedRequest, Verdict } from "../attack.js";
import type { Lab } from "./servers.js";
import type { ServiceName } from "./vault.js";
import type { Way } from "./ways.js";

/** How a call ended: as a verdict, or in the words of the protocol where there is none for it. */
export interface Ending {
  readonly verdict: Verdict | string;
  /** Name of the status code, if the protocol has one. */
  readonly code: string | undefined;
  readonly response: RawResponse | undefined;
}

export function requestOf(forged: Forged): ForgedRequest {
  if (typeof forged !== "string") return forged;
  return { fields: [["authorization", `Bearer ${forged}`]], secrets: [forged] };
}

/** A caller with a connection to each server. */
export interface Caller {
  call(way: Way, service: ServiceName, request: ForgedRequest): Promise<Ending>;
  close(): void;
}

export function createCaller(lab: Lab): Caller {
  const http1 = reusing(async () => connectRawHttp1(lab.ports["connect-node HTTP/1.1"]));
  const h2 = {
    "connect-node": reusing(() => connectRawHttp2(lab.ports["connect-node HTTP/2"])),
    "grpc-js": reusing(() => connectRawHttp2(lab.ports["grpc-js HTTP/2"])),
  };
  const connections = [http1, ...Object.values(h2)];

  async function respond(way: Way, service: ServiceName, request: ForgedRequest): Promise<RawResponse> {
    const { method, path, fields, body } = compose(way, service, request);
    const unfinished = request.claimedLength !== undefined;
    if (way.version === "HTTP/1.1") {
      const connection = await http1.get();
      const head: Field[] = [["host", "vault"], ...fields];
      if (body !== undefined) head.push(["content-length", String(request.claimedLength ?? body.length)]);
      const response = await connection.send({ method, target: path, fields: head, body });
      if (unfinished) connection.close();
      return response;
    }
    const connection = await h2[way.server].get();
    const pseudo: Field[] = [
      [":method", method],
      [":scheme", "http"],
      [":path", path],
      [":authority", "vault"],
    ];
    const all = [...pseudo, ...fields];
    if (unfinished) all.push(["content-length", String(request.claimedLength)]);
    const response = await connection.send({ fields: all, body: unfinished ? undefined : body, ends: !unfinished });
    if (unfinished) connection.close();
    return response;
  }
  return {
    async call(way, service, request) {
      try {
        return endingOf(way, await bounded(respond(way, service, request)));
      } catch (error) {
        if (!(error instanceof NoAnswerError)) throw error;
        if (error instanceof LateAnswerError) for (const each of connections) each.close();
        return {
          verdict: error instanceof LateAnswerError ? "no answer" : "not HTTP",
          code: undefined,
          response: undefined,
        };
      }
    },
    close() {
      for (const each of connections) each.close();
    },
  };
}

// Long, for a call on this machine. Where all is well, nobody waits for it.
const patienceMs = 4_000;

class LateAnswerError extends NoAnswerError {}

async function bounded<T>(answer: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new LateAnswerError("no answer")), patienceMs);
  });
  try {
    return await Promise.race([answer, late]);
  } finally {
    clearTimeout(timer);
  }
}

interface Reusing<T> {
  get(): Promise<T>;
  close(): void;
}

function reusing<T extends RawHttp1 | RawHttp2>(connect: () => Promise<T>): Reusing<T> {
  let current: T | undefined;
  return {
    async get() {
      if (current === undefined || current.closed) current = await connect();
      return current;
    },
    close: () => current?.close(),
  };
}

interface Composed {
  readonly method: string;
  readonly path: string;
  readonly fields: readonly Field[];
  readonly body: Buffer | undefined;
}

function compose(way: Way, service: ServiceName, request: ForgedRequest): Composed {
  const { text = "hello", path: change = (path: string) => path, fields = [], gzip = false } = request;
  const rpcPath = `/test.v1.${service}/${way.rpc}`;
  const message = request.message ?? encode(way, text);
  if (way.get) {
    const query = new URLSearchParams({ connect: "v1", encoding: "json", message: message.toString() });
    const changed = change(rpcPath);
    return {
      method: request.method ?? "GET",
      path: `${changed}${changed.includes("?") ? "&" : "?"}${query}`,
      fields,
      body: undefined,
    };
  }
  const packed = gzip ? gzipSync(message) : Buffer.from(message);
  return {
    method: request.method ?? "POST",
    path: change(rpcPath),
    fields: [
      ["content-type", request.contentType ?? way.protocol.contentTypes[way.format]],
      ...(way.protocol === grpc ? [["te", "trailers"] as const] : []),
      ...(gzip ? [[way.protocol.encodingHeader, "gzip"] as const] : []),
      ...fields,
    ],
    body: way.protocol.enveloped ? envelope(packed, gzip ? 1 : 0) : packed,
  };
}

function encode({ format }: Way, text: string): Buffer {
  if (format === "json") return Buffer.from(JSON.stringify({ text }));
  return Buffer.concat([Buffer.from([0x0a, text.length]), Buffer.from(text)]);
}

function endingOf(way: Way, response: RawResponse): Ending {
  const { protocol } = way;
  const { status, headers } = response;
  const speaks =
    protocol !== connectUnary ? status === 200 : status === 200 || headers["content-type"] === "application/json";
  if (!speaks) return { verdict: httpVerdict(status), code: undefined, response };
  const { code, reason } = protocol.read(response);
  return { verdict: reason ?? verdictOf(code), code, response };
}

function httpVerdict(status: number): Verdict | string {
  if (status === 404 || status === 405 || status === 415) return "not routed";
  return status === 400 || status === 431 ? "not HTTP" : `HTTP ${status}`;
}

function verdictOf(code: string): Verdict | string {
  if (code === "Ok") return "allowed";
  return code === "Unimplemented" ? "not routed" : code;
}
