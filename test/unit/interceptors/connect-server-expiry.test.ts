// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { once } from "node:events";
import type { DescMethod } from "@bufbuild/protobuf";
import {
  Code,
  ConnectError,
  type ConnectRouter,
  createContextValues,
  type HandlerContext,
  type StreamRequest,
  type StreamResponse,
} from "@connectrpc/connect";
import { describe, expect, it } from "vitest";
import { ErrorInfoSchema } from "../../../src/gen/google/rpc/error_details_pb.js";
import { InventoryService } from "../../../src/gen/inventory/v1/inventory_pb.js";
import { PaymentService } from "../../../src/gen/payment/v1/payment_pb.js";
import { type ConnectServerOptions, guardConnect } from "../../../src/interceptors/connect-server.js";
import { settle } from "../../support/fake-clock.js";
import {
  bearer,
  goodToken,
  lifetimeMs,
  refusedToken,
  type StubResourceServer,
} from "../../support/stub-resource-server.js";
import { connectErrorOf, type Deferred, defer, duplexWires, expectNoSecret } from "../../support/transports.js";
import {
  type Clients,
  clientsOf,
  createResourceServer,
  type Handlers,
  inventoryAudience,
  paymentAudience,
  startBench,
  streamOf,
} from "./connect-bench.js";

const toleranceMs = 5_000;
const closing: readonly DescMethod[] = [
  InventoryService.method.watchStock,
  InventoryService.method.syncStock,
  PaymentService.method.importSettlements,
];

/** What goes on in a handler. */
interface Inside {
  readonly entered: Deferred<HandlerContext>;
  /** Resolves when the handler is over. */
  readonly over: Deferred;
}

type Behaviour = (context: HandlerContext) => Promise<void>;

/** Handlers that send a message where they can, and then do what the test says. */
function behaving(behave: Behaviour): { readonly inside: Inside; readonly handlers: Partial<Handlers> } {
  const inside = { entered: defer<HandlerContext>(), over: defer() };
  async function run(context: HandlerContext): Promise<void> {
    inside.entered.resolve(context);
    try {
      await behave(context);
    } finally {
      inside.over.resolve();
    }
  }
  const handlers: Partial<Handlers> = {
    payment: {
      async importSettlements(_requests, context) {
        await run(context);
        return { settledCount: 7 };
      },
    },
    inventory: {
      async *watchStock(_request, context) {
        yield { stockLevel: { sku: "tea" } };
        await run(context);
      },
      async *syncStock(_requests, context) {
        yield { stockLevel: { sku: "tea" } };
        await run(context);
      },
    },
  };
  return { inside, handlers };
}

const untilAborted: Behaviour = ({ signal }) =>
  new Promise((_resolve, reject) => {
    signal.addEventListener("abort", () => reject(signal.reason), { once: true });
  });

const forever: Behaviour = () => new Promise(() => {});

const streams: readonly {
  readonly kind: string;
  readonly audience: string;
  readonly call: (clients: Clients, signal?: AbortSignal) => Promise<unknown>;
}[] = [
  {
    kind: "server stream",
    audience: inventoryAudience,
    call: ({ inventory }, signal) => count(inventory.watchStock({}, { ...(signal && { signal }) })),
  },
  {
    kind: "client stream",
    audience: paymentAudience,
    call: ({ payment }, signal) => payment.importSettlements(streamOf({}), { ...(signal && { signal }) }),
  },
  {
    kind: "bidi",
    audience: inventoryAudience,
    call: ({ inventory }, signal) => count(inventory.syncStock(streamOf({}), { ...(signal && { signal }) })),
  },
];

async function count(messages: AsyncIterable<unknown>): Promise<number> {
  let counted = 0;
  for await (const _ of messages) counted += 1;
  return counted;
}

function expectExpired(error: ConnectError, audience: string): void {
  expect(error.code).toBe(Code.Unauthenticated);
  expect(error.rawMessage).toBe("the access token expired during the stream");
  expect(error.findDetails(ErrorInfoSchema)).toMatchObject([
    { reason: "TOKEN_EXPIRED", domain: "meshauth", metadata: { audience, stream: "true" } },
  ]);
  expect(error.metadata.get("www-authenticate")).toBe('Bearer error="invalid_token"');
}

describe.each(duplexWires)("a stream that ends with its token, on %s", (wire) => {
  describe.each(streams)("$kind", ({ audience, call }) => {
    it.each([
      ["waits for its signal", untilAborted],
      ["ignores its signal", forever],
    ])("ends at the expiry, within the clocks' tolerance, when its handler %s", async (_, behave) => {
      const { inside, handlers } = behaving(behave);
      const { server, resourceServer } = await startBench(handlers, { closing });
      const ended = connectErrorOf(call(clientsOf(server, wire, goodToken)));
      const { signal } = await inside.entered.promise;
      resourceServer.clock.advance(lifetimeMs + toleranceMs - 1);
      expect(resourceServer.clock.pending).toBe(1);
      expect(signal.aborted).toBe(false);
      resourceServer.clock.advance(1);
      expect(resourceServer.clock.pending).toBe(0);
      expect(signal.aborted).toBe(true);
      expect(signal.reason).toMatchObject({ code: Code.Unauthenticated });
      expectExpired(await ended, audience);
      expectNoSecret(await ended, goodToken);
    });

    it("leaves no timer behind when it ends before", async () => {
      const { inside, handlers } = behaving(async () => {});
      const { server, resourceServer } = await startBench(handlers, { closing });
      await call(clientsOf(server, wire, goodToken));
      const { signal } = await inside.entered.promise;
      expect(resourceServer.clock.pending).toBe(0);
      expect(resourceServer.calls).toHaveLength(1);
      expect(signal.reason).not.toMatchObject({ code: Code.Unauthenticated });
    });

    it("goes on where refusals do not count", async () => {
      const { inside, handlers } = behaving(async () => {});
      const { server, resourceServer } = await startBench(handlers, { closing, enforces: false });
      const ended = call(clientsOf(server, wire, goodToken));
      await inside.entered.promise;
      expect(resourceServer.clock.pending).toBe(0);
      await ended;
    });

    it("leaves no timer behind when it fails before", async () => {
      const { handlers } = behaving(() => Promise.reject(new ConnectError("no stock", Code.NotFound)));
      const { server, resourceServer } = await startBench(handlers, { closing });
      const error = await connectErrorOf(call(clientsOf(server, wire, goodToken)));
      expect(error.code).toBe(Code.NotFound);
      expect(resourceServer.clock.pending).toBe(0);
    });

    async function startAndCancel(behave: Behaviour): Promise<StubResourceServer> {
      const { inside, handlers } = behaving(behave);
      const { server, resourceServer } = await startBench(handlers, { closing });
      const cancel = new AbortController();
      const ended = connectErrorOf(call(clientsOf(server, wire, goodToken), cancel.signal));
      const { signal } = await inside.entered.promise;
      expect(resourceServer.clock.pending).toBe(1);
      const aborted = once(signal, "abort");
      cancel.abort();
      await aborted;
      expect((await ended).code).toBe(Code.Canceled);
      await settle();
      return resourceServer;
    }

    it("leaves no timer behind when the client cancels it", async () => {
      const { clock } = await startAndCancel(untilAborted);
      expect(clock.pending).toBe(0);
    });

    // A handler may go on after its signal, for instance at a deadline: it must not outlive the token for that.
    it("keeps its timer while its handler ignores that it was cancelled, until the expiry", async () => {
      const { clock } = await startAndCancel(forever);
      expect(clock.pending).toBe(1);
      clock.advance(lifetimeMs + toleranceMs);
      await settle();
      expect(clock.pending).toBe(0);
    });

    it("has no timer when it is refused", async () => {
      const { handlers } = behaving(forever);
      const { server, resourceServer } = await startBench(handlers, { closing });
      await connectErrorOf(call(clientsOf(server, wire, refusedToken("TOKEN_EXPIRED"))));
      expect(resourceServer.clock.pending).toBe(0);
    });
  });

  describe.each(streams)("$kind", ({ call }) => {
    it("goes on beyond the expiry when its rule keeps it, and has no timer", async () => {
      const release = defer();
      const { inside, handlers } = behaving(() => release.promise);
      const { server, resourceServer } = await startBench(handlers, { keeping: [InventoryService.method.watchStock] });
      const result = call(clientsOf(server, wire, goodToken));
      const { signal } = await inside.entered.promise;
      expect(resourceServer.clock.pending).toBe(0);
      resourceServer.clock.advance(lifetimeMs * 2);
      expect(signal.aborted).toBe(false);
      release.resolve();
      await expect(result).resolves.toBeDefined();
    });
  });
});

describe("a stream that ends with its token", () => {
  /** The interceptor of a guarded server, called by hand with what a handler would answer. */
  async function follow(
    resourceServer: StubResourceServer,
    respond: (request: StreamRequest) => AsyncIterable<unknown> | Promise<AsyncIterable<unknown>>,
  ): Promise<AsyncIterator<unknown>> {
    const options: ConnectServerOptions = { routes: (_: ConnectRouter) => {} };
    const [interceptor] = guardConnect(resourceServer, options).interceptors ?? [];
    if (interceptor === undefined) throw new Error("no interceptor");
    const request = {
      stream: true,
      service: InventoryService,
      method: InventoryService.method.watchStock,
      requestMethod: "POST",
      url: "http://127.0.0.1/inventory.v1.InventoryService/WatchStock",
      signal: new AbortController().signal,
      header: new Headers({ authorization: bearer(goodToken) }),
      contextValues: createContextValues(),
      message: streamOf({}),
    } as unknown as StreamRequest;
    const next = async (passed: unknown) =>
      ({ stream: true, message: await respond(passed as StreamRequest) }) as unknown as StreamResponse;
    const response = (await interceptor(next as Parameters<typeof interceptor>[0])(request)) as StreamResponse;
    return response.message[Symbol.asyncIterator]();
  }

  it("ends between two messages when nobody was waiting for one", async () => {
    const resourceServer = createResourceServer();
    const messages = await follow(resourceServer, () => streamOf({ n: 1 }, { n: 2 }));
    expect(await messages.next()).toEqual({ done: false, value: { n: 1 } });
    resourceServer.clock.advance(lifetimeMs + toleranceMs);
    expectExpired(await connectErrorOf(messages.next()), inventoryAudience);
    expect(await messages.next()).toEqual({ done: true, value: undefined });
  });

  it("ends while its handler has not even begun to answer", async () => {
    const resourceServer = createResourceServer();
    const asked = defer();
    const followed = follow(resourceServer, () => {
      asked.resolve();
      return new Promise(() => {});
    });
    await asked.promise;
    resourceServer.clock.advance(lifetimeMs + toleranceMs);
    expectExpired(await connectErrorOf(followed), inventoryAudience);
  });

  it("says that the token expired, not what its handler threw because of that", async () => {
    const resourceServer = createResourceServer();
    const messages = await follow(resourceServer, async function* ({ signal }) {
      yield { n: 1 };
      await new Promise((_resolve, reject) => {
        signal.addEventListener("abort", () => reject(new ConnectError("gone", Code.Aborted)), { once: true });
      });
    });
    await messages.next();
    const ended = connectErrorOf(messages.next());
    await settle();
    resourceServer.clock.advance(lifetimeMs + toleranceMs);
    expectExpired(await ended, inventoryAudience);
  });

  it("closes what its handler left open, and does not wait for it", async () => {
    const resourceServer = createResourceServer();
    const closed = defer();
    const messages = await follow(resourceServer, () => ({
      [Symbol.asyncIterator]: () => ({
        next: () => new Promise<IteratorResult<unknown>>(() => {}),
        return: () => {
          closed.resolve();
          return new Promise<IteratorResult<unknown>>(() => {});
        },
      }),
    }));
    const ended = connectErrorOf(messages.next());
    await settle();
    resourceServer.clock.advance(lifetimeMs + toleranceMs);
    expectExpired(await ended, inventoryAudience);
    await closed.promise;
  });

  it("does not mind a handler that fails to close, or cannot be closed", async () => {
    for (const close of [{ return: () => Promise.reject(new Error("stuck")) }, {}]) {
      const resourceServer = createResourceServer();
      const messages = await follow(resourceServer, () => ({
        [Symbol.asyncIterator]: () => ({ next: () => new Promise<IteratorResult<unknown>>(() => {}), ...close }),
      }));
      const ended = connectErrorOf(messages.next());
      await settle();
      resourceServer.clock.advance(lifetimeMs + toleranceMs);
      expectExpired(await ended, inventoryAudience);
    }
  });

  it("does not close what is finished", async () => {
    const resourceServer = createResourceServer();
    const results: IteratorResult<unknown>[] = [
      { done: false, value: 1 },
      { done: true, value: undefined },
    ];
    let closes = 0;
    const messages = await follow(resourceServer, () => ({
      [Symbol.asyncIterator]: () => ({
        next: async () => results.shift() ?? { done: true, value: undefined },
        return: async () => {
          closes += 1;
          return { done: true, value: undefined };
        },
      }),
    }));
    await messages.next();
    expect(await messages.next()).toEqual({ done: true, value: undefined });
    expect(closes).toBe(0);
    expect(resourceServer.clock.pending).toBe(0);
  });

  it("leaves no timer behind when its consumer stops early, and closes its handler", async () => {
    const resourceServer = createResourceServer();
    const closed = defer();
    const messages = await follow(resourceServer, async function* () {
      try {
        yield { n: 1 };
        yield { n: 2 };
      } finally {
        closed.resolve();
      }
    });
    await messages.next();
    expect(resourceServer.clock.pending).toBe(1);
    await messages.return?.();
    expect(resourceServer.clock.pending).toBe(0);
    await closed.promise;
  });

  it("still hears of the client's cancellation", async () => {
    const { inside, handlers } = behaving(untilAborted);
    const { server } = await startBench(handlers, { closing });
    const cancel = new AbortController();
    const ended = connectErrorOf(
      clientsOf(server, "gRPC", goodToken).payment.importSettlements(streamOf({}), { signal: cancel.signal }),
    );
    await inside.entered.promise;
    cancel.abort();
    await inside.over.promise;
    expect((await ended).code).toBe(Code.Canceled);
  });
});

describe("the request side of a stream whose token expires", () => {
  it.each(duplexWires)("ends for a handler that looks at nothing but its requests, over %s", async (wire) => {
    const seen: number[] = [];
    const ended: Deferred<unknown> = defer<unknown>();
    const { resourceServer, server } = await startBench(
      {
        inventory: {
          async *syncStock(requests) {
            try {
              for await (const { sku, counted } of requests) {
                seen.push(counted);
                yield { stockLevel: { sku, available: counted } };
              }
              ended.resolve(undefined);
            } catch (error) {
              ended.resolve(error);
              throw error;
            }
          },
        },
      },
      { closing },
    );
    const more: Deferred = defer();
    const responses = clientsOf(server, wire, goodToken)
      .inventory.syncStock(
        (async function* () {
          yield { sku: "teapot", counted: 1 };
          await more.promise;
          yield { sku: "teapot", counted: 2 };
        })(),
      )
      [Symbol.asyncIterator]();
    await responses.next();
    // The handler waits for its next request now.
    await settle();
    const failure = connectErrorOf(responses.next());
    await resourceServer.clock.run(lifetimeMs + toleranceMs);
    expect((await failure).code).toBe(Code.Unauthenticated);
    expect(await ended.promise).toBeInstanceOf(ConnectError);
    more.resolve();
    expect(seen).toEqual([1]);
    expect(resourceServer.clock.pending).toBe(0);
  });
});
