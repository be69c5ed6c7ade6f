// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { createClient, type Interceptor } from "@connectrpc/connect";
import { credentials, Metadata } from "@grpc/grpc-js";
import { beforeEach, describe, expect, it, vi } from "vitest";
import { InventoryService } from "../../src/gen/inventory/v1/inventory_pb.js";
import { PaymentService } from "../../src/gen/payment/v1/payment_pb.js";
import {
  addService,
  createGrpcClient,
  createGuardedServer,
  type GrpcHandlers,
  findPrincipal as principalOfGrpcCall,
} from "../../src/grpc.js";
import {
  createResourceServer,
  type DecisionEvent,
  findPrincipal,
  guardConnect,
  letRefusedCallsThrough,
} from "../../src/index.js";
import { createIssuer, mintKey, signToken } from "../support/issuer.js";
import { connectTo, startConnectServer, startGrpcServer, wires } from "../support/transports.js";

const key = await mintKey("ES256", "key-1");
const issuer = createIssuer("https://login.example.com", key);

function token(audience: string, scope: string): string {
  const now = Math.floor(Date.now() / 1000);
  const times = { iat: now, exp: now + 300 };
  const who = { iss: issuer.url, aud: audience, sub: "order-service", client_id: "order-service" };
  return signToken(key, { alg: key.alg, kid: key.kid, typ: "at+jwt" }, { ...who, ...times, scope });
}

beforeEach(() => {
  vi.spyOn(process, "emitWarning").mockReturnValue();
});

function createReporting() {
  const events: DecisionEvent[] = [];
  const resourceServer = createResourceServer({
    services: [PaymentService, InventoryService],
    issuer: issuer.url,
    fetch: issuer.fetch,
    enforcement: letRefusedCallsThrough,
    onDecision: (event) => events.push(event),
  });
  return { resourceServer, seen: () => events.map(({ decision, reason, enforced }) => [decision, reason, enforced]) };
}

const unchecked = [
  ["refuse", "CREDENTIALS_MISSING", false],
  ["refuse", "TOKEN_INVALID", false],
  ["refuse", "SCOPE_INSUFFICIENT", false],
  ["allow", undefined, false],
];

describe("a server that only reports", () => {
  it.each(wires)("serves every caller on %s, and tells handlers who calls as far as that is known", async (wire) => {
    const { resourceServer, seen } = createReporting();
    const server = await startConnectServer(
      guardConnect(resourceServer, {
        routes: (router) =>
          router.service(PaymentService, {
            charge: (_request, context) => ({ payment: { name: findPrincipal(context)?.clientId ?? "nobody" } }),
          }),
      }),
    );
    const audience = "https://payment-service.internal";
    const names: (string | undefined)[] = [];
    for (const value of [undefined, "a.b.c", token(audience, "payments:read"), token(audience, "payments:write")]) {
      const bring: Interceptor = (next) => async (request) => {
        if (value !== undefined) request.header.set("authorization", `Bearer ${value}`);
        return await next(request);
      };
      names.push((await createClient(PaymentService, connectTo(server, wire, [bring])).charge({})).payment?.name);
    }
    expect(names).toEqual(["nobody", "nobody", "order-service", "order-service"]);
    expect(seen()).toEqual(unchecked);
  });

  it("serves every caller on grpc-js", async () => {
    const { resourceServer, seen } = createReporting();
    const names: (string | undefined)[] = [];
    const unused = (): never => {
      throw new Error("not called");
    };
    const handlers: GrpcHandlers<typeof InventoryService> = {
      checkStock(call, callback) {
        names.push(principalOfGrpcCall(call)?.clientId);
        callback(null, {});
      },
      reserveStock: unused,
      confirmReservation: unused,
      cancelReservation: unused,
      watchStock: unused,
      syncStock: unused,
    };
    const server = createGuardedServer(resourceServer);
    addService(server, InventoryService, handlers);
    const target = await startGrpcServer(server);
    const client = createGrpcClient(InventoryService, { target, credentials: credentials.createInsecure() });
    const audience = "https://inventory-service.internal";
    for (const value of [undefined, "a.b.c", token(audience, "inventory:none"), token(audience, "inventory:read")]) {
      const metadata = new Metadata();
      if (value !== undefined) metadata.set("authorization", `Bearer ${value}`);
      await client.checkStock({}, { metadata });
    }
    client.close();
    expect(names).toEqual([undefined, undefined, "order-service", "order-service"]);
    expect(seen()).toEqual(unchecked);
  });
});
