// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { type ConnectRouter, createClient } from "@connectrpc/connect";
import { ChannelCredentials, Client, Metadata } from "@grpc/grpc-js";
import { afterAll, beforeAll, expect, it, onTestFinished } from "vitest";
import { createAuditLog } from "../../src/audit.js";
import { InventoryService } from "../../src/gen/inventory/v1/inventory_pb.js";
import { PaymentService } from "../../src/gen/payment/v1/payment_pb.js";
import { createGuardedServer, createServiceDefinition } from "../../src/grpc.js";
import { createResourceServer, guardConnect, type ResourceServer } from "../../src/index.js";
import { createServerMetrics } from "../../src/opentelemetry.js";
import { startTestMesh, type TestMesh } from "../support/test-mesh.js";
import { connectErrorOf, connectTo, errorOf, startConnectServer, startGrpcServer } from "../support/transports.js";
import { createCollector } from "../unit/telemetry/collected.js";

let mesh: TestMesh;
beforeAll(async () => {
  mesh = await startTestMesh();
});
afterAll(async () => {
  await mesh.close();
});

interface Watched {
  readonly resourceServer: ResourceServer;
  readonly audit: string[];
  /** RPC, protocol and reason of what was audited. */
  audited(): unknown[][];
  /** RPC, system, reason and number of what was counted. */
  counted(): Promise<unknown[][]>;
}

function watch(): Watched {
  const audit: string[] = [];
  const log = createAuditLog({ destination: { write: (line) => void audit.push(line) } });
  const { meterProvider, collect } = createCollector();
  const metrics = createServerMetrics({ meterProvider });
  const resourceServer = createResourceServer({
    services: [PaymentService],
    issuer: mesh.issuer,
    onDecision(event) {
      log(event);
      metrics.onDecision(event);
    },
  });
  return {
    resourceServer,
    audit,
    audited: () =>
      audit.map((line) => {
        const { rpc, protocol, reason } = JSON.parse(line) as Record<string, unknown>;
        return [rpc, protocol, reason];
      }),
    async counted() {
      const { decisions } = await collect("meshauth.server.");
      return (decisions?.points ?? []).map(({ attributes, value }) => {
        const {
          "rpc.method": rpc,
          "rpc.system.name": system,
          "error.type": reason,
        } = attributes as Partial<Record<string, unknown>>;
        return [rpc, system, reason, value];
      });
    },
  };
}

const charge = "payment.v1.PaymentService/Charge";
const refund = "payment.v1.PaymentService/Refund";
const writePayments = { audience: "https://payment-service.internal", scopes: ["payments:write"] };

it("tells of every decision of a Connect server, those at the gate too, and nothing of a token", async () => {
  const { resourceServer, audit, audited, counted } = watch();
  const authorization = await mesh.authorization("order-service", writePayments);
  const routes = (router: ConnectRouter): unknown => router.service(PaymentService, { charge: () => ({}) });
  const server = await startConnectServer(guardConnect(resourceServer, { routes }));
  const connect = createClient(PaymentService, connectTo(server, "Connect"));
  const grpc = createClient(PaymentService, connectTo(server, "gRPC"));

  await connect.charge({}, { headers: { authorization } });
  await grpc.charge({}, { headers: { authorization } });
  await grpc.charge({}, { headers: { authorization } });
  await connectErrorOf(grpc.charge({}));
  await connectErrorOf(grpc.charge({}, { headers: { authorization: `${authorization}AAAA` } }));
  await connectErrorOf(connect.refund({}, { headers: { authorization } }));

  expect(audited()).toEqual([
    [charge, "connect", undefined],
    [charge, "grpc", undefined],
    [charge, "grpc", undefined],
    [charge, "grpc", "CREDENTIALS_MISSING"],
    [charge, "grpc", "TOKEN_INVALID"],
    [refund, "connect", "SCOPE_INSUFFICIENT"],
  ]);
  expect(new Set(await counted())).toEqual(
    new Set([
      [charge, "connectrpc", undefined, 1],
      [charge, "grpc", undefined, 2],
      [charge, "grpc", "CREDENTIALS_MISSING", 1],
      [charge, "grpc", "TOKEN_INVALID", 1],
      [refund, "connectrpc", "SCOPE_INSUFFICIENT", 1],
    ]),
  );
  for (const part of authorization.slice("Bearer ".length).split(".")) expect(audit.join()).not.toContain(part);
});

it("tells of calls to a service without rules, whose names are no series", async () => {
  const { resourceServer, audited, counted } = watch();
  const server = createGuardedServer(resourceServer);
  server.addService(createServiceDefinition(InventoryService), {});
  const client = new Client(await startGrpcServer(server), ChannelCredentials.createInsecure());
  onTestFinished(() => client.close());
  const metadata = new Metadata();
  metadata.set("authorization", await mesh.authorization("order-service", writePayments));
  const { checkStock } = createServiceDefinition(InventoryService);
  const { path, requestSerialize, responseDeserialize } = checkStock;
  const call = new Promise((resolve, reject) => {
    client.makeUnaryRequest(path, requestSerialize, responseDeserialize, {}, metadata, (error, response) =>
      error === null ? resolve(response) : reject(error),
    );
  });
  await errorOf(call);
  expect(audited()).toEqual([["inventory.v1.InventoryService/CheckStock", "grpc-js", "RULE_MISSING"]]);
  expect(await counted()).toEqual([["_OTHER", "grpc", "RULE_MISSING", 1]]);
});
