// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import type { ServerUnaryCall, sendUnaryData } from "@grpc/grpc-js";
import type { InventoryService, StockLevel } from "../../src/gen/inventory/v1/inventory_pb.js";
import { type GrpcHandlers, getPrincipal } from "../../src/grpc.js";
import { toGrpcStatus } from "../shared/failure.js";
import { Validation } from "../shared/validation.js";
import type { Stock } from "./stock.js";

/** Creates the handlers of the inventory service. */
export function createHandlers(stock: Stock): GrpcHandlers<typeof InventoryService> {
  return {
    checkStock: unary(({ request }) => ({ stockLevels: stock.check(request.skus) })),
    reserveStock: unary((call) => ({ reservation: stock.reserve(getPrincipal(call).clientId, call.request) })),
    confirmReservation: unary(({ request }) => ({ reservation: stock.confirm(request.name) })),
    cancelReservation: unary(({ request }) => ({ reservation: stock.cancel(request.name) })),
    watchStock(call) {
      watch(stock, call.request.sku, call).catch((error: unknown) => call.emit("error", toError(error)));
    },
    syncStock(call) {
      call.on("data", (request) => {
        try {
          call.write({ stockLevel: stock.sync(request) });
        } catch (error) {
          call.emit("error", toError(error));
        }
      });
      call.on("end", () => call.end());
    },
  };
}

function unary<I, O>(
  handle: (call: ServerUnaryCall<I, O>) => O,
): (call: ServerUnaryCall<I, O>, callback: sendUnaryData<O>) => void {
  return (call, callback) => {
    try {
      callback(null, handle(call));
    } catch (error) {
      callback(toGrpcStatus(error));
    }
  };
}

interface StockWriter {
  write(response: { stockLevel: StockLevel }): unknown;
  once(event: "cancelled", listener: () => void): unknown;
}

async function watch(stock: Stock, sku: string, call: StockWriter): Promise<void> {
  const cancelled = new AbortController();
  call.once("cancelled", () => cancelled.abort());
  new Validation().sku(sku, "sku").done();
  const changes = stock.changes.subscribe(cancelled.signal);
  call.write({ stockLevel: stock.level(sku) });
  for await (const stockLevel of changes) {
    if (stockLevel.sku === sku) call.write({ stockLevel });
  }
}

// grpc-js takes the status of a stream from the properties of an error that is emitted; one that destroys it sends none.
function toError(error: unknown): Error {
  return Object.assign(new Error("stream failed"), toGrpcStatus(error));
}
