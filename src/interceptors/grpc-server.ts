// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import type { DescMethod } from "@bufbuild/protobuf";
import {
  type Metadata,
  Server,
  ServerInterceptingCall,
  type ServerInterceptingCallInterface,
  type ServerInterceptor,
  type ServerOptions,
  status,
} from "@grpc/grpc-js";
import { grpcPath } from "../grpc-js/service-definition.js";
import type { Decision } from "../verification/decision.js";
import type { Principal } from "../verification/principal.js";
import type { ResourceServer } from "../verification/resource-server.js";
import { containEscapedStatus, refusalToStatus } from "./grpc-status.js";
import { GrpcTransport } from "./grpc-transport.js";
import { dpopNonceHeader } from "./outcome.js";

// Tied to the Metadata object of one call, which its handler gets to see.
const principals = new WeakMap<Metadata, Principal>();

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
  return (definition, call) => {
    // The path that the handler was registered with, not the one that the caller sent.
    const { path } = definition;
    const method = methods.get(path);
    let stopTimer: (() => void) | undefined;
    let over = false;
    let dpopNonce: string | undefined;
    const finish = (): void => {
      over = true;
      stopTimer?.();
    };
    return new ServerInterceptingCall(call, {
      start(next) {
        next({
          onReceiveMetadata(metadata, deliver) {
            decide(resourceServer, call, metadata, path, method, (decision) => {
              if (over) return;
              stopTimer = admit(resourceServer, call, metadata, decision);
              if (!decision.allowed) return;
              dpopNonce = decision.dpopNonce;
              // A handler that passes its metadata on must not pass on what its caller is.
              if (decision.principal !== undefined) metadata.remove("authorization");
              deliver(metadata);
            });
          },
          onCancel: finish,
        });
      },
      sendMetadata(metadata, next) {
        if (dpopNonce !== undefined) metadata.set(dpopNonceHeader, dpopNonce);
        next(metadata);
      },
      sendStatus(ended, next) {
        finish();
        next(containEscapedStatus(ended));
      },
    });
  };
}

/** Asks for a decision, and concludes: at once if the decision is there at once. */
function decide(
  resourceServer: ResourceServer,
  call: ServerInterceptingCallInterface,
  metadata: Metadata,
  path: string,
  method: DescMethod | undefined,
  conclude: (decision: Decision) => void,
): void {
  const fail = (): void => call.sendStatus({ code: status.INTERNAL, details: "the access check failed" });
  let decision: Decision | Promise<Decision>;
  try {
    decision = resourceServer.authorize({
      method,
      rpc: path.slice(1),
      authorization: readAuthorization(metadata),
      protocol: "grpc-js",
      transport: new GrpcTransport(call, metadata, path),
    });
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

/** Refuses the call, or makes its principal known and follows its stream. Returns what stops following it. */
function admit(
  resourceServer: ResourceServer,
  call: ServerInterceptingCallInterface,
  metadata: Metadata,
  decision: Decision,
): (() => void) | undefined {
  if (!decision.allowed) {
    call.sendStatus(refusalToStatus(decision.refusal));
    return undefined;
  }
  const { rule, principal } = decision;
  if (principal === undefined) return undefined;
  principals.set(metadata, principal);
  if (rule.rule.onTokenExpiry === "keep") return undefined;
  const { clock, clockToleranceMs } = resourceServer;
  return clock.schedule(principal.expiresAt + clockToleranceMs - clock.now(), () => {
    // Ending the call cancels it for its handler as well.
    const cause = "the token expired during the stream";
    call.sendStatus(refusalToStatus({ reason: "TOKEN_EXPIRED", cause, audience: rule.audience, stream: true }));
  });
}
