// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { gzipSync } from "node:zlib";
import type { Field } from "../../support/http2-frames.js";
import { envelope, grpc } from "../../support/raw-http.js";
import type { ForgedRequest } from "../attack.js";
import type { ServiceName } from "./vault.js";
import type { Way } from "./ways.js";

/** A request, but for its connection. */
export interface Composed {
  readonly method: string;
  readonly path: string;
  readonly fields: readonly Field[];
  readonly body: Buffer | undefined;
}

/** Puts a request together as its protocol wants it, changed as an attack needs. */
export function compose(way: Way, service: ServiceName, request: ForgedRequest): Composed {
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
