// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { connectStream, connectUnary, grpc, grpcWeb, type HttpVersion, type Protocol } from "../../support/raw-http.js";

export type Rpc = "Read" | "Watch" | "Load" | "Sync";

/** A way to call: a server, a protocol, a kind of RPC. */
export interface Way {
  readonly name: string;
  readonly server: "connect-node" | "grpc-js";
  readonly protocol: Protocol;
  readonly version: HttpVersion;
  readonly rpc: Rpc;
  readonly format: "proto" | "json";
  /** Whether the message is in the query of a GET request. */
  readonly get: boolean;
}

const kinds: Readonly<Record<Rpc, string>> = {
  Read: "unary",
  Watch: "server stream",
  Load: "client stream",
  Sync: "bidi stream",
};

function way(name: string, protocol: Protocol, version: HttpVersion, rpc: Rpc, more: Partial<Way> = {}): Way {
  const defaults = { server: "connect-node", protocol, version, rpc, format: "proto", get: false } as const;
  return { ...defaults, ...more, name: `${name} ${kinds[rpc]} over ${version}` };
}

const rpcs: readonly Rpc[] = ["Read", "Watch", "Load", "Sync"];
const json = { format: "json" } as const;

/** Every way to call. */
export const ways: readonly Way[] = [
  ...(["HTTP/1.1", "HTTP/2"] as const).flatMap((version) => [
    way("Connect", connectUnary, version, "Read"),
    way("Connect JSON", connectUnary, version, "Read", json),
    way("Connect GET", connectUnary, version, "Read", { ...json, get: true }),
    way("Connect", connectStream, version, "Watch"),
    way("Connect", connectStream, version, "Load"),
    way("gRPC-Web", grpcWeb, version, "Read"),
    way("gRPC-Web", grpcWeb, version, "Watch"),
  ]),
  way("Connect", connectStream, "HTTP/2", "Sync"),
  way("Connect JSON", connectStream, "HTTP/2", "Sync", json),
  ...rpcs.map((rpc) => way("gRPC", grpc, "HTTP/2", rpc)),
  ...rpcs.map((rpc) => way("grpc-js", grpc, "HTTP/2", rpc, { server: "grpc-js" })),
];

export const onConnect = (candidate: Way): boolean => candidate.server === "connect-node";
export const onGrpcJs = (candidate: Way): boolean => candidate.server === "grpc-js";
export const onHttp1 = (candidate: Way): boolean => candidate.version === "HTTP/1.1";
export const onHttp2 = (candidate: Way): boolean => candidate.version === "HTTP/2";
export const onStreams = (candidate: Way): boolean => candidate.rpc !== "Read";
