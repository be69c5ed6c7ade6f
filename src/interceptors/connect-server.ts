// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import type { DescMethod } from "@bufbuild/protobuf";
import {
  type ConnectRouter,
  type ConnectRouterOptions,
  type ContextValues,
  createContextValues,
  type HandlerContext,
  type Interceptor,
  type StreamRequest,
  type StreamResponse,
} from "@connectrpc/connect";
import { problemAt, RuleError, rpcName } from "../rules/problem.js";
import type { Decision } from "../verification/decision.js";
import type { Principal } from "../verification/principal.js";
import type { ResourceServer } from "../verification/resource-server.js";
import { containEscapedRefusal, refusalToConnectError } from "./connect-error.js";
import { noteAuthorization, readAuthorization } from "./raw-authorization.js";
import { TokenExpiryTimer } from "./token-expiry-timer.js";

type Admission = Extract<Decision, { allowed: true }>;

/** The part of an adapter's options that guardConnect() looks at. */
export interface ConnectServerOptions extends ConnectRouterOptions {
  readonly routes: (router: ConnectRouter) => unknown;
  readonly contextValues?: ((request: never) => ContextValues) | undefined;
}

// Tied to the Headers object of one request, which its handler gets to see: nothing that a caller sends, and no context
// values that requests may share, can look like it.
const principals = new WeakMap<Headers, Principal>();

/**
 * Who calls, for handlers of a server guarded by guardConnect().
 *
 * Throws if the RPC is public: then nobody knows.
 */
export function getPrincipal(context: Pick<HandlerContext, "requestHeader">): Principal {
  const principal = principals.get(context.requestHeader);
  if (principal === undefined) {
    throw new Error("this call has no principal: its RPC is public, or its server is not guarded by guardConnect()");
  }
  return principal;
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
    contextValues: (request: never) =>
      noteAuthorization(request, options.contextValues?.(request) ?? createContextValues()),
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

function createGuard(resourceServer: ResourceServer): Guard {
  // Tied to the Headers object of one request: nothing that a caller sends can look like it.
  const admissions = new WeakMap<Headers, Admission>();

  async function admit(
    context: Pick<HandlerContext, "method" | "values" | "requestHeader" | "protocolName">,
  ): Promise<Admission> {
    const { method, values, requestHeader, protocolName } = context;
    const decision = await resourceServer.authorize({
      method,
      rpc: rpcName(method),
      authorization: readAuthorization(values, requestHeader),
      protocol: protocolName,
    });
    if (!decision.allowed) throw refusalToConnectError(decision.refusal);
    if (decision.principal !== undefined) principals.set(requestHeader, decision.principal);
    admissions.set(requestHeader, decision);
    // A handler that passes its headers on must not pass on what its caller is.
    if (decision.principal !== undefined) requestHeader.delete("authorization");
    return decision;
  }

  const interceptor: Interceptor = (next) => async (request) => {
    const admitted = admissions.get(request.header);
    const admission =
      admitted !== undefined && admitted.rule.method === request.method
        ? admitted
        : await admit({
            method: request.method,
            values: request.contextValues,
            requestHeader: request.header,
            protocolName: protocolOf(request.header),
          });
    const contained = containFailure(next);
    if (!request.stream) return await contained(request);
    return await followStream(resourceServer, admission, request, contained as StreamFn);
  };

  return {
    protect({ requestGate, interceptors = [] }) {
      return {
        interceptors: [interceptor, ...interceptors],
        async requestGate(context) {
          await admit(context);
          try {
            await requestGate?.(context);
          } catch (error) {
            throw containEscapedRefusal(error);
          }
        },
      };
    },
  };
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

// For the rare server without a gate; the gate is told.
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

async function followStream(
  { clock, clockToleranceMs }: ResourceServer,
  { rule, principal }: Admission,
  request: StreamRequest,
  next: StreamFn,
): Promise<StreamResponse> {
  if (principal === undefined || rule.rule.onTokenExpiry === "keep") {
    const response = await next(request);
    return { ...response, message: containErrors(response.message) };
  }
  const timer = new TokenExpiryTimer(clock, principal.expiresAt + clockToleranceMs, () =>
    refusalToConnectError({
      reason: "TOKEN_EXPIRED",
      cause: "the token expired during the stream",
      audience: rule.audience,
      stream: true,
    }),
  );
  try {
    const signal = AbortSignal.any([request.signal, timer.signal]);
    const message = untilExpiry(request.message, timer);
    const response = await timer.race(next({ ...request, signal, message }));
    return { ...response, message: containErrors(untilExpiry(response.message, timer), timer) };
  } catch (error) {
    timer.stop();
    throw error;
  }
}

/** The messages of a handler. What ends them at their token's expiry is a refusal of ours, and stays one. */
async function* containErrors<T>(messages: AsyncIterable<T>, timer?: TokenExpiryTimer): AsyncGenerator<T> {
  try {
    yield* messages;
  } catch (error) {
    throw timer?.expired === true ? timer.signal.reason : containEscapedRefusal(error);
  } finally {
    timer?.stop();
  }
}

/** The messages of a stream, in either direction, until its token expires. */
async function* untilExpiry<T>(messages: AsyncIterable<T>, timer: TokenExpiryTimer): AsyncGenerator<T> {
  const iterator = messages[Symbol.asyncIterator]();
  let finished = false;
  try {
    for (;;) {
      const result = await timer.race(iterator.next());
      finished = result.done === true;
      if (result.done === true) return;
      yield result.value;
    }
  } finally {
    // The other side may be waiting for something that never comes; nobody waits for it here.
    if (!finished) iterator.return?.().catch(() => {});
  }
}
