// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { setMaxListeners } from "node:events";
import type { DescService } from "@bufbuild/protobuf";
import type { ConnectRouter } from "@connectrpc/connect";
import { connectNodeAdapter } from "@connectrpc/connect-node";
import { createResourceServer, guardConnect } from "../../src/index.js";
import { failureInterceptor } from "./failure.js";
import { listenOnOnePort } from "./one-port.js";
import { addOperationalRoutes, operationalRules } from "./operations.js";
import type { RunningService, ServiceOptions } from "./service-options.js";

const readMaxBytes = 4 * 1024 * 1024;

/** Starts a service on connect-node: Connect, gRPC and gRPC-Web, over HTTP/1.1 and HTTP/2, guarded, on one port. */
export async function startConnectService(
  service: DescService,
  addRoutes: (router: ConnectRouter) => void,
  { issuer, port, onDecision, clock }: ServiceOptions,
): Promise<RunningService> {
  const resourceServer = createResourceServer({
    services: [service],
    rules: operationalRules,
    issuer,
    ...(onDecision && { onDecision }),
    ...(clock && { clock }),
  });
  await resourceServer.ready();
  const shutdown = new AbortController();
  // Every call that is under way listens.
  setMaxListeners(0, shutdown.signal);
  const handler = connectNodeAdapter(
    guardConnect(resourceServer, {
      readMaxBytes,
      shutdownSignal: shutdown.signal,
      interceptors: [failureInterceptor],
      routes(router: ConnectRouter) {
        addRoutes(router);
        addOperationalRoutes(router, [service]);
      },
    }),
  );
  const server = await listenOnOnePort(handler, port);
  return {
    address: `127.0.0.1:${server.port}`,
    async close() {
      shutdown.abort();
      await server.close();
    },
  };
}
