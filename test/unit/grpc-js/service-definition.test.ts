// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { Server } from "@grpc/grpc-js";
import { describe, expect, it } from "vitest";
import {
  InventoryService,
  SyncStockRequestSchema,
  SyncStockResponseSchema,
} from "../../../src/gen/inventory/v1/inventory_pb.js";
import { ChargeRequestSchema, ChargeResponseSchema, PaymentService } from "../../../src/gen/payment/v1/payment_pb.js";
import {
  addService,
  createMethodDefinition,
  createServiceDefinition,
  type GrpcHandlers,
  grpcPath,
} from "../../../src/grpc-js/service-definition.js";

describe("createServiceDefinition", () => {
  it("names every RPC as its handlers do", () => {
    expect(Object.keys(createServiceDefinition(PaymentService))).toEqual([
      "charge",
      "listPayments",
      "refund",
      "importSettlements",
    ]);
  });

  it.each([
    [PaymentService.method.charge, false, false, "/payment.v1.PaymentService/Charge", "charge"],
    [
      PaymentService.method.importSettlements,
      true,
      false,
      "/payment.v1.PaymentService/ImportSettlements",
      "importSettlements",
    ],
    [InventoryService.method.watchStock, false, true, "/inventory.v1.InventoryService/WatchStock", "watchStock"],
    [InventoryService.method.syncStock, true, true, "/inventory.v1.InventoryService/SyncStock", "syncStock"],
  ])("says what streams: $name", (method, requestStream, responseStream, path, originalName) => {
    expect(createMethodDefinition(method)).toMatchObject({ requestStream, responseStream, path, originalName });
    expect(grpcPath(method)).toBe(path);
  });

  it("writes and reads requests and responses, each with its own schema", () => {
    const { charge } = createServiceDefinition(PaymentService);
    const request = create(ChargeRequestSchema, { requestId: "7", amount: { currencyCode: "EUR", units: 3n } });
    const response = create(ChargeResponseSchema, { payment: { name: "payments/7" } });
    expect(charge.requestDeserialize(charge.requestSerialize(request))).toEqual(request);
    expect(charge.responseDeserialize(charge.responseSerialize(response))).toEqual(response);
    expect(fromBinary(ChargeRequestSchema, charge.requestSerialize(request))).toEqual(request);
    expect(charge.responseSerialize(response)).toEqual(Buffer.from(toBinary(ChargeResponseSchema, response)));
  });

  it("writes plain objects, with fields left out", () => {
    const { syncStock } = createServiceDefinition(InventoryService);
    expect(syncStock.requestDeserialize(syncStock.requestSerialize({ sku: "tea" }))).toEqual(
      create(SyncStockRequestSchema, { sku: "tea", counted: 0 }),
    );
    const bytes = syncStock.responseSerialize({ stockLevel: { sku: "tea", unitPrice: { units: 3n } } });
    expect(syncStock.responseDeserialize(bytes)).toEqual(
      create(SyncStockResponseSchema, { stockLevel: { sku: "tea", unitPrice: { units: 3n } } }),
    );
  });

  it("writes exactly the bytes of a message", () => {
    const { syncStock } = createServiceDefinition(InventoryService);
    const message = create(SyncStockRequestSchema, { sku: "tea", counted: 3 });
    const bytes = syncStock.requestSerialize(message);
    expect(Buffer.isBuffer(bytes)).toBe(true);
    expect(bytes.equals(toBinary(SyncStockRequestSchema, message))).toBe(true);
  });

  it("does not write the message of another RPC", () => {
    const { charge } = createServiceDefinition(PaymentService);
    const foreign = create(SyncStockRequestSchema, { sku: "tea" });
    expect(charge.requestSerialize(foreign as never)).toEqual(Buffer.alloc(0));
  });

  it("throws at bytes that are no message", () => {
    const { charge } = createServiceDefinition(PaymentService);
    expect(() => charge.requestDeserialize(Buffer.from([0xff]))).toThrow();
    expect(() => charge.responseDeserialize(Buffer.from([0xff]))).toThrow();
  });
});

describe("addService", () => {
  it("adds every RPC to the server, once", () => {
    const server = new Server();
    const handlers = {} as GrpcHandlers<typeof PaymentService>;
    addService(server, PaymentService, handlers);
    expect(() => addService(server, PaymentService, handlers)).toThrow(/Charge/);
  });
});
