// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { X509Certificate } from "node:crypto";
import { once } from "node:events";
import * as http2 from "node:http2";
import * as https from "node:https";
import type { AddressInfo } from "node:net";
import { type Client, createClient, type Interceptor, type Transport } from "@connectrpc/connect";
import { connectNodeAdapter, createConnectTransport, createGrpcTransport } from "@connectrpc/connect-node";
import { credentials as grpcCredentials, ServerCredentials } from "@grpc/grpc-js";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { PaymentService } from "../../src/gen/payment/v1/payment_pb.js";
import { addService, createGrpcClient, createGuardedServer } from "../../src/grpc.js";
import { createResourceServer, type DecisionEvent, guardConnect, type ResourceServer } from "../../src/index.js";
import { createIssuer, mintKey, signToken } from "../support/issuer.js";
import { createCertificateAuthority, hasOpenssl, type Pair } from "../unit/credentials/certificates.js";

const issuerKey = await mintKey("ES256", "key-1");
const issuer = createIssuer("https://login.example.com", issuerKey);

interface Certificates {
  readonly ca: string;
  readonly server: Pair;
  readonly owner: Pair;
  readonly thief: Pair;
}

function thumbprintOf({ certificate }: Pair): string {
  return Buffer.from(new X509Certificate(certificate).fingerprint256.replaceAll(":", ""), "hex").toString("base64url");
}

/** A token of the order service, bound to a certificate; without one, to none. */
function tokenFor(pair: Pair | undefined): string {
  const now = Math.floor(Date.now() / 1000);
  return signToken(
    issuerKey,
    { alg: issuerKey.alg, kid: issuerKey.kid, typ: "at+jwt" },
    {
      iss: issuer.url,
      aud: "https://payment-service.internal",
      sub: "order-service",
      client_id: "order-service",
      scope: "payments:write",
      iat: now,
      exp: now + 300,
      ...(pair === undefined ? {} : { cnf: { "x5t#S256": thumbprintOf(pair) } }),
    },
  );
}

function bring(token: string): Interceptor {
  return (next) => async (request) => {
    request.header.set("authorization", `Bearer ${token}`);
    return await next(request);
  };
}

describe.skipIf(!hasOpenssl)("a token that is bound to a certificate (RFC 8705), over TLS", () => {
  let certificates: Certificates;
  let resourceServer: ResourceServer;
  const events: DecisionEvent[] = [];
  const closing: (() => void)[] = [];
  const ports = { http1: 0, http2: 0, grpc: 0 };
  let entered = 0;

  const charge = () => {
    entered += 1;
    return {};
  };

  beforeAll(async () => {
    const authority = createCertificateAuthority();
    certificates = {
      ca: authority.certificate,
      server: authority.issue("server"),
      owner: authority.issue("owner"),
      thief: authority.issue("thief"),
    };
    resourceServer = createResourceServer({
      services: [PaymentService],
      issuer: issuer.url,
      fetch: issuer.fetch,
      // The other end is known as long as the connection is there.
      onDecision: (event) => events.push({ ...event }),
    });
    await startServers();
  });
  afterAll(() => {
    for (const close of closing) close();
  });

  async function startServers(): Promise<void> {
    const { ca, server } = certificates;
    const options = { ca, cert: server.certificate, key: server.key, requestCert: true, rejectUnauthorized: false };
    const handler = connectNodeAdapter(
      guardConnect(resourceServer, { routes: (router) => router.service(PaymentService, { charge }) }),
    );
    const secure = { http1: https.createServer(options, handler), http2: http2.createSecureServer(options, handler) };
    for (const name of ["http1", "http2"] as const) {
      secure[name].listen(0, "127.0.0.1");
      await once(secure[name], "listening");
      ports[name] = (secure[name].address() as AddressInfo).port;
      closing.push(() => secure[name].close());
    }
    const grpc = createGuardedServer(resourceServer);
    const unimplemented = (): never => {
      throw new Error("not called");
    };
    addService(grpc, PaymentService, {
      charge: (_call, callback) => callback(null, charge()),
      listPayments: unimplemented,
      refund: unimplemented,
      importSettlements: unimplemented,
    });
    closing.push(() => grpc.forceShutdown());
    const pair = { cert_chain: Buffer.from(server.certificate), private_key: Buffer.from(server.key) };
    ports.grpc = await new Promise((resolve, reject) => {
      // Without demanding one: grpc-js hands out certificates only of clients that TLS has verified.
      const secureGrpc = ServerCredentials.createSsl(Buffer.from(ca), [pair], true);
      grpc.bindAsync("127.0.0.1:0", secureGrpc, (error, port) => (error === null ? resolve(port) : reject(error)));
    });
  }

  type Call = (pair: Pair | undefined, token: string) => Promise<unknown>;

  function over(create: (nodeOptions: object, interceptors: Interceptor[]) => Transport): Call {
    return async (pair, token) => {
      const { ca } = certificates;
      const own = pair === undefined ? {} : { cert: pair.certificate, key: pair.key };
      const client: Client<typeof PaymentService> = createClient(
        PaymentService,
        create({ ca, ...own, agent: false }, [bring(token)]),
      );
      return await client.charge({});
    };
  }

  const calls: Record<string, Call> = {
    "Connect over HTTP/1.1": over((nodeOptions, interceptors) =>
      createConnectTransport({
        baseUrl: `https://127.0.0.1:${ports.http1}`,
        httpVersion: "1.1",
        nodeOptions,
        interceptors,
      }),
    ),
    "Connect over HTTP/2": over((nodeOptions, interceptors) =>
      createConnectTransport({
        baseUrl: `https://127.0.0.1:${ports.http2}`,
        httpVersion: "2",
        nodeOptions,
        interceptors,
        idleConnectionTimeoutMs: 1,
      }),
    ),
    gRPC: over((nodeOptions, interceptors) =>
      createGrpcTransport({
        baseUrl: `https://127.0.0.1:${ports.http2}`,
        nodeOptions,
        interceptors,
        idleConnectionTimeoutMs: 1,
      }),
    ),
    "grpc-js": async (pair, token) => {
      const { ca } = certificates;
      const [key, certificate] = pair === undefined ? [] : [Buffer.from(pair.key), Buffer.from(pair.certificate)];
      const channel = grpcCredentials.createSsl(Buffer.from(ca), key ?? null, certificate ?? null);
      const client = createGrpcClient(PaymentService, { target: `127.0.0.1:${ports.grpc}`, credentials: channel });
      try {
        const { Metadata } = await import("@grpc/grpc-js");
        const metadata = new Metadata();
        metadata.set("authorization", `Bearer ${token}`);
        return await client.charge({}, { metadata });
      } finally {
        client.close();
      }
    },
  };

  describe.each(Object.entries(calls))("%s", (name, call) => {
    it("is taken from whoever holds the certificate", async () => {
      await expect(call(certificates.owner, tokenFor(certificates.owner))).resolves.toBeDefined();
      expect(events.at(-1)).toMatchObject({ decision: "allow", peer: expect.stringMatching(/^127\.0\.0\.1:\d+$/) });
    });

    it("is refused from whoever stole it", async () => {
      const token = tokenFor(certificates.owner);
      await call(certificates.owner, token);
      const before = entered;
      await expect(call(certificates.thief, token)).rejects.toMatchObject({ code: 16 });
      expect(events.at(-1)).toMatchObject({
        reason: "TOKEN_INVALID",
        cause: "the token is bound to another certificate",
      });
      expect(entered).toBe(before);
    });

    it("is refused over a connection without a certificate", async () => {
      const before = entered;
      // grpc-js refuses the connection already.
      const code = name === "grpc-js" ? 14 : 16;
      await expect(call(undefined, tokenFor(certificates.owner))).rejects.toMatchObject({ code });
      expect(entered).toBe(before);
    });

    it("does not keep a token that is not bound from being used with a certificate", async () => {
      await expect(call(certificates.thief, tokenFor(undefined))).resolves.toBeDefined();
    });
  });
});
