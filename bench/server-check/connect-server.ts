// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { once } from "node:events";
import { createServer } from "node:http2";
import type { AddressInfo } from "node:net";
import {
  Code,
  ConnectError,
  type ConnectRouter,
  createContextKey,
  type HandlerContext,
  type Interceptor,
} from "@connectrpc/connect";
import { type ConnectNodeAdapterOptions, connectNodeAdapter } from "@connectrpc/connect-node";
import { PaymentService } from "../../src/gen/payment/v1/payment_pb.js";
import { getPrincipal, guardConnect } from "../../src/index.js";
import { mesh } from "../lib/issuer.js";
import { peers } from "./peers/all.js";
import { createConnectumShape } from "./peers/connectum-shape.js";
import { type Claims, requireScope, type VerifyHeader } from "./peers/peer.js";
import { createMeasuredResourceServer } from "./resource-server.js";
import type { ServerSettings } from "./settings.js";

/** Starts a Connect server on loopback, and returns its port. */
export async function startConnectServer(settings: ServerSettings): Promise<number> {
  const server = createServer(connectNodeAdapter(await createOptions(settings))).listen(0, "127.0.0.1");
  await once(server, "listening");
  return (server.address() as AddressInfo).port;
}

async function createOptions(settings: ServerSettings): Promise<ConnectNodeAdapterOptions> {
  const { check } = settings;
  if (check === "meshauth") {
    const resourceServer = await createMeasuredResourceServer(settings.issuer);
    return guardConnect(resourceServer, { routes: routes((context) => getPrincipal(context).clientId) });
  }
  if (check === "nothing") return { routes: routes() };
  if (check === "empty guard") return { routes: routes(), interceptors: [empty], requestGate: async () => {} };
  if (check === "Connectum's shape") {
    return { routes: routes(), interceptors: [...createConnectumShape(settings)] };
  }
  const create = peers[check];
  if (create === undefined) throw new Error(`there is no peer ${check}`);
  return { routes: routes((context) => context.values.get(claimsKey)), interceptors: [verifyWith(create(settings))] };
}

// An echo, as small as it gets.
function routes(whoCalls?: (context: HandlerContext) => unknown): (router: ConnectRouter) => void {
  return (router) =>
    router.service(PaymentService, {
      listPayments(request, context) {
        if (whoCalls !== undefined && whoCalls(context) === undefined) throw new Error("nobody calls");
        return { nextPageToken: request.pageToken };
      },
    });
}

const empty: Interceptor = (next) => async (request) => await next(request);

const claimsKey = createContextKey<Claims | undefined>(undefined);

function verifyWith(verify: VerifyHeader): Interceptor {
  return (next) => async (request) => {
    try {
      const verdict = verify(request.header.get("authorization") ?? undefined);
      const claims = verdict instanceof Promise ? await verdict : verdict;
      requireScope(claims, mesh.scope);
      request.contextValues.set(claimsKey, claims);
    } catch {
      throw new ConnectError("refused", Code.Unauthenticated);
    }
    return await next(request);
  };
}
