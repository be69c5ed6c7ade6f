// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { once } from "node:events";
import * as http from "node:http";
import * as http2 from "node:http2";
import type { AddressInfo } from "node:net";
import { connectNodeAdapter } from "@connectrpc/connect-node";
import { ServerCredentials } from "@grpc/grpc-js";
import { guardConnect } from "../../../src/interceptors/connect-server.js";
import { createGuardedServer } from "../../../src/interceptors/grpc-server.js";
import type { ResourceServer } from "../../../src/verification/resource-server.js";
import { addGrpcHandlers, connectRoutes, type Observed, untouched } from "./handlers.js";
import type { World } from "./world.js";

/** Servers of both stacks, which decide by whatever world is current. */
export interface Lab {
  world: World;
  readonly observed: Observed;
  readonly ports: Readonly<Record<"connect-node HTTP/1.1" | "connect-node HTTP/2" | "grpc-js HTTP/2", number>>;
  close(): void;
}

export async function startLab(first: World): Promise<Lab> {
  const observed: Observed = { ...untouched };
  const closers: (() => void)[] = [];
  const lab = { world: first, observed };
  const resourceServer = currentResourceServer(lab);
  const handler = connectNodeAdapter(
    guardConnect(resourceServer, {
      routes: connectRoutes(observed),
      // Looked at for each message that is parsed.
      binaryOptions: {
        get readUnknownFields() {
          observed.parses += 1;
          return true;
        },
      },
    }),
  );
  const watched: typeof handler = (request, response) => {
    const iterate = request[Symbol.asyncIterator].bind(request);
    request[Symbol.asyncIterator] = () => {
      observed.bodies += 1;
      return iterate();
    };
    handler(request, response);
  };
  const http1 = http.createServer(watched);
  const h2 = http2.createServer(watched);
  const sessions = new Set<http2.ServerHttp2Session>();
  h2.on("session", (session) => sessions.add(session));
  closers.push(() => {
    http1.close();
    http1.closeAllConnections();
    h2.close();
    for (const session of sessions) session.destroy();
  });
  const grpcJs = createGuardedServer(resourceServer);
  addGrpcHandlers(grpcJs, observed);
  closers.push(() => grpcJs.forceShutdown());
  const ports = {
    "connect-node HTTP/1.1": await listen(http1),
    "connect-node HTTP/2": await listen(h2),
    "grpc-js HTTP/2": await bind(grpcJs),
  };
  return Object.assign(lab, { ports, close: () => closers.forEach((close) => void close()) });
}

// Members are looked up at each use, so that a world can be put in the place of another.
function currentResourceServer(lab: { readonly world: World }): ResourceServer {
  return new Proxy(lab.world.resourceServer, {
    get(first, name) {
      if (typeof Reflect.get(first, name) !== "function") return Reflect.get(lab.world.resourceServer, name);
      return (...args: unknown[]) => {
        const { resourceServer } = lab.world;
        return (Reflect.get(resourceServer, name) as (...args: unknown[]) => unknown).apply(resourceServer, args);
      };
    },
  });
}

async function listen(server: http.Server | http2.Http2Server): Promise<number> {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return (server.address() as AddressInfo).port;
}

function bind(server: ReturnType<typeof createGuardedServer>): Promise<number> {
  return new Promise((resolve, reject) => {
    server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, port) =>
      error === null ? resolve(port) : reject(error),
    );
  });
}
