// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import type { Client } from "@connectrpc/connect";
import { Health } from "../../src/gen/health/v1/health_pb.js";
import { OrderService } from "../../src/gen/order/v1/order_pb.js";
import { PaymentService } from "../../src/gen/payment/v1/payment_pb.js";
import { createResourceServer, RuleError } from "../../src/index.js";
import type { RunningMesh } from "../mesh.js";
import { startPaymentService } from "../payment/server.js";
import { authorizationOf, clientWith } from "./clients.js";
import { formatRefusal, readRefusal } from "./report.js";

/** One step of the tour. */
export interface Step {
  readonly title: string;
  /** Returns what did not come out as it should. */
  run(mesh: RunningMesh, print: (line: string) => void): Promise<string | undefined>;
}

const orderAudience = "https://order-service.internal";
const paymentAudience = "https://payment-service.internal";

/** A step that ends well only if the call is refused with this code and reason. */
function refused(title: string, code: string, reason: string, call: (mesh: RunningMesh) => Promise<unknown>): Step {
  return {
    title,
    async run(mesh, print) {
      try {
        await call(mesh);
      } catch (error) {
        const refusal = readRefusal(error);
        if (refusal === undefined) return `it failed in another way: ${String(error)}`;
        print(formatRefusal(refusal));
        const asExpected = refusal.code === code && refusal.reason === reason;
        return asExpected ? undefined : `expected ${code} ${reason}`;
      }
      return "the call went through";
    },
  };
}

function payments(authorization: string | undefined, url: string): Client<typeof PaymentService> {
  return clientWith(authorization, PaymentService, url);
}

const noToken = refused("without a token", "Unauthenticated", "CREDENTIALS_MISSING", (mesh) =>
  payments(undefined, mesh.paymentUrl).listPayments({}),
);

const wrongAudience = refused(
  "with a token for another service: the storefront's token for orders, sent to the payment service",
  "Unauthenticated",
  "TOKEN_INVALID",
  async (mesh) => {
    const requirement = { audience: orderAudience, scopes: ["orders:read"] };
    return await payments(await authorizationOf(mesh, "storefront", requirement), mesh.paymentUrl).listPayments({});
  },
);

const missingScope = refused(
  "without the scope: the intruder has a valid token for the order service, but no scopes",
  "PermissionDenied",
  "SCOPE_INSUFFICIENT",
  async (mesh) => {
    const requirement = { audience: orderAudience, scopes: [] };
    const orders = clientWith(await authorizationOf(mesh, "intruder", requirement), OrderService, mesh.orderUrl);
    return await orders.placeOrder({});
  },
);

const callerNotAllowed = refused(
  "as a caller that is not listed: Refund is for order-service and back-office only",
  "PermissionDenied",
  "CALLER_NOT_ALLOWED",
  async (mesh) => {
    const requirement = { audience: paymentAudience, scopes: [] };
    return await payments(await authorizationOf(mesh, "storefront", requirement), mesh.paymentUrl).refund({});
  },
);

const readPayments = { audience: paymentAudience, scopes: ["payments:read"] };

const expired = refused(
  "with an expired token: asked at a payment service whose clock is a day ahead",
  "Unauthenticated",
  "TOKEN_EXPIRED",
  async (mesh) => {
    const dayMs = 86_400_000;
    const clock = { now: () => Date.now() + dayMs, schedule: () => () => {} };
    const ahead = await startPaymentService({ issuer: mesh.issuer, port: 0, clock });
    try {
      const authorization = await authorizationOf(mesh, "back-office", readPayments);
      return await payments(authorization, `http://${ahead.address}`).listPayments({});
    } finally {
      await ahead.close();
    }
  },
);

const tampered = refused(
  "with a tampered token: the back office's token, with a client id that it made up",
  "Unauthenticated",
  "TOKEN_INVALID",
  async (mesh) => {
    const authorization = await authorizationOf(mesh, "back-office", readPayments);
    return await payments(tamper(authorization), mesh.paymentUrl).listPayments({});
  },
);

function tamper(authorization: string): string {
  const [header, payload = "", signature] = authorization.split(".");
  const claims = JSON.parse(Buffer.from(payload, "base64url").toString()) as Record<string, unknown>;
  const changed = Buffer.from(JSON.stringify({ ...claims, client_id: "order-service" })).toString("base64url");
  return [header, changed, signature].join(".");
}

const noRule: Step = {
  title: "an RPC without a rule: the server refuses to start",
  async run(mesh, print) {
    try {
      // Health comes from a proto of others, and here nobody says who may call it.
      createResourceServer({ services: [PaymentService, Health], issuer: mesh.issuer });
    } catch (error) {
      if (!(error instanceof RuleError)) throw error;
      for (const { file, subject, message } of error.problems) print(`    ${file}: ${subject}: ${message}`);
      return error.problems.some(({ subject }) => subject === "grpc.health.v1.Health/Check")
        ? undefined
        : "the RPC is not named";
    }
    return "the server started";
  },
};

/** The calls that should fail. */
export const refusals: readonly Step[] = [
  noToken,
  wrongAudience,
  missingScope,
  callerNotAllowed,
  expired,
  tampered,
  noRule,
];
