// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { create } from "@bufbuild/protobuf";
import {
  Code,
  ConnectError,
  type ConnectRouter,
  type ConnectRouterOptions,
  createClient,
  createConnectRouter,
  createContextKey,
  createContextValues,
  createHandlerContext,
  createRouterTransport,
  type HandlerContext,
  type Interceptor,
  type UnaryRequest,
  type UnaryResponse,
} from "@connectrpc/connect";
import { describe, expect, it } from "vitest";
import { ErrorInfoSchema } from "../../../src/gen/google/rpc/error_details_pb.js";
import { ServerReflection } from "../../../src/gen/grpc/reflection/v1/reflection_pb.js";
import { Health } from "../../../src/gen/health/v1/health_pb.js";
import { InventoryService } from "../../../src/gen/inventory/v1/inventory_pb.js";
import { OrderService } from "../../../src/gen/order/v1/order_pb.js";
import { ChargeRequestSchema, PaymentService } from "../../../src/gen/payment/v1/payment_pb.js";
import { refusalToConnectError } from "../../../src/interceptors/connect-error.js";
import { type ConnectServerOptions, getPrincipal, guardConnect } from "../../../src/interceptors/connect-server.js";
import type { RuleError } from "../../../src/rules/problem.js";
import { bearer, goodToken, lifetimeMs, refusedToken } from "../../support/stub-resource-server.js";
import {
  collect,
  connectErrorOf,
  connectTo,
  duplexWires,
  startConnectServer,
  startRoutes,
} from "../../support/transports.js";
import {
  type Clients,
  calls,
  clientsOf,
  clientsOn,
  createResourceServer,
  echoRoutes,
  paymentAudience,
  startBench,
  streamOf,
  withToken,
} from "./connect-bench.js";

describe("getPrincipal", () => {
  it.each(duplexWires)("says who calls in handlers of every kind, on %s", async (wire) => {
    const { server, entered, resourceServer } = await startBench();
    const clients = clientsOf(server, wire, goodToken);
    for (const { call } of calls) await call(clients);
    expect(entered.map(({ context }) => getPrincipal(context))).toEqual(
      calls.map(() =>
        expect.objectContaining({ clientId: "order-service", expiresAt: resourceServer.clock.now() + lifetimeMs }),
      ),
    );
  });

  it("throws for a public RPC, also if the caller brought a good token", async () => {
    const { server, entered } = await startBench();
    await clientsOf(server, "Connect", goodToken).health.check({});
    expect(entered.map(({ rpc }) => rpc)).toEqual(["check"]);
    for (const { context } of entered) expect(() => getPrincipal(context)).toThrow(/no principal.*public.*guarded/);
  });

  it("throws on a server that is not guarded", async () => {
    const entered: { rpc: string; context: HandlerContext }[] = [];
    const server = await startRoutes(echoRoutes(entered));
    await clientsOf(server, "Connect", goodToken).payment.charge({});
    expect(entered.map(({ rpc }) => rpc)).toEqual(["charge"]);
    for (const { context } of entered) expect(() => getPrincipal(context)).toThrow(/no principal/);
  });
});

/** Options that write down when they run. */
function tracing(trace: string[], name: string): Required<Pick<ConnectRouterOptions, "requestGate" | "interceptors">> {
  return {
    requestGate: ({ requestHeader }) => {
      trace.push(`${name} gate: ${principalIn(requestHeader)}`);
    },
    interceptors: [
      (next) => (request) => {
        trace.push(`${name} interceptor: ${principalIn(request.header)}`);
        return next(request);
      },
    ],
  };
}

function principalIn(requestHeader: Headers): string {
  return getPrincipal({ requestHeader }).clientId;
}

async function startTraced(
  options: Partial<ConnectRouterOptions>,
  routes: (router: ConnectRouter) => void,
): Promise<{ readonly clients: (token?: string) => Clients }> {
  const server = await startConnectServer(guardConnect(createResourceServer(), { ...options, routes }));
  return { clients: (token) => clientsOf(server, "Connect", token) };
}

const implementation = { charge: () => ({}) };

describe("guardConnect", () => {
  it("puts its gate and its interceptor in front of those of the options", async () => {
    const trace: string[] = [];
    const { clients } = await startTraced(tracing(trace, "root"), (router) =>
      router.service(PaymentService, implementation),
    );
    await connectErrorOf(clients().payment.charge({}));
    expect(trace).toEqual([]);
    await clients(goodToken).payment.charge({});
    expect(trace).toEqual(["root gate: order-service", "root interceptor: order-service"]);
  });

  it("waits for the gate of the options, and lets it refuse", async () => {
    const { clients } = await startTraced(
      {
        async requestGate() {
          await Promise.resolve();
          throw new ConnectError("closed on Sundays", Code.FailedPrecondition);
        },
      },
      (router) => router.service(PaymentService, implementation),
    );
    const error = await connectErrorOf(clients(goodToken).payment.charge({}));
    expect(error.rawMessage).toBe("closed on Sundays");
    expect(error.code).toBe(Code.FailedPrecondition);
  });

  it("lets no refusal from further downstream escape the gate of the options", async () => {
    const { clients } = await startTraced(
      {
        requestGate() {
          throw refusalToConnectError({ reason: "TOKEN_EXPIRED", cause: "", audience: paymentAudience });
        },
      },
      (router) => router.service(PaymentService, implementation),
    );
    const error = await connectErrorOf(clients(goodToken).payment.charge({}));
    expect(error.code).toBe(Code.Internal);
    expect(error.findDetails(ErrorInfoSchema)).toEqual([]);
  });

  it("keeps everything else of the options", () => {
    const options = { routes() {}, readMaxBytes: 7, grpcWeb: false };
    expect(guardConnect(createResourceServer(), options)).toMatchObject({ readMaxBytes: 7, grpcWeb: false });
  });

  it("keeps the context values of the options, and adds to them", async () => {
    const key = createContextKey("none");
    const seen: string[] = [];
    const server = await startConnectServer(
      guardConnect(createResourceServer(), {
        contextValues: (request: { readonly url?: string | undefined }) =>
          createContextValues().set(key, request.url ?? "no request"),
        routes: (router: ConnectRouter) =>
          router.service(PaymentService, {
            charge(_request, { values, requestHeader }) {
              seen.push(values.get(key), principalIn(requestHeader));
              return {};
            },
          }),
      }),
    );
    await clientsOf(server, "Connect", goodToken).payment.charge({});
    expect(seen).toEqual(["/payment.v1.PaymentService/Charge", "order-service"]);
  });

  it("hands out what the routes return", () => {
    const router = createConnectRouter();
    const { routes }: ConnectServerOptions = guardConnect(createResourceServer(), { routes: () => "done" });
    expect(routes(router)).toBe("done");
  });

  it("gives the routes a router with the handlers of the real one, whose calls can be chained", () => {
    const real = createConnectRouter();
    const seen: ConnectRouter[] = [];
    guardConnect(createResourceServer(), {
      routes(router) {
        seen.push(
          router,
          router.service(InventoryService, {}),
          router.rpc(PaymentService.method.charge, () => ({})),
        );
      },
    }).routes(real);
    expect(new Set(seen).size).toBe(1);
    expect(seen[0]?.handlers).toBe(real.handlers);
    expect(real.handlers.map(({ method }) => method.name)).toEqual([
      ...InventoryService.methods.map(({ name }) => name),
      "Charge",
    ]);
  });

  describe.each([
    [
      "a service",
      (router: ConnectRouter, options: Partial<ConnectRouterOptions>) =>
        router.service(PaymentService, implementation, options),
    ],
    [
      "an RPC",
      (router: ConnectRouter, options: Partial<ConnectRouterOptions>) =>
        router.rpc(PaymentService.method.charge, () => ({}), options),
    ],
  ])("with options of %s (connect-es #1077)", (_, route) => {
    // `requestGate: undefined` is what a caller writes who wants to be rid of it; the type forbids it, JavaScript does not.
    const noGate = { requestGate: undefined } as unknown as Partial<ConnectRouterOptions>;
    const noInterceptors = { interceptors: undefined } as unknown as Partial<ConnectRouterOptions>;

    it.each([
      ["interceptors", { interceptors: [] }],
      ["requestGate", { requestGate: () => {} }],
      ["requestGate: undefined", noGate],
      ["interceptors: undefined", noInterceptors],
      ["both of them", { interceptors: [], requestGate: () => {} }],
      ["neither", { readMaxBytes: 500 }],
    ])("refuses before the body is read, and admits as before, when they replace %s", async (_name, options) => {
      const { clients } = await startTraced({ readMaxBytes: 1_000 }, (router) => route(router, options));
      const error = await connectErrorOf(clients().payment.charge({ requestId: "x".repeat(2_000) }));
      expect(error.code).toBe(Code.Unauthenticated);
      await expect(clients(goodToken).payment.charge({})).resolves.toBeDefined();
    });

    it("runs what they replace, after ours", async () => {
      const trace: string[] = [];
      const { clients } = await startTraced(tracing(trace, "root"), (router) => route(router, tracing(trace, "own")));
      await connectErrorOf(clients().payment.charge({}));
      expect(trace).toEqual([]);
      await clients(goodToken).payment.charge({});
      expect(trace).toEqual(["own gate: order-service", "own interceptor: order-service"]);
    });

    it("leaves the gate of the root in place when they replace interceptors alone", async () => {
      const trace: string[] = [];
      const { interceptors } = tracing(trace, "own");
      const { clients } = await startTraced(tracing(trace, "root"), (router) => route(router, { interceptors }));
      await clients(goodToken).payment.charge({});
      expect(trace).toEqual(["root gate: order-service", "own interceptor: order-service"]);
    });

    it("leaves the interceptors of the root in place when they replace the gate alone", async () => {
      const trace: string[] = [];
      const { requestGate } = tracing(trace, "own");
      const { clients } = await startTraced(tracing(trace, "root"), (router) => route(router, { requestGate }));
      await clients(goodToken).payment.charge({});
      expect(trace).toEqual(["own gate: order-service", "root interceptor: order-service"]);
    });

    it("still contains refusals from further downstream", async () => {
      const server = await startConnectServer(
        guardConnect(createResourceServer(), {
          routes: (router) =>
            router.service(
              InventoryService,
              {
                checkStock() {
                  throw new ConnectError("no", Code.Unauthenticated, undefined, [
                    { desc: ErrorInfoSchema, value: { domain: "meshauth", reason: "TOKEN_INVALID" } },
                  ]);
                },
              },
              { interceptors: [] },
            ),
        }),
      );
      const error = await connectErrorOf(clientsOf(server, "Connect", goodToken).inventory.checkStock({}));
      expect(error.code).toBe(Code.Internal);
    });

    it("keeps the rest of them", async () => {
      const { clients } = await startTraced({ readMaxBytes: 100_000 }, (router) =>
        route(router, { readMaxBytes: 1_000, interceptors: [] }),
      );
      const error = await connectErrorOf(clients(goodToken).payment.charge({ requestId: "x".repeat(2_000) }));
      expect(error.code).toBe(Code.ResourceExhausted);
    });
  });

  it("refuses to set up routes of services that it has no rules for, and lists every RPC", () => {
    const { routes } = guardConnect(createResourceServer(), {
      routes(router: ConnectRouter) {
        router.service(PaymentService, {});
        router.service(OrderService, {});
        router.rpc(ServerReflection.method.serverReflectionInfo, async function* () {});
      },
    });
    let error: RuleError | undefined;
    try {
      routes(createConnectRouter());
    } catch (thrown) {
      error = thrown as RuleError;
    }
    expect(error?.name).toBe("RuleError");
    const problem = "is routed, but its service is not among the services of createResourceServer()";
    expect(error?.message.split("\n")).toEqual([
      `order/v1/order.proto: order.v1.OrderService/PlaceOrder: ${problem}`,
      `order/v1/order.proto: order.v1.OrderService/GetOrder: ${problem}`,
      `order/v1/order.proto: order.v1.OrderService/WatchOrders: ${problem}`,
      `grpc/reflection/v1/reflection.proto: grpc.reflection.v1.ServerReflection/ServerReflectionInfo: ${problem}`,
    ]);
  });

  it("sets up routes of services with rules from their protos and from configuration", () => {
    const { routes } = guardConnect(createResourceServer(), {
      routes: (router: ConnectRouter) =>
        router.service(PaymentService, {}).service(InventoryService, {}).service(Health, {}),
    });
    expect(() => routes(createConnectRouter())).not.toThrow();
  });

  it("guards a router in memory as well", async () => {
    const resourceServer = createResourceServer();
    const guarded: ConnectServerOptions = guardConnect(resourceServer, { routes: echoRoutes([]) });
    const transport = createRouterTransport(guarded.routes, { router: guarded });
    const error = await connectErrorOf(clientsOn(transport).payment.charge({}));
    expect(error.findDetails(ErrorInfoSchema)).toMatchObject([{ reason: "CREDENTIALS_MISSING" }]);
    expect(resourceServer.calls).toMatchObject([{ protocol: "connect" }]);
  });

  it("asks once for each call, whatever its kind", async () => {
    const { server, resourceServer } = await startBench();
    for (const { call } of calls) await call(clientsOf(server, "Connect", goodToken));
    expect(resourceServer.calls).toHaveLength(calls.length);
  });

  it("fails a call, and does not enter its handler, if the check itself fails", async () => {
    const { server, resourceServer, entered } = await startBench();
    resourceServer.before = () => {
      throw new Error(`no database for ${goodToken}`);
    };
    const error = await connectErrorOf(clientsOf(server, "gRPC", goodToken).payment.charge({}));
    expect(error.code).toBe(Code.Internal);
    expect(error.message).not.toContain(goodToken);
    expect(entered).toEqual([]);
  });
});

describe("the interceptor where no gate ran", () => {
  function startWithoutGate() {
    const resourceServer = createResourceServer();
    const entered: { rpc: string; context: HandlerContext }[] = [];
    const guarded: ConnectServerOptions = guardConnect(resourceServer, { routes: echoRoutes(entered) });
    const { requestGate: _, ...withoutGate } = guarded;
    const clients = (token?: string) =>
      clientsOn(
        createRouterTransport(guarded.routes, {
          router: withoutGate,
          transport: { interceptors: [withToken(token)] },
        }),
      );
    return { resourceServer, entered, clients };
  }

  it("refuses every kind of call itself", async () => {
    const { entered, clients } = startWithoutGate();
    for (const { call } of calls) {
      const error = await connectErrorOf(call(clients(refusedToken("CALLER_NOT_ALLOWED"))));
      expect(error.findDetails(ErrorInfoSchema)).toMatchObject([{ reason: "CALLER_NOT_ALLOWED" }]);
    }
    expect(entered).toEqual([]);
  });

  it("admits every kind of call itself, with its principal, after asking once", async () => {
    const { entered, clients, resourceServer } = startWithoutGate();
    for (const { call } of calls) await call(clients(goodToken));
    expect(entered.map(({ context }) => getPrincipal(context).clientId)).toEqual(calls.map(() => "order-service"));
    expect(resourceServer.calls).toEqual(
      calls.map(() => expect.objectContaining({ authorization: bearer(goodToken), protocol: "connect" })),
    );
  });

  it.each([
    ["application/grpc", "grpc"],
    ["application/grpc+proto", "grpc"],
    ["application/grpc-web", "grpc-web"],
    ["application/grpc-web+json", "grpc-web"],
    ["application/proto", "connect"],
    ["application/connect+proto", "connect"],
    ["application/grpcs", "connect"],
    ["text/application/grpc", "connect"],
    [undefined, "connect"],
  ])("tells the protocol by the content type %s", async (contentType, protocol) => {
    const resourceServer = createResourceServer();
    const options: ConnectServerOptions = { routes() {} };
    const [interceptor] = guardConnect(resourceServer, options).interceptors ?? [];
    const header = new Headers(contentType === undefined ? {} : { "content-type": contentType });
    const request = { method: PaymentService.method.charge, header, contextValues: createContextValues() };
    const next = async (): Promise<never> => {
      throw new Error("entered");
    };
    const call = (): Promise<unknown> => interceptor?.(next)(request as unknown as UnaryRequest) ?? Promise.resolve();
    expect((await connectErrorOf(call())).code).toBe(Code.Unauthenticated);
    expect(resourceServer.calls).toMatchObject([{ protocol }]);
  });

  it("lets calls of a public RPC through", async () => {
    const { entered, clients } = startWithoutGate();
    await clients().health.check({});
    expect(entered.map(({ rpc }) => rpc)).toEqual(["check"]);
  });
});

describe("the headers of a call that was let in", () => {
  it("have no token for a handler to pass on", async () => {
    const { server, entered } = await startBench();
    for (const { call } of calls) await call(clientsOf(server, "Connect", goodToken));
    expect(entered.map(({ context }) => context.requestHeader.has("authorization"))).toEqual(entered.map(() => false));
    expect(entered).toHaveLength(calls.length);
    // Nobody looked at what a call of a public RPC brings: it is the handler's own affair.
    await clientsOf(server, "Connect", goodToken).health.check({});
    expect(entered.at(-1)?.context.requestHeader.has("authorization")).toBe(true);
  });
});

describe("an admission", () => {
  /** The gate and the interceptor of a guarded server, to be called by hand. */
  function createGuard() {
    const resourceServer = createResourceServer();
    const options: ConnectServerOptions = { routes() {} };
    const { requestGate, interceptors } = guardConnect(resourceServer, options);
    const [interceptor] = interceptors ?? [];
    if (requestGate === undefined || interceptor === undefined) throw new Error("no guard");
    return { resourceServer, requestGate, interceptor };
  }

  function contextOf(authorization: string): HandlerContext {
    return createHandlerContext({
      service: PaymentService,
      method: PaymentService.method.charge,
      protocolName: "connect",
      requestMethod: "POST",
      url: "http://127.0.0.1/payment.v1.PaymentService/Charge",
      requestHeader: { authorization },
    });
  }

  function run(interceptor: Interceptor, changes: Partial<UnaryRequest>): Promise<UnaryResponse> {
    const request = {
      stream: false,
      service: PaymentService,
      method: PaymentService.method.charge,
      requestMethod: "POST",
      url: "http://127.0.0.1/payment.v1.PaymentService/Charge",
      signal: new AbortController().signal,
      header: new Headers(),
      contextValues: createContextValues(),
      message: create(ChargeRequestSchema),
      ...changes,
    } as UnaryRequest;
    const next = async (admitted: unknown) => ({ admitted }) as unknown as UnaryResponse;
    return interceptor(next)(request) as Promise<UnaryResponse>;
  }

  it("counts for its own request, without asking again", async () => {
    const { resourceServer, requestGate, interceptor } = createGuard();
    const context = contextOf(bearer(goodToken));
    await requestGate(context);
    await expect(run(interceptor, { header: context.requestHeader })).resolves.toBeDefined();
    expect(resourceServer.calls).toHaveLength(1);
  });

  it("does not count for another request with the same headers", async () => {
    const { resourceServer, requestGate, interceptor } = createGuard();
    const context = contextOf(bearer(goodToken));
    const copy = new Headers(context.requestHeader);
    await requestGate(context);
    await run(interceptor, { header: copy });
    expect(resourceServer.calls).toHaveLength(2);
    const error = await connectErrorOf(run(interceptor, { header: new Headers(context.requestHeader) }));
    expect(error.code).toBe(Code.Unauthenticated);
  });

  it("does not count for another RPC, even on the same Headers", async () => {
    const { resourceServer, requestGate, interceptor } = createGuard();
    const context = contextOf(bearer(goodToken));
    await requestGate(context);
    context.requestHeader.set("authorization", bearer(refusedToken("SCOPE_INSUFFICIENT")));
    const error = await connectErrorOf(
      run(interceptor, { header: context.requestHeader, method: PaymentService.method.refund }),
    );
    expect(error.code).toBe(Code.PermissionDenied);
    expect(resourceServer.calls.map(({ rpc }) => rpc)).toEqual([
      "payment.v1.PaymentService/Charge",
      "payment.v1.PaymentService/Refund",
    ]);
  });

  it("of one server does not count for another", async () => {
    const first = createGuard();
    const second = createGuard();
    const context = contextOf(bearer(goodToken));
    await first.requestGate(context);
    const error = await connectErrorOf(run(second.interceptor, { header: context.requestHeader }));
    expect(error.code).toBe(Code.Unauthenticated);
    expect(second.resourceServer.calls).toHaveLength(1);
  });

  it("is not given when the gate refuses", async () => {
    const { resourceServer, requestGate, interceptor } = createGuard();
    const context = contextOf(bearer(refusedToken("TOKEN_EXPIRED")));
    await connectErrorOf(Promise.resolve(requestGate(context)));
    const error = await connectErrorOf(run(interceptor, { header: context.requestHeader }));
    expect(error.code).toBe(Code.Unauthenticated);
    expect(resourceServer.calls).toHaveLength(2);
    expect(() => getPrincipal(context)).toThrow(/no principal/);
  });
});

describe("a guarded server", () => {
  it("keeps principals of calls that run at the same time apart", async () => {
    const { server, entered } = await startBench();
    const good = clientsOf(server, "gRPC", goodToken);
    const bad = clientsOf(server, "gRPC", refusedToken("TOKEN_INVALID"));
    const [admitted, refused, messages] = await Promise.all([
      good.payment.charge({ requestId: "7" }),
      connectErrorOf(bad.payment.charge({ requestId: "8" })),
      collect(good.inventory.syncStock(streamOf({ sku: "tea", counted: 3 }, { sku: "tea", counted: 4 }))),
    ]);
    expect(admitted.payment?.name).toBe("payments/7");
    expect(refused.code).toBe(Code.Unauthenticated);
    expect(messages.map(({ stockLevel }) => stockLevel?.available)).toEqual([3, 4]);
    expect(entered.map(({ rpc }) => rpc).sort()).toEqual(["charge", "syncStock"]);
  });

  it("answers with the headers and trailers of its handlers", async () => {
    const { server } = await startBench({
      payment: {
        charge(_request, context) {
          context.responseHeader.set("x-header", "unary");
          context.responseTrailer.set("x-trailer", "unary");
          return {};
        },
      },
      inventory: {
        async *syncStock(_requests, context) {
          context.responseHeader.set("x-header", "stream");
          context.responseTrailer.set("x-trailer", "stream");
          yield {};
        },
      },
    });
    const transport = connectTo(server, "gRPC", [withToken(goodToken)]);
    const seen: (string | null)[] = [];
    const options = {
      onHeader: (header: Headers) => void seen.push(header.get("x-header")),
      onTrailer: (trailer: Headers) => void seen.push(trailer.get("x-trailer")),
    };
    await createClient(PaymentService, transport).charge({}, options);
    await collect(createClient(InventoryService, transport).syncStock(streamOf(), options));
    expect(seen).toEqual(["unary", "unary", "stream", "stream"]);
  });
});
