// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { inspect } from "node:util";
import {
  Code,
  ConnectError,
  createClient,
  createContextKey,
  createContextValues,
  createRouterTransport,
  type HandlerContext,
} from "@connectrpc/connect";
import { describe, expect, it } from "vitest";
import { Health } from "../../../src/gen/health/v1/health_pb.js";
import { InventoryService } from "../../../src/gen/inventory/v1/inventory_pb.js";
import { OrderService } from "../../../src/gen/order/v1/order_pb.js";
import {
  type ConnectInterceptorOptions,
  createConnectInterceptor,
  withoutToken,
} from "../../../src/interceptors/connect-client.js";
import { RuleError } from "../../../src/rules/problem.js";
import type { ConfiguredRule } from "../../../src/rules/rule-set.js";
import { TokenError } from "../../../src/tokens/token-error.js";
import { compileService } from "../../support/compile.js";
import { bearer, goodToken } from "../../support/stub-resource-server.js";
import {
  createStubTokenSource,
  fails,
  hold,
  later,
  type StubTokenSource,
  type Supply,
} from "../../support/stub-token-source.js";
import {
  collect,
  connectErrorOf,
  connectTo,
  duplexWires,
  expectNoSecret,
  wires,
  withContextValues,
  withSignal,
} from "../../support/transports.js";
import {
  type Clients,
  calls,
  clientsOn,
  echoRoutes,
  inventoryAudience,
  paymentAudience,
  startBench,
  streamOf,
} from "./connect-bench.js";

/** Clients of services in memory that let everybody in, and what reached them. */
interface InMemory {
  readonly tokenSource: StubTokenSource;
  readonly clients: Clients;
  readonly transport: ReturnType<typeof createRouterTransport>;
  readonly entered: readonly { readonly rpc: string; readonly context: HandlerContext }[];
  /** The `authorization` of every call, in order. */
  readonly authorizations: () => (string | null)[];
}

function createInMemory(
  script: readonly Supply[],
  options: Omit<ConnectInterceptorOptions, "tokenSource"> = {},
  baseUrl = "https://payment-service.internal",
): InMemory {
  const tokenSource = createStubTokenSource(...script);
  const entered: { rpc: string; context: HandlerContext }[] = [];
  const routes = echoRoutes(entered, {
    payment: {
      refund(_request, context) {
        entered.push({ rpc: "refund", context });
        return {};
      },
    },
  });
  const transport = createRouterTransport(routes, {
    transport: { baseUrl, interceptors: [createConnectInterceptor({ tokenSource, ...options })] },
  });
  return {
    tokenSource,
    clients: clientsOn(transport),
    transport,
    entered,
    authorizations: () => entered.map(({ context }) => context.requestHeader.get("authorization")),
  };
}

const publicHealth: readonly ConfiguredRule[] = [{ target: Health, rule: { public: {} } }];

describe("createConnectInterceptor", () => {
  describe.each(wires)("on %s", (wire) => {
    it.each([
      ["that is there", goodToken],
      ["that has to be fetched", later(goodToken)],
    ])("sends a token %s with every kind of call", async (_, supply) => {
      const { server, entered } = await startBench();
      const tokenSource = createStubTokenSource(supply, supply, supply, supply);
      const clients = clientsOn(connectTo(server, wire, [createConnectInterceptor({ tokenSource })]));
      const possible = calls.filter(({ kind }) => kind !== "bidi" || duplexWires.includes(wire));
      for (const { call } of possible) await call(clients);
      expect(entered).toHaveLength(possible.length);
      expect(tokenSource.requests).toHaveLength(possible.length);
      expect(tokenSource.refusals).toEqual([]);
    });
  });

  it("asks for the audience and the scopes that the rule of the RPC names", async () => {
    const { tokenSource, clients } = createInMemory([goodToken, goodToken, goodToken, goodToken]);
    for (const { call } of calls) await call(clients);
    expect(tokenSource.requests.map(({ requirement }) => requirement)).toEqual([
      { audience: paymentAudience, scopes: ["payments:write"] },
      { audience: inventoryAudience, scopes: ["inventory:read"] },
      { audience: paymentAudience, scopes: ["payments:admin"] },
      { audience: inventoryAudience, scopes: ["inventory:write"] },
    ]);
  });

  it.each([
    ["the first alternative of a rule", {}, ["payments:admin"]],
    ["the alternative that its own service names", { service: OrderService }, ["payments:write", "payments:refund"]],
  ])("asks for %s", async (_, options, scopes) => {
    const { tokenSource, clients } = createInMemory([goodToken], options);
    await clients.payment.refund({});
    expect(tokenSource.requests.map(({ requirement }) => requirement)).toEqual([{ audience: paymentAudience, scopes }]);
  });

  it("sends no token with calls of a public RPC, and asks for none", async () => {
    const { tokenSource, clients, authorizations } = createInMemory([], { rules: publicHealth });
    await clients.health.check({});
    expect(authorizations()).toEqual([null]);
    expect(tokenSource.requests).toEqual([]);
  });

  it("lets calls of a public RPC go anywhere", async () => {
    const { clients, entered } = createInMemory([], { rules: publicHealth }, "http://payment-service.internal");
    await clients.health.check({});
    expect(entered).toHaveLength(1);
  });

  it("asks for a token by a rule from configuration", async () => {
    const rules = [{ target: Health, rule: { scope: "ops:read" }, audience: "https://ops.internal" }];
    const { tokenSource, clients, authorizations } = createInMemory([goodToken], { rules });
    await clients.health.check({});
    expect(authorizations()).toEqual([bearer(goodToken)]);
    expect(tokenSource.requests.map(({ requirement }) => requirement)).toEqual([
      { audience: "https://ops.internal", scopes: ["ops:read"] },
    ]);
  });

  it("keeps the authorization that a call brings, of every kind, and asks for no token", async () => {
    const { tokenSource, clients, authorizations } = createInMemory([]);
    const headers = { authorization: "Bearer brought" };
    await clients.payment.charge({}, { headers });
    await collect(clients.inventory.watchStock({}, { headers }));
    await clients.payment.importSettlements(streamOf({}), { headers });
    await collect(clients.inventory.syncStock(streamOf({}), { headers }));
    expect(authorizations()).toEqual(["Bearer brought", "Bearer brought", "Bearer brought", "Bearer brought"]);
    expect(tokenSource.requests).toEqual([]);
  });

  it("leaves calls without a token that should go without one, wherever they go", async () => {
    const { tokenSource, transport, authorizations } = createInMemory([], {}, "http://payment-service.internal");
    for (const { call } of calls) {
      await call(clientsOn(withContextValues(transport, withoutToken)));
    }
    expect(authorizations()).toEqual([null, null, null, null]);
    expect(tokenSource.requests).toEqual([]);
  });

  it("keeps the context values of a call that should go without a token", async () => {
    const key = createContextKey(0);
    const values = createContextValues().set(key, 7);
    expect(withoutToken(values)).toBe(values);
    expect(values.get(key)).toBe(7);
    const { clients, authorizations } = createInMemory([goodToken]);
    await clients.payment.charge({}, { contextValues: values });
    await clients.payment.charge({}, { contextValues: createContextValues() });
    expect(authorizations()).toEqual([null, bearer(goodToken)]);
  });

  it("keeps the other headers of a call", async () => {
    const { clients, entered } = createInMemory([goodToken]);
    await clients.payment.charge({}, { headers: { "x-request": "7" } });
    expect(entered.map(({ context }) => context.requestHeader.get("x-request"))).toEqual(["7"]);
  });
});

describe("over plain http", () => {
  it.each([
    ["http://payment-service.internal", "payment-service.internal"],
    ["http://10.0.0.1:8080", "10.0.0.1:8080"],
    ["http://localhost.example.com", "localhost.example.com"],
    ["http://127.0.0.1.example.com:8080", "127.0.0.1.example.com:8080"],
    ["http://[::2]:8080", "[::2]:8080"],
    ["ftp://payment-service.internal", "payment-service.internal"],
  ])("no token goes to %s: none is asked for, and one that was brought stays here", async (baseUrl, host) => {
    const { tokenSource, clients, entered } = createInMemory([], {}, baseUrl);
    const failures = [
      await connectErrorOf(clients.payment.charge({})),
      await connectErrorOf(clients.payment.charge({}, { headers: { authorization: bearer(goodToken) } })),
      await connectErrorOf(collect(clients.inventory.watchStock({}))),
      await connectErrorOf(clients.payment.importSettlements(streamOf({}))),
    ];
    for (const error of failures) {
      expect(error.code).toBe(Code.FailedPrecondition);
      expect(error.rawMessage).toBe(`no access token is sent to ${host} over plain http; use https`);
      expectNoSecret(error, goodToken);
    }
    expect(tokenSource.requests).toEqual([]);
    expect(entered).toEqual([]);
  });

  it.each([
    "http://localhost:8080",
    "http://api.localhost",
    "http://127.0.0.1:8080",
    "http://[::1]:8080",
    "https://payment-service.internal",
    "https://10.0.0.1",
  ])("a token goes to %s", async (baseUrl) => {
    const { clients, authorizations } = createInMemory([goodToken], {}, baseUrl);
    await clients.payment.charge({});
    await clients.payment.charge({}, { headers: { authorization: "Bearer brought" } });
    expect(authorizations()).toEqual([bearer(goodToken), "Bearer brought"]);
  });
});

describe("a call of an RPC whose rule cannot be used", () => {
  it("fails with FAILED_PRECONDITION, and says what is missing", async () => {
    const { tokenSource, clients, entered } = createInMemory([]);
    const error = await connectErrorOf(clients.health.check({}));
    expect(error.code).toBe(Code.FailedPrecondition);
    expect(error.rawMessage).toContain("grpc.health.v1.Health/Check: has no rule");
    expect(error.cause).toBeInstanceOf(RuleError);
    expect(tokenSource.requests).toEqual([]);
    expect(entered).toEqual([]);
  });

  it("fails with FAILED_PRECONDITION if its caller asks for an alternative that is none", async () => {
    const service = compileService(`service Caller {
      option (meshauth.v1.service) = {
        audience: "https://caller.internal"
        client_id: "caller"
        calls: { rpc: "payment.v1.PaymentService/Refund", scopes: "payments:refund" }
      };
    }`);
    const { clients, entered } = createInMemory([], { service });
    const error = await connectErrorOf(clients.payment.refund({}));
    expect(error.code).toBe(Code.FailedPrecondition);
    expect(error.rawMessage).toContain("has no alternative payments:refund");
    expect(entered).toEqual([]);
  });

  it("keeps a call that brings its own token", async () => {
    const { clients, entered } = createInMemory([]);
    await clients.health.check({}, { headers: { authorization: "Bearer brought" } });
    expect(entered).toHaveLength(1);
  });

  it("does not call a bug a missing rule", async () => {
    const rule = {
      get target(): never {
        throw new TypeError("a bug");
      },
      rule: {},
    };
    const { clients } = createInMemory([], { rules: [rule] });
    const error = await connectErrorOf(clients.payment.charge({}));
    expect(error.code).toBe(Code.Unknown);
    expect(error.cause).toBeInstanceOf(TypeError);
  });
});

describe("a call for which there is no token", () => {
  it.each([
    ["unavailable", Code.Unavailable],
    ["refused", Code.Unauthenticated],
    ["cancelled", Code.DeadlineExceeded],
  ] as const)("fails with the code of a failure of kind %s, its cause and its issuer", async (kind, code) => {
    const { clients, entered } = createInMemory(Array.from({ length: 4 }, () => fails(kind, "invalid_client")));
    for (const { call } of calls) {
      const error = await connectErrorOf(call(clients));
      expect(error.code).toBe(code);
      expect(error.cause).toBeInstanceOf(TokenError);
      expect(error.cause).toMatchObject({ kind, oauthError: "invalid_client" });
      expect(error.rawMessage).toContain("from https://login.test as client order-service (attempt 3)");
      expect(error.details).toEqual([]);
    }
    expect(entered).toEqual([]);
  });

  it("fails with what else the token source throws", async () => {
    const { clients } = createInMemory([() => Promise.reject(new TypeError("a bug"))]);
    const error = await connectErrorOf(clients.payment.charge({}));
    expect(error.code).toBe(Code.Unknown);
    expect(error.cause).toBeInstanceOf(TypeError);
  });

  it.each(calls)("ends when it is cancelled while it waits: $kind", async ({ call }) => {
    const held = hold();
    const { transport, entered } = createInMemory([held.supply]);
    const cancel = new AbortController();
    const failed = connectErrorOf(call(clientsOn(withSignal(transport, cancel.signal))));
    await held.asked;
    cancel.abort();
    expect((await failed).code).toBe(Code.Canceled);
    expect(entered).toEqual([]);
  });

  it.each(duplexWires)("has told the token source until when it can wait, on %s", async (wire) => {
    const { server } = await startBench();
    const tokenSource = createStubTokenSource(goodToken, goodToken);
    const { payment } = clientsOn(connectTo(server, wire, [createConnectInterceptor({ tokenSource })]));
    const earliest = Date.now() + 60_000;
    await payment.charge({}, { timeoutMs: 60_000 });
    const latest = Date.now() + 60_000;
    await payment.charge({});
    const [limited, unlimited] = tokenSource.requests.map(({ wait }) => wait.deadline);
    expect(limited).toBeGreaterThanOrEqual(earliest);
    expect(limited).toBeLessThanOrEqual(latest);
    expect(unlimited).toBeUndefined();
    expect(tokenSource.requests).toHaveLength(2);
  });

  it("ends when it runs out of time while it waits", async () => {
    const { clients, entered } = createInMemory([hold().supply]);
    const error = await connectErrorOf(clients.payment.charge({}, { timeoutMs: 1 }));
    expect(error.code).toBe(Code.DeadlineExceeded);
    expect(entered).toEqual([]);
  });
});

describe("an error of a call", () => {
  it("shows no token, wherever it is looked at", async () => {
    const tokenSource = createStubTokenSource(goodToken);
    const transport = createRouterTransport(
      ({ service }) =>
        service(InventoryService, {
          checkStock() {
            throw new ConnectError("no stock", Code.NotFound);
          },
        }),
      { transport: { interceptors: [createConnectInterceptor({ tokenSource })] } },
    );
    const error = await connectErrorOf(createClient(InventoryService, transport).checkStock({}));
    expect(error.code).toBe(Code.NotFound);
    expectNoSecret(error, goodToken);
    expect(inspect(tokenSource.requests, { depth: Infinity })).not.toContain(goodToken);
  });
});
