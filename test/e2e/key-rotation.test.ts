// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { createClient, type Interceptor, type Transport } from "@connectrpc/connect";
import { credentials, Metadata } from "@grpc/grpc-js";
import { describe, expect, it } from "vitest";
import { PaymentService } from "../../src/gen/payment/v1/payment_pb.js";
import { addService, createGrpcClient, createGuardedServer } from "../../src/grpc.js";
import { createResourceServer, guardConnect } from "../../src/index.js";
import { createFakeClock, type FakeClock } from "../support/fake-clock.js";
import { createIssuer, down, mintKey, signToken, type TestIssuer, type TestKey } from "../support/issuer.js";
import { connectTo, startConnectServer, startGrpcServer, wires } from "../support/transports.js";

const [first, second, third, stranger] = await Promise.all(
  ["key-1", "key-2", "key-3", "key-1"].map((kid) => mintKey("ES256", kid)),
);
if (first === undefined || second === undefined || third === undefined || stranger === undefined)
  throw new Error("keys");

const minute = 60_000;
const start = Date.UTC(2026, 0, 1);

let tokens = 0;

function tokenBy(key: TestKey, clock: FakeClock, kid = key.kid): string {
  const now = Math.floor(clock.now() / 1000);
  tokens += 1;
  return signToken(
    key,
    { alg: key.alg, kid, typ: "at+jwt" },
    {
      iss: "https://login.example.com",
      aud: "https://payment-service.internal",
      sub: "order-service",
      client_id: "order-service",
      scope: "payments:write",
      iat: now,
      exp: now + 7200,
      jti: `token-${tokens}`,
    },
  );
}

/** Calls with a token; resolves to whether it was let in. */
type Call = (token: string) => Promise<boolean>;

async function startBench(wire: string): Promise<{ call: Call; issuer: TestIssuer; clock: FakeClock }> {
  const issuer = createIssuer("https://login.example.com", first as TestKey);
  const clock = createFakeClock(start);
  const resourceServer = createResourceServer({
    services: [PaymentService],
    issuer: issuer.url,
    fetch: issuer.fetch,
    clock,
  });
  await resourceServer.ready();
  return { issuer, clock, call: wire === "grpc-js" ? await serveGrpc() : await serveConnect() };

  async function serveConnect(): Promise<Call> {
    const routes = guardConnect(resourceServer, {
      routes: (router) => router.service(PaymentService, { charge: () => ({}) }),
    });
    const server = await startConnectServer(routes);
    const bring: Interceptor = (next) => async (request) => {
      const token = request.header.get("x-token") ?? "";
      request.header.set("authorization", `Bearer ${token}`);
      return await next(request);
    };
    const transport: Transport = connectTo(server, wire as (typeof wires)[number], [bring]);
    const client = createClient(PaymentService, transport);
    return (token) =>
      client.charge({}, { headers: { "x-token": token } }).then(
        () => true,
        () => false,
      );
  }

  async function serveGrpc(): Promise<Call> {
    const unused = (): never => {
      throw new Error("not called");
    };
    const server = createGuardedServer(resourceServer);
    addService(server, PaymentService, {
      charge: (_call, callback) => callback(null, {}),
      listPayments: unused,
      refund: unused,
      importSettlements: unused,
    });
    const target = await startGrpcServer(server);
    const client = createGrpcClient(PaymentService, { target, credentials: credentials.createInsecure() });
    return async (token) => {
      const metadata = new Metadata();
      metadata.set("authorization", `Bearer ${token}`);
      return await client.charge({}, { metadata }).then(
        () => true,
        () => false,
      );
    };
  }
}

describe.each([...wires, "grpc-js"])("keys that change under load on %s", (wire) => {
  it("cost no good call, and let no bad one in", { timeout: 60_000 }, async () => {
    const { call, issuer, clock } = await startBench(wire);
    const old = tokenBy(first, clock);
    /** Many calls at the same time: known tokens, new ones, and forged ones in between. */
    const load = async (signers: readonly TestKey[], known: readonly string[]) => {
      const good = Array.from({ length: 40 }, (_, at) => tokenBy(signers[at % signers.length] as TestKey, clock));
      const forged = Array.from({ length: 20 }, (_, at) =>
        tokenBy(stranger, clock, at % 2 ? first.kid : `made-up-${at}`),
      );
      const [letIn, others] = await Promise.all([
        Promise.all([...good, ...known, ...known].map(call)),
        Promise.all(forged.map(call)),
      ]);
      expect(letIn).toEqual(letIn.map(() => true));
      expect(others).toEqual(others.map(() => false));
    };

    await load([first], [old]);
    // Published ahead, as issuers do.
    issuer.publish(first, second);
    clock.advance(10 * minute);
    await load([first], [old]);
    await load([first, second], [old]);
    // An outage, in which the old keys do.
    issuer.jwks = down;
    clock.advance(30 * minute);
    await load([first, second], [old]);
    clock.advance(20 * minute);
    await load([first, second], [old]);
    // Recovery, and a key that signs from the moment on that it is published.
    issuer.publish(first, second, third);
    clock.advance(minute);
    await load([first, second], [old]);
    await load([third], [old]);
    // A key is withdrawn: what it signed is refused after the next refresh, known or not.
    issuer.publish(second, third);
    clock.advance(10 * minute);
    await load([second, third], []);
    await load([second, third], []);
    expect(await Promise.all([old, tokenBy(first, clock)].map(call))).toEqual([false, false]);
    expect(issuer.counts.jwks).toBeLessThan(20);
    expect(issuer.counts.other).toBe(0);
  });
});
