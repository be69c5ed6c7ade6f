// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import { inspect } from "node:util";
import { create, toBinary } from "@bufbuild/protobuf";
import { anyPack } from "@bufbuild/protobuf/wkt";
import {
  ChannelCredentials,
  InterceptingCall,
  type Interceptor,
  Metadata,
  Server,
  type ServerErrorResponse,
  status as Status,
} from "@grpc/grpc-js";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import { ErrorInfoSchema } from "../../../src/gen/google/rpc/error_details_pb.js";
import { StatusSchema } from "../../../src/gen/google/rpc/status_pb.js";
import { Health } from "../../../src/gen/health/v1/health_pb.js";
import { InventoryService } from "../../../src/gen/inventory/v1/inventory_pb.js";
import { OrderService } from "../../../src/gen/order/v1/order_pb.js";
import { PaymentService } from "../../../src/gen/payment/v1/payment_pb.js";
import type { GrpcClient } from "../../../src/grpc-js/client.js";
import { createGrpcInterceptor, type GrpcInterceptorOptions } from "../../../src/interceptors/grpc-client.js";
import {
  type AuthenticatedClientOptions,
  createAuthenticatedClient,
} from "../../../src/interceptors/grpc-client-factory.js";
import { withoutToken } from "../../../src/interceptors/grpc-without-token.js";
import { RuleError } from "../../../src/rules/problem.js";
import { bearer, goodToken, refusedToken } from "../../support/stub-resource-server.js";
import {
  createStubTokenSource,
  fails,
  hold,
  later,
  type StubTokenSource,
  type Supply,
  tokenError,
} from "../../support/stub-token-source.js";
import { defer, expectNoSecret, startGrpcServer } from "../../support/transports.js";
import { inventoryAudience, paymentAudience } from "./connect-bench.js";
import {
  addServices,
  bringing,
  type Entered,
  echoHandlers,
  exchange,
  type GrpcBench,
  type GrpcClients,
  type GrpcTestHandlers,
  grpcCalls,
  grpcClientsOf,
  read,
  seenIn,
  startGrpcBench,
  statusOf,
} from "./grpc-bench.js";

const expired = refusedToken("TOKEN_EXPIRED");
const invalid = refusedToken("TOKEN_INVALID");
const publicHealth = [{ target: Health, rule: { public: {} } }];

interface ClientBench extends GrpcBench {
  readonly tokenSource: StubTokenSource;
  readonly clients: GrpcClients;
  /** The tokens that reached the server, in order. */
  readonly tokens: () => (string | null | undefined)[];
}

type Options = Omit<GrpcInterceptorOptions, "tokenSource" | "services" | "channel">;

async function start(
  script: readonly Supply[],
  handlers: Partial<GrpcTestHandlers> = {},
  options: Options = { rules: publicHealth },
): Promise<ClientBench> {
  const bench = await startGrpcBench(handlers);
  const tokenSource = createStubTokenSource(...script);
  const services = [PaymentService, InventoryService, ...(options.rules === publicHealth ? [Health] : [])];
  const interceptor = createGrpcInterceptor({ ...options, tokenSource, services, channel: bench });
  return {
    ...bench,
    tokenSource,
    clients: grpcClientsOf(bench.target, [interceptor]),
    tokens: () => bench.resourceServer.calls.map(({ authorization }) => authorization),
  };
}

describe("createGrpcInterceptor", () => {
  it.each([
    ["that is there", goodToken],
    ["that has to be fetched", later(goodToken)],
  ])("sends a token %s with every kind of call", async (_, supply) => {
    const { clients, entered, tokenSource, tokens } = await start([supply, supply, supply, supply]);
    for (const { call } of grpcCalls) await call(clients);
    expect(entered.map(({ rpc }) => rpc)).toEqual(["charge", "watchStock", "importSettlements", "syncStock"]);
    expect(tokens()).toEqual(grpcCalls.map(() => bearer(goodToken)));
    expect(tokenSource.requests.map(({ requirement }) => requirement)).toEqual([
      { audience: paymentAudience, scopes: ["payments:write"] },
      { audience: inventoryAudience, scopes: ["inventory:read"] },
      { audience: paymentAudience, scopes: ["payments:admin"] },
      { audience: inventoryAudience, scopes: ["inventory:write"] },
    ]);
    expect(tokenSource.refusals).toEqual([]);
  });

  it.each([
    ["the first alternative of a rule", {}, ["payments:admin"]],
    ["the alternative that its own service names", { service: OrderService }, ["payments:write", "payments:refund"]],
  ])("asks for %s", async (_, options, scopes) => {
    const { tokenSource, clients } = await start([fails("unavailable")], {}, options);
    await statusOf(clients.payment.refund({}));
    expect(tokenSource.requests.map(({ requirement }) => requirement)).toEqual([{ audience: paymentAudience, scopes }]);
  });

  it("sends no token with calls of a public RPC, and asks for none", async () => {
    const { clients, tokens, tokenSource } = await start([]);
    await clients.health.check({});
    expect(tokens()).toEqual([undefined]);
    expect(tokenSource.requests).toEqual([]);
  });

  it("leaves calls of other services alone", async () => {
    const { target, resourceServer } = await startGrpcBench();
    const tokenSource = createStubTokenSource();
    const interceptor = createGrpcInterceptor({ tokenSource, services: [PaymentService], channel: { target } });
    const { inventory } = grpcClientsOf(target, [interceptor]);
    await statusOf(inventory.checkStock({}));
    expect(resourceServer.calls).toMatchObject([{ authorization: undefined }]);
    expect(tokenSource.requests).toEqual([]);
  });

  it("keeps the authorization that a call brings, of every kind, and asks for no token", async () => {
    const { clients, tokens, tokenSource } = await start([]);
    for (const { call } of grpcCalls) await call(clients, bringing(goodToken));
    expect(tokens()).toEqual(grpcCalls.map(() => bearer(goodToken)));
    expect(tokenSource.requests).toEqual([]);
  });

  it("keeps the other metadata of a call, and puts no token into it", async () => {
    const { clients, entered } = await start([goodToken]);
    const metadata = new Metadata();
    metadata.set("x-request", "7");
    await clients.payment.charge({}, { metadata });
    expect(entered.map(({ call }) => call.metadata.get("x-request"))).toEqual([["7"]]);
    expect(metadata.getMap()).toEqual({ "x-request": "7" });
  });

  it("asks for rules when it is created", () => {
    const options = { tokenSource: createStubTokenSource(), channel: { tls: true } as const };
    expect(() => createGrpcInterceptor({ ...options, services: [PaymentService, Health] })).toThrow(RuleError);
    expect(() => createGrpcInterceptor({ ...options, services: [Health], rules: publicHealth })).not.toThrow();
  });

  it.each([
    [{ tls: true } as const],
    [{ target: "localhost:50051" }],
    [{ target: "127.0.0.1:50051" }],
    [{ target: "unix:/run/payment.sock" }],
    [{ tls: false, target: "localhost:50051" } as unknown as { target: string }],
  ])("takes the channel %j", (channel) => {
    expect(() =>
      createGrpcInterceptor({ tokenSource: createStubTokenSource(), services: [PaymentService], channel }),
    ).not.toThrow();
  });

  it.each([
    [{ target: "payment-service.internal:443" }, "payment-service.internal:443"],
    [{ target: "10.0.0.1:443" }, "10.0.0.1:443"],
    [{ tls: false } as unknown as { tls: true }, "a channel without TLS"],
    [{ tls: "yes please" } as unknown as { tls: true }, undefined],
    [{ tls: false, target: "10.0.0.1:1" } as unknown as { tls: true }, "10.0.0.1:1"],
    [{} as { tls: true }, "a channel without TLS"],
  ])("refuses the channel %j", (channel, name) => {
    const create = (): Interceptor =>
      createGrpcInterceptor({ tokenSource: createStubTokenSource(), services: [PaymentService], channel });
    if (name === undefined) expect(create).not.toThrow();
    else expect(create).toThrow(new TypeError(`no access token is sent to ${name} in plaintext; use TLS`));
  });
});

describe("a call for which there is no token", () => {
  it.each([
    ["unavailable", Status.UNAVAILABLE],
    ["refused", Status.UNAUTHENTICATED],
    ["cancelled", Status.DEADLINE_EXCEEDED],
  ] as const)("fails with the code of a failure of kind %s, and names the issuer", async (kind, code) => {
    const { clients, tokens } = await start(grpcCalls.map(() => fails(kind)));
    for (const { call } of grpcCalls) {
      const error = await statusOf(call(clients));
      expect(error.code).toBe(code);
      expect(error.details).toContain("from https://login.test as client order-service (attempt 3)");
      expect(seenIn(error)).toMatchObject({ errorInfos: [], wwwAuthenticate: [] });
    }
    expect(tokens()).toEqual([]);
  });

  it("fails with INTERNAL, and says no more, if the token source has a bug", async () => {
    const { clients, tokens } = await start([() => Promise.reject(new Error(`a bug with ${goodToken}`))]);
    const error = await statusOf(clients.payment.charge({}));
    expect(error).toMatchObject({ code: Status.INTERNAL, details: "no access token" });
    expectNoSecret(error, goodToken);
    expect(tokens()).toEqual([]);
  });

  it.each(grpcCalls)("ends when it is cancelled while it waits: $kind", async ({ call }) => {
    const held = hold();
    const { clients, tokens, tokenSource } = await start([held.supply]);
    const cancel = new AbortController();
    const failed = statusOf(call(clients, { signal: cancel.signal }));
    await held.asked;
    expect(tokenSource.requests[0]?.wait.signal?.aborted).toBe(false);
    cancel.abort();
    expect((await failed).code).toBe(Status.CANCELLED);
    expect(tokenSource.requests[0]?.wait.signal?.aborted).toBe(true);
    expect(tokens()).toEqual([]);
  });

  it("is not made by a token that comes too late", async () => {
    const held = hold();
    let lateSignal: AbortSignal | undefined;
    const { clients, tokens } = await start([
      async ({ requirement, wait }) => {
        lateSignal = wait.signal;
        // A source that does not mind that its caller is gone.
        return await (held.supply as Exclude<Supply, string>)({ requirement, wait: {} });
      },
    ]);
    const cancel = new AbortController();
    const failed = statusOf(clients.payment.charge({}, { signal: cancel.signal }));
    await held.asked;
    cancel.abort();
    expect((await failed).code).toBe(Status.CANCELLED);
    expect(lateSignal?.aborted).toBe(true);
    held.release(goodToken);
    await clients.health.check({});
    expect(tokens()).toEqual([undefined]);
  });

  it.each([
    ["a time", (at: number) => at],
    ["a date", (at: number) => new Date(at)],
  ])("tells the token source its deadline, given as %s", async (_, toDeadline) => {
    const deadline = Date.now() + 60_000;
    const { clients, tokenSource } = await start([goodToken]);
    await clients.payment.charge({}, { deadline: toDeadline(deadline) });
    expect(tokenSource.requests[0]?.wait.deadline).toBe(deadline);
  });

  it.each([
    ["no deadline", {}],
    ["an endless one", { deadline: Number.POSITIVE_INFINITY }],
  ])("tells the token source of %s", async (_, options) => {
    const { clients, tokenSource } = await start([goodToken]);
    await clients.payment.charge({}, options);
    expect(tokenSource.requests).toHaveLength(1);
    expect(tokenSource.requests[0]?.wait.deadline).toBeUndefined();
  });

  // Timers may fire a millisecond early: what the token source says counts, not the time of day.
  it("fails with DEADLINE_EXCEEDED when the deadline passes meanwhile, even by a clock that runs ahead", async () => {
    const { clients } = await start([
      async ({ requirement }) => {
        throw tokenError("cancelled", requirement);
      },
    ]);
    const error = await statusOf(clients.payment.charge({}, { deadline: Date.now() + 60_000 }));
    expect(error.code).toBe(Status.DEADLINE_EXCEEDED);
    expect(error.details).toContain("https://login.test");
  });
});

describe("what a client does before its token is there", () => {
  it("is kept in order: writes, and the end", async () => {
    const held = hold();
    const { clients, entered } = await start([held.supply]);
    const answers = exchange(
      clients.inventory,
      [1, 2, 3, 4].map((counted) => ({ sku: "tea", counted })),
    );
    await held.asked;
    expect(entered).toEqual([]);
    held.release(goodToken);
    expect((await answers).map(({ stockLevel }) => stockLevel?.available)).toEqual([1, 2, 3, 4]);
  });

  it("goes in front of what it does afterwards", async () => {
    const held = hold();
    const { clients } = await start([held.supply]);
    const call = clients.inventory.syncStock();
    call.write({ counted: 1 });
    call.write({ counted: 2 });
    await held.asked;
    held.release(goodToken);
    const messages = call[Symbol.asyncIterator]();
    expect((await messages.next()).value?.stockLevel?.available).toBe(1);
    call.write({ counted: 3 });
    call.end();
    expect((await messages.next()).value?.stockLevel?.available).toBe(2);
    expect((await messages.next()).value?.stockLevel?.available).toBe(3);
    expect(await messages.next()).toMatchObject({ done: true });
  });

  it("reaches the server once, also with a client stream", async () => {
    const { clients } = await start([later(goodToken)]);
    const { requests, response } = clients.payment.importSettlements();
    requests.write({ payment: "payments/1" });
    requests.write({ payment: "payments/2" });
    requests.end();
    expect((await response).settledCount).toBe(2);
  });
});

const retried = grpcCalls.filter(({ kind }) => kind === "unary" || kind === "server stream");
const notRetried = grpcCalls.filter(({ kind }) => kind === "client stream" || kind === "bidi");

describe.each(retried)("after a refusal, a $kind", ({ call }) => {
  it.each([
    ["TOKEN_EXPIRED", expired, goodToken],
    ["TOKEN_INVALID", invalid, later(goodToken)],
  ])("with %s is made once more with another token, as if nothing had been", async (_, token, supply) => {
    const { clients, tokens, tokenSource, entered } = await start([token, supply]);
    await call(clients);
    expect(tokens()).toEqual([bearer(token), bearer(goodToken)]);
    expect(entered).toHaveLength(1);
    expect(tokenSource.refusals).toEqual([{ requirement: tokenSource.requests[0]?.requirement, token }]);
  });

  it("is made once more also if its first token had to be fetched", async () => {
    const { clients, tokens } = await start([later(expired), later(goodToken)]);
    await call(clients);
    expect(tokens()).toEqual([bearer(expired), bearer(goodToken)]);
  });

  it("is not made a third time", async () => {
    const { clients, tokens, tokenSource, entered } = await start([expired, invalid]);
    const error = await statusOf(call(clients));
    expect(seenIn(error)).toMatchObject({ errorInfos: [{ reason: "TOKEN_INVALID" }] });
    expect(tokens()).toEqual([bearer(expired), bearer(invalid)]);
    expect(tokenSource.refusals.map(({ token }) => token)).toEqual([expired]);
    expect(entered).toEqual([]);
    expectNoSecret(error, expired, invalid);
  });

  it.each([
    ["that is there", expired],
    ["that has to be fetched", later(expired)],
  ])("is not made again with the same token %s", async (_, supply) => {
    const { clients, tokens, tokenSource } = await start([expired, supply]);
    const error = await statusOf(call(clients));
    expect(seenIn(error)).toMatchObject({ errorInfos: [{ reason: "TOKEN_EXPIRED" }] });
    expect(tokens()).toEqual([bearer(expired)]);
    expect(tokenSource.requests).toHaveLength(2);
  });

  it("is not made again when the token source sees no sense in it", async () => {
    const { clients, tokens, tokenSource } = await start([expired]);
    tokenSource.mayRetry = false;
    const error = await statusOf(call(clients));
    expect(seenIn(error)).toMatchObject({ errorInfos: [{ reason: "TOKEN_EXPIRED" }] });
    expect(tokens()).toEqual([bearer(expired)]);
    expect(tokenSource.refusals).toHaveLength(1);
  });

  it.each(["TOKEN_NOT_YET_VALID", "SCOPE_INSUFFICIENT", "CALLER_NOT_ALLOWED"] as const)(
    "with %s is not made again",
    async (reason) => {
      const { clients, tokens, tokenSource } = await start([refusedToken(reason)]);
      expect(seenIn(await statusOf(call(clients)))).toMatchObject({ errorInfos: [{ reason }] });
      expect(tokens()).toHaveLength(1);
      expect(tokenSource.refusals).toEqual([]);
    },
  );

  it("fails for want of another token", async () => {
    const { clients, tokens } = await start([expired, fails("unavailable")]);
    expect((await statusOf(call(clients))).code).toBe(Status.UNAVAILABLE);
    expect(tokens()).toEqual([bearer(expired)]);
  });

  it("ends when it is cancelled while it waits for another token", async () => {
    const held = hold();
    const { clients, tokens } = await start([expired, held.supply]);
    const cancel = new AbortController();
    const failed = statusOf(call(clients, { signal: cancel.signal }));
    await held.asked;
    cancel.abort();
    expect((await failed).code).toBe(Status.CANCELLED);
    held.release(goodToken);
    await clients.health.check({});
    expect(tokens()).toEqual([bearer(expired), undefined]);
  });

  it("that brought its own token is not made again", async () => {
    const { clients, tokens, tokenSource } = await start([]);
    await statusOf(call(clients, bringing(expired)));
    expect(tokens()).toEqual([bearer(expired)]);
    expect(tokenSource.refusals).toEqual([]);
  });
});

describe.each(notRetried)("after a refusal, a $kind", ({ call }) => {
  it("is never made again", async () => {
    const { clients, tokens, tokenSource } = await start([expired]);
    expect(seenIn(await statusOf(call(clients)))).toMatchObject({ errorInfos: [{ reason: "TOKEN_EXPIRED" }] });
    expect(tokens()).toEqual([bearer(expired)]);
    expect(tokenSource.requests).toHaveLength(1);
    // The next call need not suffer for it.
    expect(tokenSource.refusals).toEqual([{ requirement: tokenSource.requests[0]?.requirement, token: expired }]);
  });
});

describe.each(grpcCalls)("a $kind", ({ call }) => {
  it("tells the token source that a scope was missed", async () => {
    const token = refusedToken("SCOPE_INSUFFICIENT");
    const { clients, tokens, tokenSource } = await start([token]);
    expect((await statusOf(call(clients))).code).toBe(Status.PERMISSION_DENIED);
    expect(tokenSource.scopeMisses).toEqual([{ requirement: tokenSource.requests[0]?.requirement, token }]);
    expect(tokenSource.refusals).toEqual([]);
    expect(tokens()).toHaveLength(1);
  });

  it("goes without a token if it should", async () => {
    const { clients, tokens, tokenSource } = await start([]);
    const error = await statusOf(call(clients, { metadata: withoutToken() }));
    expect(seenIn(error)).toMatchObject({ errorInfos: [{ reason: "CREDENTIALS_MISSING" }] });
    expect(tokens()).toEqual([undefined]);
    expect(tokenSource.requests).toEqual([]);
  });
});

interface Marker {
  readonly code?: Status;
  readonly domain?: string;
  readonly reason?: string;
  readonly metadata?: Record<string, string>;
}

/** A status as a server that is not guarded might send it. By default, the one that makes clients try again. */
function marker(audience: string, changes: Marker = {}): ServerErrorResponse {
  const { code = Status.UNAUTHENTICATED, domain = "meshauth", reason = "TOKEN_EXPIRED" } = changes;
  const info = create(ErrorInfoSchema, { domain, reason, metadata: changes.metadata ?? { audience } });
  const details = [anyPack(ErrorInfoSchema, info)];
  const metadata = new Metadata();
  const bytes = toBinary(StatusSchema, create(StatusSchema, { code, message: "no", details }));
  metadata.set("grpc-status-details-bin", Buffer.from(bytes));
  return Object.assign(new Error("no"), { code, details: "no", metadata });
}

function withDetails(value: Buffer | undefined): ServerErrorResponse {
  const metadata = new Metadata();
  if (value !== undefined) metadata.set("grpc-status-details-bin", value);
  return Object.assign(new Error("no"), { code: Status.UNAUTHENTICATED, details: "no", metadata });
}

/** Clients of a server that is not guarded. */
async function startUnguarded(
  handlers: Partial<GrpcTestHandlers>,
  script: readonly Supply[],
  outer: readonly Interceptor[] = [],
) {
  const entered: Entered[] = [];
  const server = new Server();
  addServices(server, echoHandlers(entered, handlers));
  const target = await startGrpcServer(server);
  const tokenSource = createStubTokenSource(...script);
  const services = [PaymentService, InventoryService];
  const interceptor = createGrpcInterceptor({ tokenSource, services, channel: { target } });
  return { tokenSource, clients: grpcClientsOf(target, [...outer, interceptor]) };
}

/** Clients of a server that fails every call in the same way, and counts them. */
async function startFailing(errorFor: (audience: string) => ServerErrorResponse, script: readonly Supply[]) {
  let attempts = 0;
  const handlers: Partial<GrpcTestHandlers> = {
    payment: {
      charge(_call, answer) {
        attempts += 1;
        answer(errorFor(paymentAudience));
      },
    },
    inventory: {
      watchStock(call) {
        attempts += 1;
        call.emit("error", errorFor(inventoryAudience));
      },
    },
  };
  return { ...(await startUnguarded(handlers, script)), attempts: () => attempts };
}

describe.each(retried)("what a server says of a $kind", ({ call }) => {
  it("is believed if it is about the token of this call", async () => {
    const { clients, attempts } = await startFailing((audience) => marker(audience), ["a", "b"]);
    await statusOf(call(clients));
    expect(attempts()).toBe(2);
  });

  it.each<[string, (audience: string) => ServerErrorResponse]>([
    ["for another audience", () => marker("https://order-service.internal")],
    ["without an audience", (audience) => marker(audience, { metadata: {} })],
    ["in another domain", (audience) => marker(audience, { domain: "example.com" })],
    ["for another reason", (audience) => marker(audience, { reason: "TOKEN_NOT_YET_VALID" })],
    [
      "about a stream that outlived its token",
      (audience) => marker(audience, { metadata: { audience, stream: "true" } }),
    ],
    ["with another code", (audience) => marker(audience, { code: Status.PERMISSION_DENIED })],
    ["without details", () => withDetails(undefined)],
    [
      "that a scope was missed, for another audience",
      () => marker("https://order-service.internal", { reason: "SCOPE_INSUFFICIENT", code: Status.PERMISSION_DENIED }),
    ],
    ["with details that do not decode", () => withDetails(Buffer.from([0xff, 0xff]))],
    [
      "with details of another kind",
      () =>
        withDetails(
          Buffer.from(
            toBinary(
              StatusSchema,
              create(StatusSchema, {
                details: [anyPack(StatusSchema, create(StatusSchema, { message: "TOKEN_EXPIRED" }))],
              }),
            ),
          ),
        ),
    ],
  ])("does not make it happen again %s", async (_, errorFor) => {
    const { clients, attempts, tokenSource } = await startFailing(errorFor, ["a"]);
    expect((await statusOf(call(clients))).details).toBe("no");
    expect(attempts()).toBe(1);
    expect(tokenSource.refusals).toEqual([]);
    expect(tokenSource.scopeMisses).toEqual([]);
  });
});

describe("withoutToken", () => {
  it("marks metadata, and leaves what is in it", async () => {
    const { clients, entered, tokenSource } = await start([goodToken]);
    const metadata = new Metadata();
    metadata.set("authorization", bearer(goodToken));
    metadata.set("x-call", "7");
    expect(withoutToken(metadata)).toBe(metadata);
    await clients.payment.charge({}, { metadata });
    expect(entered.map(({ call }) => call.metadata.get("x-call"))).toEqual([["7"]]);
    expect(tokenSource.requests).toEqual([]);
    await clients.payment.charge({}, { metadata: new Metadata() });
    expect(tokenSource.requests).toHaveLength(1);
  });
});

describe("a server stream", () => {
  it("is not made again after its first message", async () => {
    let attempts = 0;
    const { clients } = await startUnguarded(
      {
        inventory: {
          watchStock(call) {
            attempts += 1;
            call.write({ stockLevel: { available: 1 } });
            call.emit("error", marker(inventoryAudience));
          },
        },
      },
      ["a"],
    );
    const got: unknown[] = [];
    const error = await statusOf(
      (async () => {
        for await (const { stockLevel } of clients.inventory.watchStock({})) got.push(stockLevel?.available);
      })(),
    );
    expect(error.details).toBe("no");
    expect(got).toEqual([1]);
    expect(attempts).toBe(1);
  });

  it.each([
    ["at the first attempt", [goodToken]],
    ["at the second attempt", [expired, goodToken]],
  ])("keeps its request, and gets every message, %s", async (_, script) => {
    const { clients } = await start(script);
    const messages = await read(clients.inventory.watchStock({ sku: "tea" }));
    expect(messages.map(({ stockLevel }) => [stockLevel?.sku, stockLevel?.available])).toEqual([
      ["tea", 1],
      ["tea", 2],
    ]);
  });

  it.each([
    ["at the first attempt", [goodToken]],
    ["at the second attempt", [expired, goodToken]],
  ])("may be empty %s", async (_, script) => {
    const { clients } = await start(script, { inventory: { watchStock: (call) => call.end() } });
    expect(await read(clients.inventory.watchStock({}))).toEqual([]);
  });

  it("reaches the client before it is over", async () => {
    const release = defer();
    const { clients } = await start([goodToken], {
      inventory: {
        watchStock(call) {
          call.write({ stockLevel: { available: 1 } });
          void release.promise.then(() => {
            call.write({ stockLevel: { available: 2 } });
            call.end();
          });
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

describe("the metadata of a response", () => {
  /** A server that sends metadata with every attempt, and refuses the first one. */
  async function startWithMetadata(...outer: Interceptor[]) {
    let attempts = 0;
    const nextHeader = (): Metadata => {
      attempts += 1;
      const metadata = new Metadata();
      metadata.set("x-attempt", String(attempts));
      return metadata;
    };
    return await startUnguarded(
      {
        payment: {
          charge(call, answer) {
            call.sendMetadata(nextHeader());
            answer(attempts === 1 ? marker(paymentAudience) : null, {});
          },
        },
        inventory: {
          watchStock(call) {
            call.sendMetadata(nextHeader());
            if (attempts === 1) call.emit("error", marker(inventoryAudience));
            else call.end();
          },
        },
      },
      ["a", "b"],
      outer,
    );
  }

  it("is that of the attempt that counts, and comes once, with a server stream", async () => {
    const { clients } = await startWithMetadata();
    const seen: unknown[] = [];
    const stream = clients.inventory.watchStock({});
    stream.on("metadata", (metadata) => seen.push(metadata.get("x-attempt")));
    expect(await read(stream)).toEqual([]);
    expect(seen).toEqual([["2"]]);
  });

  it("is that of the attempt that counts, and comes once, with a unary call", async () => {
    const seen: unknown[] = [];
    const { clients } = await startWithMetadata((options, nextCall) => {
      return new InterceptingCall(nextCall(options), {
        start(metadata, _listener, next) {
          next(metadata, {
            onReceiveMetadata(received, deliver) {
              seen.push(received.get("x-attempt"));
              deliver(received);
            },
            onReceiveMessage(message, deliver) {
              seen.push(message === null ? "no message" : "a message");
              deliver(message);
            },
          });
        },
      });
    });
    await clients.payment.charge({});
    expect(seen).toEqual([["2"], "a message"]);
  });
});

describe("createAuthenticatedClient", () => {
  function createClient(options: Partial<AuthenticatedClientOptions>): GrpcClient<typeof PaymentService> {
    const client = createAuthenticatedClient(PaymentService, {
      target: "127.0.0.1:1",
      credentials: ChannelCredentials.createInsecure(),
      tokenSource: createStubTokenSource(),
      ...options,
    });
    onTestFinished(() => client.close());
    return client;
  }

  it("makes calls with the tokens that they need", async () => {
    const { target, resourceServer } = await startGrpcBench();
    const tokenSource = createStubTokenSource(goodToken);
    const client = createClient({ target, tokenSource });
    expect((await client.charge({ requestId: "7" })).payment?.name).toBe("payments/7");
    expect(resourceServer.calls).toMatchObject([{ authorization: bearer(goodToken) }]);
  });

  it("asks for the alternative that its caller names", async () => {
    const tokenSource = createStubTokenSource(fails("unavailable"));
    await statusOf(createClient({ tokenSource, service: OrderService }).refund({}));
    expect(tokenSource.requests.map(({ requirement }) => requirement.scopes)).toEqual([
      ["payments:write", "payments:refund"],
    ]);
  });

  it("asks for one token for all calls of its caller, if it should", async () => {
    const tokenSource = createStubTokenSource(fails("unavailable"), fails("unavailable"));
    const client = createClient({ tokenSource, service: OrderService, tokenPer: "service" });
    await statusOf(client.refund({}));
    await statusOf(client.charge({}));
    expect(tokenSource.requests.map(({ requirement }) => requirement.scopes)).toEqual([
      ["payments:refund", "payments:write"],
      ["payments:refund", "payments:write"],
    ]);
  });

  describe("where the environment names a proxy", () => {
    /** A proxy that says what it was asked to connect to, and never does. */
    async function startProxy(): Promise<{ readonly asked: Promise<string>; readonly connections: () => number }> {
      const asked = defer<string>();
      let connections = 0;
      const proxy = createServer((socket) => {
        connections += 1;
        socket.once("data", (data) => asked.resolve(data.toString().split(" HTTP")[0] ?? ""));
        socket.on("error", () => {});
        onTestFinished(() => void socket.destroy());
      });
      proxy.listen(0, "127.0.0.1");
      await once(proxy, "listening");
      onTestFinished(() => void proxy.close());
      vi.stubEnv("grpc_proxy", `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`);
      vi.stubEnv("no_grpc_proxy", "");
      vi.stubEnv("no_proxy", "");
      onTestFinished(() => void vi.unstubAllEnvs());
      return { asked: asked.promise, connections: () => connections };
    }

    it("keeps calls in plaintext on this machine", async () => {
      const { connections } = await startProxy();
      const { target } = await startGrpcBench();
      const tokenSource = createStubTokenSource(goodToken);
      await createClient({ target, tokenSource, channel: { "grpc.enable_http_proxy": 1 } }).charge({});
      expect(connections()).toBe(0);
    });

    it("lets calls with TLS go through it", async () => {
      const { asked } = await startProxy();
      const tokenSource = createStubTokenSource(goodToken);
      const credentials = ChannelCredentials.createSsl();
      const client = createClient({ target: "payment-service.internal:443", credentials, tokenSource });
      const cancel = new AbortController();
      const failed = statusOf(client.charge({}, { signal: cancel.signal }));
      expect(await asked).toBe("CONNECT payment-service.internal:443");
      cancel.abort();
      expect((await failed).code).toBe(Status.CANCELLED);
    });
  });

  it("takes rules from configuration", async () => {
    const { target, entered } = await startGrpcBench();
    const client = createAuthenticatedClient(Health, {
      target,
      credentials: ChannelCredentials.createInsecure(),
      tokenSource: createStubTokenSource(),
      rules: publicHealth,
    });
    onTestFinished(() => client.close());
    await client.check({});
    expect(entered).toHaveLength(1);
  });

  it("refuses services without rules", () => {
    expect(() =>
      createAuthenticatedClient(Health, {
        target: "127.0.0.1:1",
        credentials: ChannelCredentials.createInsecure(),
        tokenSource: createStubTokenSource(),
      }),
    ).toThrow(RuleError);
  });

  it("runs the interceptors of the options in front of its own: they may bring a token, and see none of ours", async () => {
    const { target, resourceServer } = await startGrpcBench();
    const seen: unknown[] = [];
    const bring =
      (token?: string): Interceptor =>
      (options, nextCall) =>
        new InterceptingCall(nextCall(options), {
          start(metadata, listener, next) {
            seen.push(metadata.get("authorization"));
            if (token !== undefined) metadata.set("authorization", bearer(token));
            next(metadata, listener);
          },
        });
    await createClient({ target, interceptors: [bring(), bring(goodToken)] }).charge({});
    await createClient({
      target,
      interceptors: [bring()],
      tokenSource: createStubTokenSource(goodToken),
    }).charge({});
    expect(seen).toEqual([[], [], []]);
    expect(resourceServer.calls.map(({ authorization }) => authorization)).toEqual([
      bearer(goodToken),
      bearer(goodToken),
    ]);
  });

  it("hands the options of the channel on", async () => {
    const { target } = await startGrpcBench();
    const client = createClient({
      target,
      tokenSource: createStubTokenSource(goodToken),
      channel: { "grpc.max_send_message_length": 10 },
    });
    const error = await statusOf(client.charge({ requestId: "x".repeat(20) }));
    expect(error.code).toBe(Status.RESOURCE_EXHAUSTED);
  });

  it.each(["payment-service.internal:443", "10.0.0.1:443", "dns:///payment-service.internal:443"])(
    "refuses %s in plaintext, and takes it with TLS",
    (target) => {
      expect(() => createClient({ target })).toThrow(
        new TypeError(`no access token is sent to ${target} in plaintext; use TLS`),
      );
      expect(() => createClient({ target, credentials: ChannelCredentials.createSsl() })).not.toThrow();
    },
  );

  it.each(["localhost:443", "127.0.0.1:443", "unix:/run/payment.sock"])("takes %s in plaintext", (target) => {
    expect(() => createClient({ target })).not.toThrow();
  });

  it("shows no token when it is inspected", async () => {
    const { target } = await startGrpcBench();
    const client = createClient({ target, tokenSource: createStubTokenSource(goodToken) });
    await client.charge({});
    expect(inspect(client, { depth: Infinity, showHidden: true })).not.toContain(goodToken);
  });
});
