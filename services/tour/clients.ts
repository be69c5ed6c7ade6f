// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import type { DescService } from "@bufbuild/protobuf";
import { type Client, createClient, type Interceptor } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-node";
import { createConnectInterceptor, type TokenRequirement } from "../../src/index.js";
import type { RunningMesh } from "../mesh.js";

/** A client of a service, as one of the mesh's clients: every call gets the token that it needs. */
export function clientAs<S extends DescService>(
  mesh: RunningMesh,
  clientId: string,
  service: S,
  baseUrl: string,
): Client<S> {
  return connect(service, baseUrl, [createConnectInterceptor({ tokenSource: mesh.tokenSource(clientId) })]);
}

/** A client that sends just this `authorization` header, or none. */
export function clientWith<S extends DescService>(
  authorization: string | undefined,
  service: S,
  baseUrl: string,
): Client<S> {
  const header: Interceptor = (next) => async (request) => {
    if (authorization !== undefined) request.header.set("authorization", authorization);
    return await next(request);
  };
  return connect(service, baseUrl, [header]);
}

/** A token of a client, as it goes into the `authorization` header. */
export async function authorizationOf(
  mesh: RunningMesh,
  clientId: string,
  requirement: TokenRequirement,
): Promise<string> {
  const token = await mesh.tokenSource(clientId).get(requirement);
  return token.authorization;
}

function connect<S extends DescService>(service: S, baseUrl: string, interceptors: Interceptor[]): Client<S> {
  return createClient(
    service,
    createConnectTransport({ baseUrl, httpVersion: "1.1", interceptors, useHttpGet: false }),
  );
}
