// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import type { Metadata } from "@grpc/grpc-js";
import { grpcPath } from "../grpc-js/service-definition.js";
import { originOfTarget } from "../grpc-js/target.js";
import { parseOrigin } from "../platform/origin.js";
import type { TokenBinding } from "../tokens/dpop/token-binding.js";
import type { GrpcInterceptorOptions } from "./grpc-client.js";

/** Puts a proof for this attempt into the metadata of a call (RFC 9449 §7.1). gRPC knows no other method than POST. */
export async function addProof(metadata: Metadata, binding: TokenBinding, url: string): Promise<void> {
  metadata.set("dpop", await binding.prove({ method: "POST", url }));
}

/**
 * The URLs that proofs for RPCs name, by gRPC path; `undefined` if tokens are not bound to a key. Throws a TypeError if the
 * origin of the server is not known.
 */
export function urlsByPath(options: GrpcInterceptorOptions): ReadonlyMap<string, string> | undefined {
  const { tokenSource, services, channel, origin } = options;
  if (tokenSource.dpopThumbprint === undefined) return undefined;
  const known = origin ?? ("target" in channel ? originOfTarget(channel.target, "http") : undefined);
  if (known === undefined) {
    throw new TypeError("origin is missing; DPoP proofs name it, and the channel does not tell: https://host:port");
  }
  const base = parseOrigin(known, "origin");
  const paths = services.flatMap((service) => service.methods).map(grpcPath);
  return new Map(paths.map((path) => [path, base + path]));
}
