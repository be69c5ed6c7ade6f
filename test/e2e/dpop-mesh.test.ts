// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { once } from "node:events";
import * as http2 from "node:http2";
import type { AddressInfo } from "node:net";
import { Code, ConnectError, createClient, type Interceptor, type Transport } from "@connectrpc/connect";
import { connectNodeAdapter, createConnectTransport, createGrpcTransport } from "@connectrpc/connect-node";
import { credentials } from "@grpc/grpc-js";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import {
  type AuthorizationServer,
  developmentSecret,
  startAuthorizationServer,
} from "../../services/authorization-server/server.js";
import { readExampleMesh } from "../../services/shared/example-mesh.js";
import { PaymentService } from "../../src/gen/payment/v1/payment_pb.js";
import { addService, createAuthenticatedClient, createGuardedServer } from "../../src/grpc.js";
import {
  clientSecret,
  createConnectInterceptor,
  createNonceSource,
  createResourceServer,
  createTokenSource,
  type DecisionEvent,
  type DpopOptions,
  getPrincipal,
  guardConnect,
  type ResourceServer,
  type TokenSource,
} from "../../src/index.js";
import { refusalOf } from "../support/invoke.js";
import { startGrpcServer } from "../support/transports.js";

const rpc = "/payment.v1.PaymentService/Charge";

let authorizationServer: AuthorizationServer;
beforeAll(async () => {
  authorizationServer = await startAuthorizationServer({ mesh: readExampleMesh(), port: 0 });
});
afterAll(async () => {
  await authorizationServer.close();
});

function createTokens(dpop = true): TokenSource {
  return createTokenSource({
    issuer: authorizationServer.issuer,
    clientId: "order-service",
    credential: clientSecret(developmentSecret("order-service")),
    ...(dpop && { dpop: {} }),
  });
}

interface Sent {
  readonly authorization: string;
  readonly proof: string;
}

/** A payment service that demands proofs, on both kinds of servers, and what it decided. */
async function start(dpop: Partial<DpopOptions> = {}) {
  const events: DecisionEvent[] = [];
  const sent: Sent[] = [];
  let handler: ReturnType<typeof connectNodeAdapter> = () => {};
  const server = http2.createServer((request, response) => handler(request, response));
  const sessions = new Set<http2.ServerHttp2Session>();
  server.on("session", (session) => sessions.add(session));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => {
    server.close();
    for (const session of sessions) session.destroy();
  });
  const baseUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const grpcOrigin = "https://payments.internal";
  const resourceServer: ResourceServer = createResourceServer({
    services: [PaymentService],
    issuer: authorizationServer.issuer,
    dpop: { origin: [baseUrl, grpcOrigin], ...dpop },
    onDecision: (event) => events.push(event),
  });
  handler = connectNodeAdapter(
    guardConnect(resourceServer, {
      routes: (router) =>
        router.service(PaymentService, {
          charge(_request, context) {
            return { payment: { name: getPrincipal(context).confirmation?.keyThumbprint ?? "" } };
          },
        }),
    }),
  );
  const grpcServer = createGuardedServer(resourceServer);
  const unused = (): never => {
    throw new Error("not called");
  };
  addService(grpcServer, PaymentService, {
    charge: (_call, callback) => callback(null, {}),
    listPayments: unused,
    refund: unused,
    importSettlements: unused,
  });
  const target = await startGrpcServer(grpcServer);
  const record: Interceptor = (next) => async (request) => {
    const [authorization, proof] = ["authorization", "dpop"].map((name) => request.header.get(name) ?? "");
    sent.push({ authorization: authorization ?? "", proof: proof ?? "" });
    return await next(request);
  };
  return { baseUrl, target, grpcOrigin, events, sent, record };
}

type Started = Awaited<ReturnType<typeof start>>;

const transports: Record<string, (started: Started, interceptors: Interceptor[]) => Transport> = {
  Connect: ({ baseUrl }, interceptors) => createConnectTransport({ baseUrl, httpVersion: "2", interceptors }),
  gRPC: ({ baseUrl }, interceptors) => createGrpcTransport({ baseUrl, interceptors }),
};

function clientOf(wire: string, started: Started, interceptors: Interceptor[]) {
  const create = transports[wire];
  if (create === undefined) throw new Error(wire);
  return createClient(PaymentService, create(started, [...interceptors, started.record]));
}

/** Sends a call exactly as it was sent before, or as somebody changed it. */
function bring({ authorization, proof }: Sent): Interceptor {
  return (next) => async (request) => {
    request.header.set("authorization", authorization);
    if (proof !== "") request.header.set("dpop", proof);
    return await next(request);
  };
}

async function refusal(call: Promise<unknown>): Promise<unknown> {
  const error = await call.then(() => undefined, ConnectError.from);
  if (error === undefined) throw new Error("the call went through");
  const challenge = error.metadata.get("www-authenticate");
  return { code: error.code, reason: refusalOf(error)?.reason, challenge };
}

const algs = 'algs="ES256 ES384 ES512 RS256 PS256 EdDSA Ed25519"';
const badProof = {
  code: Code.Unauthenticated,
  reason: "DPOP_PROOF_INVALID",
  challenge: `DPoP error="invalid_dpop_proof", ${algs}`,
};

describe.each(Object.keys(transports))("DPoP end to end on %s", (wire) => {
  it("lets a client in that proves to hold the key of its token, call after call", async () => {
    const started = await start();
    const tokenSource = createTokens();
    const client = clientOf(wire, started, [createConnectInterceptor({ tokenSource })]);
    for (const _ of [1, 2]) expect((await client.charge({})).payment?.name).toBe(tokenSource.dpopThumbprint);
    expect(started.events.map(({ decision, tokenCheck }) => [decision, tokenCheck])).toEqual([
      ["allow", "verified"],
      ["allow", "cached"],
    ]);
    expect(new Set(started.sent.map(({ proof }) => proof)).size).toBe(2);
  });

  it("refuses whoever repeats a call, or has the token only", async () => {
    const started = await start();
    await clientOf(wire, started, [createConnectInterceptor({ tokenSource: createTokens() })]).charge({});
    const [stolen] = started.sent;
    if (stolen === undefined) throw new Error("nothing was sent");
    const attempt = (changed: Sent) => refusal(clientOf(wire, started, [bring(changed)]).charge({}));
    expect(await attempt(stolen)).toEqual(badProof);
    expect(started.events.at(-1)?.cause).toBe("the DPoP proof was used before");
    expect(await attempt({ ...stolen, proof: "" })).toEqual(badProof);
    expect(await attempt({ ...stolen, authorization: stolen.authorization.replace("DPoP", "Bearer") })).toEqual({
      code: Code.Unauthenticated,
      reason: "TOKEN_INVALID",
      challenge: `DPoP error="invalid_token", ${algs}`,
    });
    const thief = await start();
    await clientOf(wire, thief, [createConnectInterceptor({ tokenSource: createTokens() })]).charge({});
    expect(await attempt({ ...stolen, proof: thief.sent[0]?.proof ?? "" })).toEqual(badProof);
    expect(started.events.at(-1)?.cause).toBe(
      "the DPoP proof is made with another key than the one of the access token",
    );
  });

  it("goes on with the nonce that the server wants, and needs no other try after that", async () => {
    const started = await start({ nonce: createNonceSource() });
    const client = clientOf(wire, started, [createConnectInterceptor({ tokenSource: createTokens() })]);
    for (const _ of [1, 2]) await client.charge({});
    expect(started.events.map(({ reason }) => reason)).toEqual(["DPOP_NONCE_REQUIRED", undefined, undefined]);
  });

  it("still takes tokens that are bound to nothing", async () => {
    const started = await start();
    await clientOf(wire, started, [createConnectInterceptor({ tokenSource: createTokens(false) })]).charge({});
    expect(started.events).toMatchObject([{ decision: "allow" }]);
  });
});

describe("DPoP end to end on grpc-js", () => {
  it("lets a client in that proves to hold the key of its token, with the nonce of the server", async () => {
    const { target, grpcOrigin: origin, events } = await start({ nonce: createNonceSource() });
    const tokenSource = createTokens();
    const client = createAuthenticatedClient(PaymentService, {
      target,
      credentials: credentials.createInsecure(),
      tokenSource,
      origin,
    });
    for (const _ of [1, 2]) await client.charge({});
    client.close();
    expect(events.map(({ reason }) => reason)).toEqual(["DPOP_NONCE_REQUIRED", undefined, undefined]);
  });

  it("refuses a proof for another server", async () => {
    const { target, events } = await start();
    const client = createAuthenticatedClient(PaymentService, {
      target,
      credentials: credentials.createInsecure(),
      tokenSource: createTokens(),
      origin: "https://elsewhere.internal",
    });
    await expect(client.charge({})).rejects.toMatchObject({ code: Code.Unauthenticated });
    client.close();
    expect(events.at(-1)).toMatchObject({ reason: "DPOP_PROOF_INVALID", rpc: rpc.slice(1) });
  });
});
