// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import type { MessageInitShape } from "@bufbuild/protobuf";
import {
  Code,
  ConnectError,
  createClient,
  createRouterTransport,
  type Interceptor,
  type ServiceImpl,
  type StreamResponse,
} from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-node";
import { describe, expect, it } from "vitest";
import { ErrorInfoSchema } from "../../../src/gen/google/rpc/error_details_pb.js";
import { InventoryService } from "../../../src/gen/inventory/v1/inventory_pb.js";
import { PaymentService } from "../../../src/gen/payment/v1/payment_pb.js";
import { createConnectInterceptor } from "../../../src/interceptors/connect-client.js";
import { refusalToConnectError } from "../../../src/interceptors/connect-error.js";
import { guardConnect } from "../../../src/interceptors/connect-server.js";
import { TokenError } from "../../../src/tokens/token-error.js";
import { settle } from "../../support/fake-clock.js";
import { bearer, goodToken, refusedToken } from "../../support/stub-resource-server.js";
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
  defer,
  duplexWires,
  expectNoSecret,
  startConnectServer,
  startRoutes,
  type Wire,
  wires,
  withSignal,
} from "../../support/transports.js";
import {
  type Bench,
  type Clients,
  calls,
  clientsOn,
  createResourceServer,
  echoRoutes,
  type Handlers,
  inventoryAudience,
  paymentAudience,
  startBench,
  streamOf,
} from "./connect-bench.js";

const expired = refusedToken("TOKEN_EXPIRED");
const invalid = refusedToken("TOKEN_INVALID");

interface RetryBench extends Bench {
  readonly tokenSource: StubTokenSource;
  readonly clients: Clients;
  /** The tokens that reached the server, in order. */
  readonly tokens: () => (string | null | undefined)[];
}

async function start(wire: Wire, script: readonly Supply[], handlers: Partial<Handlers> = {}): Promise<RetryBench> {
  const bench = await startBench(handlers);
  const tokenSource = createStubTokenSource(...script);
  return {
    ...bench,
    tokenSource,
    clients: clientsOn(connectTo(bench.server, wire, [createConnectInterceptor({ tokenSource })])),
    tokens: () => bench.resourceServer.calls.map(({ authorization }) => authorization),
  };
}

const retried = calls.filter(({ kind }) => kind === "unary" || kind === "server stream");
const notRetried = calls.filter(({ kind }) => kind === "client stream" || kind === "bidi");

describe.each(wires)("on %s, after a refusal", (wire) => {
  describe.each(retried)("a $kind", ({ call }) => {
    it.each([
      ["TOKEN_EXPIRED", expired, goodToken],
      ["TOKEN_INVALID", invalid, later(goodToken)],
    ])("with %s is made once more with another token, as if nothing had been", async (_, token, supply) => {
      const { clients, tokens, tokenSource, entered } = await start(wire, [token, supply]);
      await call(clients);
      expect(tokens()).toEqual([bearer(token), bearer(goodToken)]);
      expect(entered).toHaveLength(1);
      expect(tokenSource.refusals).toEqual([{ requirement: tokenSource.requests[0]?.requirement, token }]);
      expect(tokenSource.requests[1]?.requirement).toEqual(tokenSource.requests[0]?.requirement);
      expect(tokenSource.requests.map(({ wait }) => wait.otherThan?.value)).toEqual([undefined, token]);
    });

    it("is not made a third time", async () => {
      const { clients, tokens, tokenSource, entered } = await start(wire, [expired, invalid]);
      const error = await connectErrorOf(call(clients));
      expect(error.findDetails(ErrorInfoSchema)).toMatchObject([{ reason: "TOKEN_INVALID" }]);
      expect(tokens()).toEqual([bearer(expired), bearer(invalid)]);
      expect(tokenSource.refusals.map(({ token }) => token)).toEqual([expired]);
      expect(entered).toEqual([]);
      expectNoSecret(error, expired, invalid);
    });

    it("is not made again with the same token", async () => {
      const { clients, tokens, tokenSource } = await start(wire, [expired, expired]);
      const error = await connectErrorOf(call(clients));
      expect(error.findDetails(ErrorInfoSchema)).toMatchObject([{ reason: "TOKEN_EXPIRED" }]);
      expect(tokens()).toEqual([bearer(expired)]);
      expect(tokenSource.requests).toHaveLength(2);
    });

    it("is not made again when the token source sees no sense in it", async () => {
      const { clients, tokens, tokenSource } = await start(wire, [expired]);
      tokenSource.mayRetry = false;
      const error = await connectErrorOf(call(clients));
      expect(error.findDetails(ErrorInfoSchema)).toMatchObject([{ reason: "TOKEN_EXPIRED" }]);
      expect(tokens()).toEqual([bearer(expired)]);
      expect(tokenSource.refusals).toHaveLength(1);
    });

    it.each(["TOKEN_NOT_YET_VALID", "SCOPE_INSUFFICIENT", "CALLER_NOT_ALLOWED"] as const)(
      "with %s is not made again",
      async (reason) => {
        const { clients, tokens, tokenSource } = await start(wire, [refusedToken(reason)]);
        const error = await connectErrorOf(call(clients));
        expect(error.findDetails(ErrorInfoSchema)).toMatchObject([{ reason }]);
        expect(tokens()).toHaveLength(1);
        expect(tokenSource.refusals).toEqual([]);
      },
    );

    it("fails for want of another token", async () => {
      const { clients, tokens } = await start(wire, [expired, fails("unavailable")]);
      const error = await connectErrorOf(call(clients));
      expect(error.code).toBe(Code.Unavailable);
      expect(error.cause).toBeInstanceOf(TokenError);
      expect(tokens()).toEqual([bearer(expired)]);
    });
  });

  const possible = notRetried.filter(({ kind }) => kind !== "bidi" || duplexWires.includes(wire));

  it.each([...retried, ...possible])("a $kind tells the token source that a scope was missed", async ({ call }) => {
    const token = refusedToken("SCOPE_INSUFFICIENT");
    const { clients, tokens, tokenSource } = await start(wire, [token]);
    const error = await connectErrorOf(call(clients));
    expect(error.code).toBe(Code.PermissionDenied);
    expect(tokenSource.scopeMisses).toEqual([{ requirement: tokenSource.requests[0]?.requirement, token }]);
    expect(tokenSource.refusals).toEqual([]);
    expect(tokens()).toHaveLength(1);
  });

  it.each(possible)("a $kind is never made again", async ({ call }) => {
    const { clients, tokens, tokenSource } = await start(wire, [expired]);
    const error = await connectErrorOf(call(clients));
    expect(error.findDetails(ErrorInfoSchema)).toMatchObject([{ reason: "TOKEN_EXPIRED" }]);
    expect(tokens()).toEqual([bearer(expired)]);
    expect(tokenSource.requests).toHaveLength(1);
    // The next call need not suffer for it.
    expect(tokenSource.refusals).toEqual([{ requirement: tokenSource.requests[0]?.requirement, token: expired }]);
  });

  it.each([
    ["at the first attempt", [goodToken]],
    ["at the second attempt", [expired, goodToken]],
  ])("a server stream keeps its request, messages, headers and trailers %s", async (_, script) => {
    const skus: string[] = [];
    const { clients } = await start(wire, script, {
      inventory: {
        async *watchStock({ sku }, context) {
          skus.push(sku);
          context.responseHeader.set("x-header", "h");
          context.responseTrailer.set("x-trailer", "t");
          for (let available = 0; available < 5; available += 1) yield { stockLevel: { sku, available } };
        },
      },
    });
    const seen: unknown[] = [];
    const messages = clients.inventory.watchStock(
      { sku: "tea" },
      {
        onHeader: (header) => void seen.push(header.get("x-header")),
        onTrailer: (trailer) => void seen.push(trailer.get("x-trailer")),
      },
    );
    for await (const { stockLevel } of messages) seen.push(stockLevel?.available);
    expect(seen).toEqual(["h", 0, 1, 2, 3, 4, "t"]);
    expect(skus).toEqual(["tea"]);
  });

  it.each([
    ["at the first attempt", [goodToken]],
    ["at the second attempt", [expired, goodToken]],
  ])("a server stream may be empty %s", async (_, script) => {
    const { clients } = await start(wire, script, {
      inventory: {
        async *watchStock(_request, context) {
          context.responseTrailer.set("x-trailer", "t");
          yield* [];
        },
      },
    });
    let trailer: string | null = null;
    const onTrailer = (trailers: Headers): void => {
      trailer = trailers.get("x-trailer");
    };
    expect(await collect(clients.inventory.watchStock({}, { onTrailer }))).toEqual([]);
    expect(trailer).toBe("t");
  });

  it.each([
    ["at the first attempt", [goodToken]],
    ["at the second attempt", [expired, goodToken]],
  ])("a unary call keeps its request, response, headers and trailers %s", async (_, script) => {
    const { clients } = await start(wire, script, {
      payment: {
        charge({ requestId }, context) {
          context.responseHeader.set("x-header", "h");
          context.responseTrailer.set("x-trailer", "t");
          return { payment: { name: requestId } };
        },
      },
    });
    const seen: unknown[] = [];
    const { payment } = await clients.payment.charge(
      { requestId: "payments/7" },
      {
        onHeader: (header) => void seen.push(header.get("x-header")),
        onTrailer: (trailer) => void seen.push(trailer.get("x-trailer")),
      },
    );
    expect([payment?.name, ...seen]).toEqual(["payments/7", "h", "t"]);
  });

  it("a call that brought its own token is not made again", async () => {
    const { clients, tokens, tokenSource } = await start(wire, []);
    const headers = { authorization: bearer(expired) };
    await connectErrorOf(clients.payment.charge({}, { headers }));
    await connectErrorOf(collect(clients.inventory.watchStock({}, { headers })));
    expect(tokens()).toEqual([bearer(expired), bearer(expired)]);
    expect(tokenSource.requests).toEqual([]);
    expect(tokenSource.refusals).toEqual([]);
  });
});

type Info = MessageInitShape<typeof ErrorInfoSchema>;

/** What a server that is not guarded might say; only the first line is about the token of this call. */
function marker(audience: string, changes: Info = {}): Info {
  return { domain: "meshauth", reason: "TOKEN_EXPIRED", metadata: { audience }, ...changes };
}

function errorWith(info: Info | undefined, code = Code.Unauthenticated): ConnectError {
  const details = info === undefined ? [] : [{ desc: ErrorInfoSchema, value: info }];
  return new ConnectError("no", code, undefined, details);
}

/** A server that fails every call in the same way, and counts them. */
async function startFailing(wire: Wire, errorFor: (audience: string) => ConnectError, script: readonly Supply[]) {
  let attempts = 0;
  const fail = (audience: string): never => {
    attempts += 1;
    throw errorFor(audience);
  };
  const server = await startConnectServer({
    routes: (router) =>
      router.service(PaymentService, { charge: () => fail(paymentAudience) }).service(InventoryService, {
        async *watchStock() {
          fail(inventoryAudience);
          yield {};
        },
      }),
  });
  const tokenSource = createStubTokenSource(...script);
  const clients = clientsOn(connectTo(server, wire, [createConnectInterceptor({ tokenSource })]));
  return { tokenSource, clients, attempts: () => attempts };
}

describe.each(duplexWires)("on %s, what a server says", (wire) => {
  it.each(retried)("is believed if it is about the token of this call: $kind", async ({ call }) => {
    const { clients, attempts } = await startFailing(wire, (audience) => errorWith(marker(audience)), ["a", "b"]);
    await connectErrorOf(call(clients));
    expect(attempts()).toBe(2);
  });

  describe.each(retried)("does not make a $kind happen again", ({ call }) => {
    it.each<[string, (audience: string) => ConnectError]>([
      ["for another audience", () => errorWith(marker("https://order-service.internal"))],
      ["without an audience", (audience) => errorWith(marker(audience, { metadata: {} }))],
      ["in another domain", (audience) => errorWith(marker(audience, { domain: "example.com" }))],
      ["for another reason", (audience) => errorWith(marker(audience, { reason: "TOKEN_NOT_YET_VALID" }))],
      [
        "about a stream that outlived its token",
        (audience) => errorWith(marker(audience, { metadata: { audience, stream: "true" } })),
      ],
      ["with another code", (audience) => errorWith(marker(audience), Code.PermissionDenied)],
      ["without details", () => errorWith(undefined)],
      [
        "that a scope was missed, for another audience",
        () =>
          errorWith(marker("https://order-service.internal", { reason: "SCOPE_INSUFFICIENT" }), Code.PermissionDenied),
      ],
    ])("%s", async (_, errorFor) => {
      const { clients, attempts, tokenSource } = await startFailing(wire, errorFor, ["a"]);
      const error = await connectErrorOf(call(clients));
      expect(error.rawMessage).toBe("no");
      expect(attempts()).toBe(1);
      expect(tokenSource.refusals).toEqual([]);
      expect(tokenSource.scopeMisses).toEqual([]);
    });
  });

  it("does not make a server stream happen again after its first message", async () => {
    let attempts = 0;
    const watchStock: ServiceImpl<typeof InventoryService>["watchStock"] = async function* () {
      attempts += 1;
      yield { stockLevel: { available: 1 } };
      throw errorWith(marker(inventoryAudience));
    };
    const server = await startConnectServer({ routes: (router) => router.service(InventoryService, { watchStock }) });
    const tokenSource = createStubTokenSource("a");
    const { inventory } = clientsOn(connectTo(server, wire, [createConnectInterceptor({ tokenSource })]));
    const got: unknown[] = [];
    const error = await connectErrorOf(
      (async () => {
        for await (const { stockLevel } of inventory.watchStock({})) got.push(stockLevel?.available);
      })(),
    );
    expect(error.rawMessage).toBe("no");
    expect(got).toEqual([1]);
    expect(attempts).toBe(1);
    expect(tokenSource.refusals).toEqual([]);
  });

  it("reaches the client before the stream is over", async () => {
    const release = defer();
    const { clients } = await start(wire, [goodToken], {
      inventory: {
        async *watchStock() {
          yield { stockLevel: { available: 1 } };
          await release.promise;
          yield { stockLevel: { available: 2 } };
        },
      },
    });
    const messages = clients.inventory.watchStock({})[Symbol.asyncIterator]();
    expect((await messages.next()).value?.stockLevel?.available).toBe(1);
    release.resolve();
    expect((await messages.next()).value?.stockLevel?.available).toBe(2);
    expect(await messages.next()).toMatchObject({ done: true });
  });
});

describe("a second attempt", () => {
  it("can be an HTTP GET like the first", async () => {
    const methods: string[] = [];
    const resourceServer = createResourceServer();
    const server = await startConnectServer(
      guardConnect(resourceServer, {
        requestGate: ({ requestMethod }) => void methods.push(requestMethod),
        routes: (router) => router.service(InventoryService, { checkStock: () => ({}) }),
      }),
    );
    const tokenSource = createStubTokenSource(expired, goodToken);
    const transport = createConnectTransport({
      baseUrl: `http://127.0.0.1:${server.http1Port}`,
      httpVersion: "1.1",
      useHttpGet: true,
      interceptors: [createConnectInterceptor({ tokenSource })],
    });
    await createClient(InventoryService, transport).checkStock({ skus: ["tea"] });
    expect(methods).toEqual(["GET"]);
    expect(resourceServer.calls.map(({ authorization }) => authorization)).toEqual([
      bearer(expired),
      bearer(goodToken),
    ]);
  });

  it.each(retried)("ends when its call is cancelled while it waits for a token: $kind", async ({ call }) => {
    const held = hold();
    const { tokens, server, tokenSource } = await start("Connect", [expired, held.supply]);
    const cancel = new AbortController();
    const transport = connectTo(server, "Connect", [createConnectInterceptor({ tokenSource })]);
    const failed = connectErrorOf(call(clientsOn(withSignal(transport, cancel.signal))));
    await held.asked;
    expect(tokenSource.requests[1]?.wait.signal?.aborted).toBe(false);
    cancel.abort();
    expect(tokenSource.requests[1]?.wait.signal?.aborted).toBe(true);
    expect((await failed).code).toBe(Code.Canceled);
    expect(tokens()).toEqual([bearer(expired)]);
  });
});

describe("the response of a server stream", () => {
  /** Calls with an interceptor in front of ours, and one behind it that counts what is closed. */
  async function stream(
    handler: () => AsyncGenerator<object>,
    use: (messages: AsyncIterator<unknown>, closes: () => number) => Promise<void>,
  ): Promise<{ readonly closes: number }> {
    let closes = 0;
    const outer: Interceptor = (next) => async (request) => {
      const response = (await next(request)) as StreamResponse;
      await use(response.message[Symbol.asyncIterator](), () => closes);
      return { ...response, message: (async function* () {})() } as StreamResponse;
    };
    const inner: Interceptor = (next) => async (request) => {
      const response = (await next(request)) as StreamResponse;
      const iterator = response.message[Symbol.asyncIterator]();
      return {
        ...response,
        message: {
          [Symbol.asyncIterator]: () => ({
            next: () => iterator.next(),
            return: async () => {
              await settle();
              closes += 1;
              return { done: true, value: undefined };
            },
          }),
        },
      } as unknown as StreamResponse;
    };
    const ours = createConnectInterceptor({ tokenSource: createStubTokenSource(goodToken) });
    const transport = createRouterTransport(({ service }) => service(InventoryService, { watchStock: handler }), {
      transport: { interceptors: [outer, ours, inner] },
    });
    await collect(createClient(InventoryService, transport).watchStock({}));
    return { closes };
  }

  async function* two(): AsyncGenerator<object> {
    yield {};
    yield {};
  }

  it("closes the stream underneath when its consumer stops early", async () => {
    const { closes } = await stream(two, async (messages, counted) => {
      await messages.next();
      await messages.return?.();
      expect(counted()).toBe(1);
      expect(await messages.next()).toEqual({ done: true, value: undefined });
    });
    expect(closes).toBe(1);
  });

  it("closes nothing when it was read to its end", async () => {
    const { closes } = await stream(two, async (messages) => {
      await messages.next();
      await messages.next();
      expect(await messages.next()).toEqual({ done: true, value: undefined });
    });
    expect(closes).toBe(0);
  });

  it("closes nothing when it was empty", async () => {
    const { closes } = await stream(
      async function* () {},
      async (messages) => {
        expect(await messages.next()).toEqual({ done: true, value: undefined });
      },
    );
    expect(closes).toBe(0);
  });
});

describe.each(duplexWires)("on %s, a stream of requests that was answered", (wire) => {
  it("says nothing of its token when it fails later, whatever the failure looks like: the gate let it in", async () => {
    const server = await startRoutes(
      echoRoutes([], {
        inventory: {
          async *syncStock() {
            yield {};
            throw refusalToConnectError({ reason: "TOKEN_EXPIRED", cause: "", audience: inventoryAudience });
          },
        },
      }),
    );
    const tokenSource = createStubTokenSource(goodToken);
    const clients = clientsOn(connectTo(server, wire, [createConnectInterceptor({ tokenSource })]));
    const error = await connectErrorOf(collect(clients.inventory.syncStock(streamOf({ sku: "teapot" }))));
    expect(error.findDetails(ErrorInfoSchema)).toMatchObject([{ reason: "TOKEN_EXPIRED" }]);
    expect(tokenSource.refusals).toEqual([]);
  });
});

describe("an interceptor further out that makes the same request again", () => {
  const again: Interceptor = (next) => async (request) => {
    await next(request);
    return await next(request);
  };

  it("gets a token of its own time, not the one that the first attempt left in the headers", async () => {
    const { server, resourceServer } = await startBench();
    const tokenSource = createStubTokenSource(goodToken, expired, goodToken);
    const clients = clientsOn(connectTo(server, "Connect", [again, createConnectInterceptor({ tokenSource })]));
    await clients.payment.charge({});
    // The second time, its token is refused; it is ours, so it is replaced.
    expect(resourceServer.calls.map(({ authorization }) => authorization)).toEqual([
      bearer(goodToken),
      bearer(expired),
      bearer(goodToken),
    ]);
  });

  it("may bring a token of its own the second time", async () => {
    const { server, resourceServer } = await startBench();
    const tokenSource = createStubTokenSource(goodToken);
    const own = bearer(invalid);
    const replacing: Interceptor = (next) => async (request) => {
      await next(request);
      request.header.set("authorization", own);
      return await next(request);
    };
    const clients = clientsOn(connectTo(server, "Connect", [replacing, createConnectInterceptor({ tokenSource })]));
    await connectErrorOf(clients.payment.charge({}));
    expect(resourceServer.calls.map(({ authorization }) => authorization)).toEqual([bearer(goodToken), own]);
    expect(tokenSource.requests).toHaveLength(1);
  });

  it("keeps a token that the caller brings", async () => {
    const { server, resourceServer } = await startBench();
    const tokenSource = createStubTokenSource();
    const clients = clientsOn(connectTo(server, "Connect", [again, createConnectInterceptor({ tokenSource })]));
    await clients.payment.charge({}, { headers: { authorization: bearer(goodToken) } });
    expect(resourceServer.calls.map(({ authorization }) => authorization)).toEqual([
      bearer(goodToken),
      bearer(goodToken),
    ]);
    expect(tokenSource.requests).toEqual([]);
  });
});
