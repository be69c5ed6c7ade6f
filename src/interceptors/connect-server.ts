// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import type { DescMethod } from "@bufbuild/protobuf";
import type {
  ConnectRouter,
  ConnectRouterOptions,
  ContextValues,
  HandlerContext,
  Interceptor,
  StreamRequest,
  StreamResponse,
  UnaryRequest,
} from "@connectrpc/connect";
import { createStamp, type Stamp } from "../platform/stamp.js";
import { problemAt, RuleError, rpcName } from "../rules/problem.js";
import type { Decision } from "../verification/decision/decision.js";
import type { Principal } from "../verification/principal.js";
import type { ResourceServer } from "../verification/resource-server.js";
import { containEscapedRefusal, refusalToConnectError } from "./connect-error.js";
import { type Admission, followStream } from "./connect-stream.js";
import { dpopNonceHeader } from "./outcome.js";
import { ConnectTransport, readAuthorization, requestOf, withRequest } from "./raw-request.js";

/** The part of an adapter's options that guardConnect() looks at. */
export interface ConnectServerOptions extends ConnectRouterOptions {
  readonly routes: (router: ConnectRouter) => unknown;
  readonly contextValues?: ((request: never) => ContextValues) | undefined;
}

/** A call that a guard let in. */
interface Admitted extends Admission {
  readonly by: ResourceServer;
}

// Tied to the Headers object of one request, which its handler gets to see: nothing that a caller sends, and no context
// values that requests may share, can look like it.
const admissions: Stamp<Admitted> = createStamp();

/**
 * Who calls, for handlers of a server guarded by guardConnect().
 *
 * Throws if nobody knows: the RPC is public, or refused calls are let through.
 */
export function getPrincipal(context: Pick<HandlerContext, "requestHeader">): Principal {
  const principal = findPrincipal(context);
  if (principal === undefined) {
    throw new Error("this call has no principal: its RPC is public, or its server is not guarded by guardConnect()");
  }
  return principal;
}

/** Who calls, like getPrincipal(); `undefined` if nobody knows. */
export function findPrincipal({ requestHeader }: Pick<HandlerContext, "requestHeader">): Principal | undefined {
  return admissions.get(requestHeader)?.principal;
}

/**
 * Guards a Connect server: give the adapter what this returns. Callers are checked at the gate, before a byte of the body
 * is read; the interceptor makes sure that the gate ran, and follows streams to their end. Works for Connect, gRPC and
 * gRPC-Web, with connectNodeAdapter() and every other adapter that takes `routes`.
 *
 * The adapter throws a RuleError while it sets up its routes if one of them has no rule. Options that a route replaces
 * keep our gate and interceptor in front.
 *
 * ```ts
 * http2.createServer(connectNodeAdapter(guardConnect(resourceServer, { routes })));
 * ```
 */
export function guardConnect<T extends ConnectServerOptions>(resourceServer: ResourceServer, options: T): T {
  const guard = createGuard(resourceServer);
  return {
    ...options,
    ...guard.protect(options),
    contextValues: withRequest(options.contextValues),
    routes: (router: ConnectRouter) => {
      const uncovered: DescMethod[] = [];
      const result = options.routes(guardRouter(router, guard, resourceServer, uncovered));
      if (uncovered.length > 0) throw new RuleError(uncovered.map((method) => problemAt(method, notServed)));
      return result;
    },
  };
}

const notServed = "is routed, but its service is not among the services of createResourceServer()";

type GuardOptions = Pick<ConnectRouterOptions, "requestGate" | "interceptors">;

interface Guard {
  /** Puts our gate and interceptor in front of those of some options. */
  protect(options: GuardOptions): Required<GuardOptions>;
}

/** What is known of a call before its body is read. */
type GateContext = Pick<
  HandlerContext,
  "method" | "values" | "requestHeader" | "protocolName" | "url" | "requestMethod"
> &
  Partial<Pick<HandlerContext, "responseHeader">>;

function createGuard(resourceServer: ResourceServer): Guard {
  function conclude(context: GateContext, decision: Decision): Admission {
    const { requestHeader, responseHeader } = context;
    if (!decision.allowed) throw refusalToConnectError(decision.refusal);
    const { rule, principal } = decision;
    admissions.set(requestHeader, { allowed: true, rule, principal, by: resourceServer });
    if (decision.dpopNonce !== undefined) responseHeader?.set(dpopNonceHeader, decision.dpopNonce);
    hideCredentials(context, principal);
    return decision;
  }

  function admit(context: GateContext): Admission | Promise<Admission> {
    const { method, requestHeader, protocolName } = context;
    const request = requestOf(context.values);
    const decision = resourceServer.authorize({
      method,
      rpc: rpcName(method),
      authorization: readAuthorization(request, requestHeader),
      protocol: protocolName,
      transport: new ConnectTransport(request?.raw, context),
    });
    return decision instanceof Promise
      ? decision.then((decided) => conclude(context, decided))
      : conclude(context, decision);
  }

  function findAdmission(header: Headers, method: DescMethod): Admission | undefined {
    const admitted = admissions.get(header);
    return admitted?.by === resourceServer && admitted.rule.method === method ? admitted : undefined;
  }

  const interceptor: Interceptor = (next) => {
    const contained = containFailure(next);
    return async (request) => {
      const admission = findAdmission(request.header, request.method) ?? (await admit(contextOf(request)));
      if (!request.stream) return await contained(request);
      return await followStream(resourceServer, admission, request, contained as StreamFn);
    };
  };

  return {
    protect({ requestGate, interceptors = [] }) {
      return {
        interceptors: [interceptor, ...interceptors],
        requestGate(context) {
          const admission = admit(context);
          // No promise more than needed: this runs with every call.
          if (requestGate === undefined && !(admission instanceof Promise)) return;
          return passOn(admission, context, requestGate);
        },
      };
    },
  };
}

async function passOn(
  admission: Admission | Promise<Admission>,
  context: HandlerContext,
  requestGate: ConnectRouterOptions["requestGate"],
): Promise<void> {
  await admission;
  try {
    await requestGate?.(context);
  } catch (error) {
    throw containEscapedRefusal(error);
  }
}

// For the rare server without a gate; the gate is told.
function contextOf(request: UnaryRequest | StreamRequest): GateContext {
  const { method, contextValues: values, header: requestHeader, url, requestMethod } = request;
  return { method, values, requestHeader, protocolName: protocolOf(requestHeader), url, requestMethod };
}

// Per-service options replace those of the router (connect-es #1077); ours go in front of whatever replaces them.
function guardRouter(
  router: ConnectRouter,
  guard: Guard,
  { rules }: ResourceServer,
  uncovered: DescMethod[],
): ConnectRouter {
  const replaced = (options: Partial<ConnectRouterOptions> | undefined): Partial<ConnectRouterOptions> | undefined => {
    if (options === undefined) return undefined;
    const { requestGate, interceptors } = guard.protect(options);
    // What is not replaced stays that of the router, where ours is in front already.
    return {
      ...options,
      ...("requestGate" in options && { requestGate }),
      ...("interceptors" in options && { interceptors }),
    };
  };
  const note = (methods: readonly DescMethod[]): void => {
    uncovered.push(...methods.filter((method) => rules.forMethod(method) === undefined));
  };
  const guarded: ConnectRouter = {
    handlers: router.handlers,
    service(service, implementation, options) {
      note(service.methods);
      router.service(service, implementation, replaced(options));
      return guarded;
    },
    rpc(method, implementation, options) {
      note([method]);
      router.rpc(method, implementation, replaced(options));
      return guarded;
    },
  };
  return guarded;
}

// A handler that passes its headers on must not pass on what its caller is. Where nobody knows the caller, the header is
// the handler's to read.
function hideCredentials({ values, requestHeader }: GateContext, principal: Principal | undefined): void {
  const taken = requestOf(values)?.authorization;
  if (principal === undefined) {
    if (taken !== undefined) requestHeader.set("authorization", taken);
  } else if (taken === undefined) requestHeader.delete("authorization");
}

function protocolOf(header: Headers): string {
  const [, protocol = "connect"] = /^application\/(grpc-web|grpc)\b/.exec(header.get("content-type") ?? "") ?? [];
  return protocol;
}

type AnyFn = Parameters<Interceptor>[0];
type StreamFn = (request: StreamRequest) => Promise<StreamResponse>;

// Around the handler alone: what ends a stream at its token's expiry is a refusal of ours, and stays one.
function containFailure(next: AnyFn): AnyFn {
  return async (request) => {
    try {
      return await next(request);
    } catch (error) {
      throw containEscapedRefusal(error);
    }
  };
}
