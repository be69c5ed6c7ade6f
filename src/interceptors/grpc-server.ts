// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import type { DescMethod } from "@bufbuild/protobuf";
import { type Metadata, Server, type ServerInterceptor, type ServerOptions, status } from "@grpc/grpc-js";
import { grpcPath } from "../grpc-js/service-definition.js";
import { createStamp, type Stamp } from "../platform/stamp.js";
import type { Decision } from "../verification/decision/decision.js";
import type { Principal } from "../verification/principal.js";
import type { ResourceServer } from "../verification/resource-server.js";
import { GuardedCall } from "./grpc-guarded-call.js";
import { refusalToStatus } from "./grpc-status.js";
import { GrpcTransport } from "./grpc-transport.js";

// Tied to the Metadata object of one call, which its handler gets to see.
const principals: Stamp<Principal> = createStamp();

/**
 * Who calls, for handlers of a server guarded by guardGrpc().
 *
 * Throws if nobody knows: the RPC is public, or refused calls are let through.
 */
export function getPrincipal(call: { readonly metadata: Metadata }): Principal {
  const principal = findPrincipal(call);
  if (principal === undefined) {
    throw new Error("this call has no principal: its RPC is public, or its server is not guarded by guardGrpc()");
  }
  return principal;
}

/** Who calls, like getPrincipal(); `undefined` if nobody knows. */
export function findPrincipal({ metadata }: { readonly metadata: Metadata }): Principal | undefined {
  return principals.get(metadata);
}

/**
 * Creates a grpc-js server whose calls are guarded by guardGrpc(), in front of the interceptors of the options.
 *
 * ```ts
 * const server = createGuardedServer(resourceServer);
 * addService(server, InventoryService, handlers);
 * ```
 */
export function createGuardedServer(resourceServer: ResourceServer, options: ServerOptions = {}): Server {
  return new Server({ ...options, interceptors: [guardGrpc(resourceServer), ...(options.interceptors ?? [])] });
}

/**
 * Creates the interceptor that guards a grpc-js server. Callers are checked before a message is read. It has to be the
 * first of the server's interceptors; createGuardedServer() sees to that.
 */
export function guardGrpc(resourceServer: ResourceServer): ServerInterceptor {
  const methods = new Map(resourceServer.rules.all.map(({ method }) => [grpcPath(method), method]));
  // The path that the handler was registered with, not the one that the caller sent.
  return ({ path }, call) =>
    new GuardedCall(call, (guarded, metadata, deliver) => {
      const request = { method: methods.get(path), path, metadata, transport: new GrpcTransport(call, metadata, path) };
      decide(resourceServer, guarded, request, (decision) => {
        if (guarded.isOver || !admit(resourceServer, guarded, metadata, decision)) return;
        deliver();
      });
    });
}

interface GrpcRequest {
  readonly method: DescMethod | undefined;
  readonly path: string;
  readonly metadata: Metadata;
  readonly transport: GrpcTransport;
}

/** Asks for a decision, and concludes: at once if the decision is there at once. */
function decide(
  resourceServer: ResourceServer,
  call: GuardedCall,
  { method, path, metadata, transport }: GrpcRequest,
  conclude: (decision: Decision) => void,
): void {
  const fail = (): void => call.refuse({ code: status.INTERNAL, details: "the access check failed" });
  let decision: Decision | Promise<Decision>;
  try {
    const authorization = readAuthorization(metadata);
    decision = resourceServer.authorize({ method, rpc: path.slice(1), authorization, protocol: "grpc-js", transport });
  } catch {
    fail();
    return;
  }
  if (decision instanceof Promise) decision.then(conclude).catch(fail);
  else conclude(decision);
}

function readAuthorization(metadata: Metadata): string | undefined {
  const values = metadata.get("authorization");
  return values.length === 0 ? undefined : values.join(", ");
}

/** Refuses the call, or makes its principal known and follows its stream. Returns whether it is let in. */
function admit(
  { clock, clockToleranceMs, enforces }: ResourceServer,
  call: GuardedCall,
  metadata: Metadata,
  decision: Decision,
): boolean {
  if (!decision.allowed) {
    call.refuse(refusalToStatus(decision.refusal));
    return false;
  }
  const { rule, principal, dpopNonce } = decision;
  call.dpopNonce = dpopNonce;
  if (principal === undefined) return true;
  principals.set(metadata, principal);
  // A handler that passes its metadata on must not pass on what its caller is.
  metadata.remove("authorization");
  if (rule.rule.onTokenExpiry === "keep" || !enforces) return true;
  const stopTimer = clock.schedule(principal.expiresAt + clockToleranceMs - clock.now(), () => {
    // Ending the call cancels it for its handler as well.
    const cause = "the token expired during the stream";
    call.refuse(refusalToStatus({ reason: "TOKEN_EXPIRED", cause, audience: rule.audience, stream: true }));
  });
  call.onEnd(stopTimer);
  return true;
}
