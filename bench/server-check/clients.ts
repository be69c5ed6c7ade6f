// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { createClient, type Interceptor } from "@connectrpc/connect";
import { createConnectTransport, createGrpcTransport, Http2SessionManager } from "@connectrpc/connect-node";
import { ChannelCredentials, type Interceptor as GrpcInterceptor, InterceptingCall, Metadata } from "@grpc/grpc-js";
import { PaymentService } from "../../src/gen/payment/v1/payment_pb.js";
import { createGrpcClient, createGrpcInterceptor } from "../../src/grpc.js";
import { clientSecret, createConnectInterceptor, createTokenSource, type TokenSource } from "../../src/index.js";
import { mesh } from "../lib/issuer.js";
import { ArticleTokenManager } from "../peers/article-cache.js";
import type { TransportName } from "./settings.js";
import type { ClientName } from "./suites.js";

/** A client of one server. */
export interface MeasuredClient {
  /** Makes one call. Takes the value of an `authorization` header, if it does not get one itself. */
  call(authorization: string): Promise<unknown>;
  close(): void;
}

/** What a client is to talk to. */
export interface ClientSettings {
  readonly transport: TransportName;
  readonly client: ClientName;
  readonly port: number;
  readonly issuer: string;
}

const secret = "a secret of the benchmark";
const message = { pageSize: 1, pageToken: "payments/0123456789" };

/** Creates a client. Calls of all clients of a transport are made in the same way. */
export function createMeasuredClient(settings: ClientSettings): MeasuredClient {
  return settings.transport === "grpc-js" ? createGrpcJsClient(settings) : createConnectClient(settings);
}

function createConnectClient({ transport, client: kind, port, issuer }: ClientSettings): MeasuredClient {
  const baseUrl = `http://127.0.0.1:${port}`;
  const sessionManager = new Http2SessionManager(baseUrl);
  const options = { baseUrl, sessionManager, interceptors: connectInterceptors(kind, issuer) };
  const client = createClient(
    PaymentService,
    transport === "connect" ? createConnectTransport({ httpVersion: "2", ...options }) : createGrpcTransport(options),
  );
  const call =
    kind === "header"
      ? (authorization: string) => client.listPayments(message, { headers: { authorization } })
      : () => client.listPayments(message);
  return { call, close: () => sessionManager.abort() };
}

function connectInterceptors(kind: ClientName, issuer: string): Interceptor[] {
  if (kind === "meshauth") return [createConnectInterceptor({ tokenSource: tokenSource(issuer) })];
  if (kind !== "article") return [];
  const manager = articleManager(issuer);
  const article: Interceptor = (next) => async (request) => {
    const token = await manager.getToken(mesh.scope, mesh.audience);
    request.header.set("Authorization", `Bearer ${token}`);
    return await next(request);
  };
  return [article];
}

function createGrpcJsClient({ client: kind, port, issuer }: ClientSettings): MeasuredClient {
  const target = `127.0.0.1:${port}`;
  const client = createGrpcClient(PaymentService, {
    target,
    credentials: ChannelCredentials.createInsecure(),
    channel: { "grpc.enable_http_proxy": 0 },
    interceptors: grpcInterceptors(kind, issuer, target),
  });
  const call =
    kind === "header"
      ? (authorization: string) => client.listPayments(message, { metadata: withAuthorization(authorization) })
      : () => client.listPayments(message);
  return { call, close: client.close };
}

function withAuthorization(authorization: string): Metadata {
  const metadata = new Metadata();
  metadata.set("authorization", authorization);
  return metadata;
}

function grpcInterceptors(kind: ClientName, issuer: string, target: string): GrpcInterceptor[] {
  if (kind === "meshauth") {
    const options = { tokenSource: tokenSource(issuer), services: [PaymentService], channel: { target } };
    return [createGrpcInterceptor(options)];
  }
  if (kind !== "article") return [];
  const manager = articleManager(issuer);
  const article: GrpcInterceptor = (options, nextCall) =>
    new InterceptingCall(nextCall(options), {
      start(metadata, listener, next) {
        void manager.getToken(mesh.scope, mesh.audience).then((token) => {
          metadata.set("authorization", `Bearer ${token}`);
          next(metadata, listener);
        });
      },
    });
  return [article];
}

function tokenSource(issuer: string): TokenSource {
  return createTokenSource({ issuer, clientId: mesh.clientId, credential: clientSecret(secret) });
}

function articleManager(issuer: string): ArticleTokenManager {
  const { clientId } = mesh;
  return new ArticleTokenManager({ tokenUrl: `${issuer}/token`, clientId, clientSecret: secret, fetch });
}
