// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { logVerbosity, type Server, ServerCredentials, setLogVerbosity } from "@grpc/grpc-js";
import { InventoryService } from "../../src/gen/inventory/v1/inventory_pb.js";
import { addService, createGuardedServer } from "../../src/grpc.js";
import { createResourceServer } from "../../src/index.js";
import { addOperationalServices, operationalRules } from "../shared/operations.js";
import type { RunningService, ServiceOptions } from "../shared/service-options.js";
import { createHandlers } from "./handlers.js";
import { Stock } from "./stock.js";

/** Starts the inventory service, on grpc-js. */
export async function startInventoryService(options: ServiceOptions): Promise<RunningService> {
  const { issuer, port, onDecision, clock } = options;
  const resourceServer = createResourceServer({
    services: [InventoryService],
    rules: operationalRules,
    issuer,
    ...(onDecision && { onDecision }),
    ...(clock && { clock }),
  });
  await resourceServer.ready();
  const server = createGuardedServer(resourceServer);
  addService(server, InventoryService, createHandlers(new Stock()));
  addOperationalServices(server, [InventoryService]);
  const boundPort = await bind(server, port);
  return {
    address: `127.0.0.1:${boundPort}`,
    async close() {
      server.forceShutdown();
    },
  };
}

function bind(server: Server, port: number): Promise<number> {
  // grpc-js would log what the error says.
  setLogVerbosity(logVerbosity.NONE);
  return new Promise((resolve, reject) => {
    server.bindAsync(`127.0.0.1:${port}`, ServerCredentials.createInsecure(), (error, boundPort) => {
      setLogVerbosity(logVerbosity.ERROR);
      if (error === null) resolve(boundPort);
      else reject(error);
    });
  });
}
