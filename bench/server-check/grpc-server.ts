// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import {
  type Metadata,
  Server,
  ServerCredentials,
  ServerInterceptingCall,
  type ServerInterceptor,
  status,
} from "@grpc/grpc-js";
import { PaymentService } from "../../src/gen/payment/v1/payment_pb.js";
import { addService, createGuardedServer, getPrincipal } from "../../src/grpc.js";
import { mesh } from "../lib/issuer.js";
import { peers } from "./peers/all.js";
import { type Claims, requireScope, type VerifyHeader } from "./peers/peer.js";
import { createMeasuredResourceServer } from "./resource-server.js";
import type { ServerSettings } from "./settings.js";

/** Starts a grpc-js server on loopback, and returns its port. */
export async function startGrpcServer(settings: ServerSettings): Promise<number> {
  const { server, whoCalls } = await createServer(settings);
  addService(server, PaymentService, {
    charge: unavailable,
    refund: unavailable,
    importSettlements: unavailable,
    // An echo, as small as it gets.
    listPayments(call, answer) {
      if (whoCalls !== undefined && whoCalls(call) === undefined) throw new Error("nobody calls");
      answer(null, { nextPageToken: call.request.pageToken });
    },
  });
  return await new Promise((resolve, reject) => {
    server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, port) => {
      if (error === null) resolve(port);
      else reject(error);
    });
  });
}

interface MeasuredServer {
  readonly server: Server;
  readonly whoCalls?: (call: { readonly metadata: Metadata }) => unknown;
}

async function createServer(settings: ServerSettings): Promise<MeasuredServer> {
  const { check } = settings;
  if (check === "meshauth") {
    const server = createGuardedServer(await createMeasuredResourceServer(settings.issuer));
    return { server, whoCalls: (call) => getPrincipal(call).clientId };
  }
  if (check === "nothing") return { server: new Server() };
  if (check === "empty guard") return { server: new Server({ interceptors: [empty] }) };
  const create = peers[check];
  if (create === undefined) throw new Error(`there is no peer ${check}`);
  const server = new Server({ interceptors: [verifyWith(create(settings))] });
  return { server, whoCalls: ({ metadata }) => claimsOf.get(metadata) };
}

const empty: ServerInterceptor = (_definition, call) =>
  new ServerInterceptingCall(call, {
    start: (next) => next({ onReceiveMetadata: (metadata, deliver) => deliver(metadata) }),
  });

const claimsOf = new WeakMap<Metadata, Claims>();

function verifyWith(verify: VerifyHeader): ServerInterceptor {
  return (_definition, call) => {
    const refuse = (): void => call.sendStatus({ code: status.UNAUTHENTICATED, details: "refused" });
    return new ServerInterceptingCall(call, {
      start: (next) =>
        next({
          onReceiveMetadata(metadata, deliver) {
            const admit = (claims: Claims): void => {
              requireScope(claims, mesh.scope);
              claimsOf.set(metadata, claims);
              deliver(metadata);
            };
            try {
              const verdict = verify(metadata.get("authorization")[0]?.toString());
              if (verdict instanceof Promise) verdict.then(admit).catch(refuse);
              else admit(verdict);
            } catch {
              refuse();
            }
          },
        }),
    });
  };
}

function unavailable(...parameters: readonly unknown[]): void {
  const answer = parameters[1] as (error: { code: status; details: string }) => void;
  answer({ code: status.UNIMPLEMENTED, details: "not measured" });
}
