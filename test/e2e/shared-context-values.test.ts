// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { type ConnectRouter, createClient, createContextValues } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-node";
import { afterAll, beforeAll, expect, it } from "vitest";
import { PaymentService } from "../../src/gen/payment/v1/payment_pb.js";
import { createResourceServer, getPrincipal, guardConnect } from "../../src/index.js";
import { startTestMesh, type TestMesh } from "../support/test-mesh.js";
import { type Deferred, defer, startConnectServer } from "../support/transports.js";

const readPayments = { audience: "https://payment-service.internal", scopes: ["payments:read"] };
const writePayments = { audience: "https://payment-service.internal", scopes: ["payments:write"] };

let mesh: TestMesh;
beforeAll(async () => {
  mesh = await startTestMesh();
});
afterAll(async () => {
  await mesh.close();
});

it("tells every handler its own caller, although all requests share the user's context values", async () => {
  const shared = createContextValues();
  const bothAreIn: Deferred = defer();
  const seen: Record<string, string> = {};
  const resourceServer = createResourceServer({ services: [PaymentService], issuer: mesh.issuer });
  const server = await startConnectServer(
    guardConnect(resourceServer, {
      contextValues: () => shared,
      routes: (router: ConnectRouter) =>
        router.service(PaymentService, {
          async listPayments(_request, context) {
            await bothAreIn.promise;
            seen["listPayments"] = getPrincipal(context).clientId;
            return {};
          },
          charge(_request, context) {
            seen["charge"] = getPrincipal(context).clientId;
            bothAreIn.resolve();
            return {};
          },
        }),
    }),
  );
  const transport = createConnectTransport({ baseUrl: `http://127.0.0.1:${server.http2Port}`, httpVersion: "2" });
  const client = createClient(PaymentService, transport);
  const headersOf = async (clientId: string, need: typeof readPayments) => ({
    headers: { authorization: await mesh.authorization(clientId, need) },
  });
  const list = client.listPayments({}, await headersOf("back-office", readPayments));
  await client.charge({}, await headersOf("order-service", writePayments));
  await list;
  expect(seen).toEqual({ listPayments: "back-office", charge: "order-service" });
});
