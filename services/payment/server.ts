// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import type { ConnectRouter, ServiceImpl } from "@connectrpc/connect";
import { PaymentService } from "../../src/gen/payment/v1/payment_pb.js";
import { getPrincipal } from "../../src/index.js";
import { startConnectService } from "../shared/connect-service.js";
import type { RunningService, ServiceOptions } from "../shared/service-options.js";
import { Payments } from "./payments.js";

/** Starts the payment service. */
export async function startPaymentService(
  options: ServiceOptions & { readonly payments?: Payments },
): Promise<RunningService> {
  const handlers = createHandlers(options.payments ?? new Payments());
  return await startConnectService(
    PaymentService,
    (router: ConnectRouter) => router.service(PaymentService, handlers),
    options,
  );
}

function createHandlers(payments: Payments): ServiceImpl<typeof PaymentService> {
  return {
    charge(request, context) {
      return { payment: payments.charge(getPrincipal(context).clientId, request) };
    },
    listPayments(request) {
      return payments.list(request);
    },
    refund({ name }) {
      return { payment: payments.refund(name) };
    },
    async importSettlements(requests) {
      let settledCount = 0;
      const rejectedPayments: string[] = [];
      for await (const request of requests) {
        if (payments.settle(request)) settledCount += 1;
        else rejectedPayments.push(request.payment);
      }
      return { settledCount, rejectedPayments };
    },
  };
}
