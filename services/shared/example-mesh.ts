// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { readFileSync } from "node:fs";
import type { DescService } from "@bufbuild/protobuf";
import { InventoryService } from "../../src/gen/inventory/v1/inventory_pb.js";
import { OrderService } from "../../src/gen/order/v1/order_pb.js";
import { PaymentService } from "../../src/gen/payment/v1/payment_pb.js";
import { type Mesh, readMesh } from "../../src/index.js";

/** The services of the example mesh. */
export const services: readonly DescService[] = [OrderService, PaymentService, InventoryService];

/** Reads the example mesh: its services' protos, and the mesh file for clients without a service. */
export function readExampleMesh(): Mesh {
  const file = new URL("../mesh.json", import.meta.url);
  return readMesh({ services, mesh: JSON.parse(readFileSync(file, "utf8")) });
}
