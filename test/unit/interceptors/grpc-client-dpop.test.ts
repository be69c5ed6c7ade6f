// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { ChannelCredentials, Metadata, Server, status as Status } from "@grpc/grpc-js";
import { describe, expect, it, onTestFinished } from "vitest";
import { InventoryService } from "../../../src/gen/inventory/v1/inventory_pb.js";
import { PaymentService } from "../../../src/gen/payment/v1/payment_pb.js";
import { createCallCredentials } from "../../../src/interceptors/grpc-call-credentials.js";
import { createGrpcInterceptor } from "../../../src/interceptors/grpc-client.js";
import { createAuthenticatedClient } from "../../../src/interceptors/grpc-client-factory.js";
import { generateDpopKey } from "../../../src/tokens/dpop/dpop-key.js";
import { createTokenBinder, type TokenBinder } from "../../../src/tokens/dpop/token-binding.js";
import { createFakeClock, type FakeClock } from "../../support/fake-clock.js";
import { goodToken, refusedToken } from "../../support/stub-resource-server.js";
import {
  bindSource,
  bound,
  createStubTokenSource,
  type StubTokenSource,
  type Supply,
} from "../../support/stub-token-source.js";
import { expectNoSecret, startGrpcServer } from "../../support/transports.js";
import { claimsFor, createDpopGuard, type DpopGuard } from "./dpop-guard.js";
import {
  addServices,
  type Entered,
  echoHandlers,
  type GrpcClients,
  grpcCalls,
  grpcClientsOf,
  seenIn,
  statusOf,
} from "./grpc-bench.js";

const expired = refusedToken("TOKEN_EXPIRED");
const services = [PaymentService, InventoryService];

interface DpopGrpcBench {
  readonly guard: DpopGuard;
  readonly binder: TokenBinder;
  readonly clock: FakeClock;
  readonly target: string;
  readonly tokenSource: StubTokenSource;
  readonly clients: GrpcClients;
  readonly entered: readonly Entered[];
}

/** A server that checks proofs, and a client whose token source hands out these tokens, bound to its key. */
async function start(tokens: readonly string[]): Promise<DpopGrpcBench> {
  const clock = createFakeClock();
  const binder = createTokenBinder(generateDpopKey(), clock);
  const guard = createDpopGuard(binder.key.thumbprint, clock);
  const entered: Entered[] = [];
  const server = new Server({ interceptors: [guard.grpc] });
  addServices(server, echoHandlers(entered));
  const target = await startGrpcServer(server);
  guard.origins = [`http://${target}`];
  const tokenSource = bindSource(createStubTokenSource(...tokens.map((token) => supply(binder, token))), binder);
  const clients = grpcClientsOf(target, [createGrpcInterceptor({ tokenSource, services, channel: { target } })]);
  return { guard, binder, clock, target, tokenSource, clients, entered };
}

// Every second token has to be fetched.
function supply(binder: TokenBinder, token: string): Supply {
  const atOnce = bound(binder, token);
  supplies += 1;
  return supplies % 2 === 0 || typeof atOnce === "string" ? atOnce : async (request) => await atOnce(request);
}
let supplies = 0;

const many = (token: string): string[] => Array<string>(8).fill(token);
const replayable = grpcCalls.filter(({ kind }) => kind === "unary" || kind === "server stream");
const streaming = grpcCalls.filter(({ kind }) => kind === "client stream" || kind === "bidi");

describe("a grpc-js client with tokens that are bound to a key", () => {
  it("sends every kind of call with the scheme DPoP and a proof of its own", async () => {
    const { guard, clients, clock, target, entered } = await start(many(goodToken));
    for (const { call } of [...grpcCalls, ...grpcCalls]) await call(clients);
    expect(entered).toHaveLength(8);
    expect(guard.calls.map(({ authorization }) => authorization)).toEqual(many(`DPoP ${goodToken}`));
    expect(guard.calls[0]?.claims).toEqual(
      claimsFor(goodToken, `http://${target}/payment.v1.PaymentService/Charge`, clock),
    );
    expect(new Set(guard.calls.map(({ claims }) => claims["jti"])).size).toBe(8);
  });

  describe.each(replayable)("makes a $kind", ({ call }) => {
    it("once more with the nonce that the server wants, and from then on with it at once", async () => {
      const { guard, clients, entered, tokenSource } = await start([goodToken, goodToken]);
      guard.wantsNonce = true;
      await call(clients);
      await call(clients);
      const nonce = guard.currentNonce();
      expect(guard.calls.map(({ claims }) => claims["nonce"])).toEqual([undefined, nonce, nonce]);
      expect(guard.calls.map(({ refused }) => refused)).toEqual(["DPOP_NONCE_REQUIRED", undefined, undefined]);
      expect(entered).toHaveLength(2);
      expect(tokenSource.refusals).toEqual([]);
    });

    it("not a third time for a nonce", async () => {
      const { guard, clients, entered } = await start([goodToken]);
      guard.wantsNonce = true;
      guard.acceptsNonces = false;
      const error = await statusOf(call(clients));
      expect(seenIn(error)).toMatchObject({ errorInfos: [{ reason: "DPOP_NONCE_REQUIRED" }] });
      expect(guard.calls).toHaveLength(2);
      expect(entered).toEqual([]);
    });

    it("three times at most: for another token, and for a nonce", async () => {
      const { guard, clients, tokenSource } = await start([expired, goodToken]);
      guard.wantsNonce = true;
      guard.expired.add(expired);
      await call(clients);
      expect(guard.calls.map(({ authorization, refused }) => [authorization, refused])).toEqual([
        [`DPoP ${expired}`, "TOKEN_EXPIRED"],
        [`DPoP ${goodToken}`, "DPOP_NONCE_REQUIRED"],
        [`DPoP ${goodToken}`, undefined],
      ]);
      expect(tokenSource.refusals.map(({ token }) => token)).toEqual([expired]);
    });

    it("three times at most: for a nonce, and for another token", async () => {
      const { guard, clients, tokenSource } = await start([goodToken, "second"]);
      guard.wantsNonce = true;
      const { push } = guard.calls;
      // The tokens expire with the first call.
      guard.calls.push = (...items) => {
        guard.expired.add(goodToken);
        guard.expired.add("second");
        return push.apply(guard.calls, items);
      };
      const error = await statusOf(call(clients));
      expect(seenIn(error)).toMatchObject({ errorInfos: [{ reason: "TOKEN_EXPIRED" }] });
      expect(guard.calls.map(({ refused }) => refused)).toEqual([
        "DPOP_NONCE_REQUIRED",
        "TOKEN_EXPIRED",
        "TOKEN_EXPIRED",
      ]);
      expect(tokenSource.refusals.map(({ token }) => token)).toEqual([goodToken]);
      expectNoSecret(error, goodToken, ...guard.calls.map(({ proof = "" }) => proof));
    });

    it("not a third time for another token", async () => {
      const { guard, clients, tokenSource } = await start([expired, "second"]);
      guard.expired.add(expired).add("second");
      const error = await statusOf(call(clients));
      expect(seenIn(error)).toMatchObject({ errorInfos: [{ reason: "TOKEN_EXPIRED" }] });
      expect(guard.calls).toHaveLength(2);
      expect(tokenSource.refusals.map(({ token }) => token)).toEqual([expired]);
    });

    it("not a fourth time, when the other token expires as well", async () => {
      const { guard, clients, tokenSource } = await start([expired, "second", "third"]);
      guard.wantsNonce = true;
      guard.expired.add(expired);
      const { push } = guard.calls;
      guard.calls.push = (...items) => {
        if (items.some(({ refused }) => refused === "DPOP_NONCE_REQUIRED")) guard.expired.add("second");
        return push.apply(guard.calls, items);
      };
      const error = await statusOf(call(clients));
      expect(seenIn(error)).toMatchObject({ errorInfos: [{ reason: "TOKEN_EXPIRED" }] });
      expect(guard.calls.map(({ refused }) => refused)).toEqual([
        "TOKEN_EXPIRED",
        "DPOP_NONCE_REQUIRED",
        "TOKEN_EXPIRED",
      ]);
      expect(tokenSource.refusals.map(({ token }) => token)).toEqual([expired]);
    });

    it("not again after a bad proof", async () => {
      const { guard, clients, entered } = await start([goodToken]);
      guard.origins = ["https://elsewhere.test"];
      const error = await statusOf(call(clients));
      expect(seenIn(error)).toMatchObject({ errorInfos: [{ reason: "DPOP_PROOF_INVALID" }] });
      expect(guard.calls).toHaveLength(1);
      expect(entered).toEqual([]);
    });
  });

  describe.each(streaming)("does not make a $kind", ({ call }) => {
    it("again for a nonce, but has it for the next one", async () => {
      const { guard, clients, entered } = await start([goodToken, goodToken]);
      guard.wantsNonce = true;
      const error = await statusOf(call(clients));
      expect(seenIn(error)).toMatchObject({ errorInfos: [{ reason: "DPOP_NONCE_REQUIRED" }] });
      expect(guard.calls).toHaveLength(1);
      await call(clients);
      expect(guard.calls.map(({ refused }) => refused)).toEqual(["DPOP_NONCE_REQUIRED", undefined]);
      expect(entered).toHaveLength(1);
    });
  });

  it("takes the nonce of every answer for the call after it", async () => {
    const { guard, clients } = await start(many(goodToken));
    for (const [index, { call }] of grpcCalls.entries()) {
      guard.nextNonce = `nonce-${index}`;
      await call(clients);
    }
    const nonces = guard.calls.map(({ claims }) => claims["nonce"]);
    expect(nonces).toEqual([undefined, "nonce-0", "nonce-1", "nonce-2"]);
  });

  it("shows its caller the answer's metadata once, after a nonce", async () => {
    const { guard, target, tokenSource } = await start([goodToken]);
    guard.wantsNonce = true;
    guard.nextNonce = "next";
    const seen: string[] = [];
    const clients = grpcClientsOf(target, [createGrpcInterceptor({ tokenSource, services, channel: { target } })]);
    const call = clients.inventory.watchStock({ sku: "tea" });
    call.on("metadata", (metadata) => seen.push(String(metadata.get("dpop-nonce"))));
    for await (const message of call) expect(message).toBeDefined();
    expect(seen).toEqual(["next"]);
  });

  it("lets a call bring its own authorization, and adds no proof", async () => {
    const { guard, clients } = await start([]);
    const metadata = new Metadata();
    metadata.set("authorization", "DPoP mine");
    await statusOf(clients.payment.charge({}, { metadata }));
    expect(guard.calls).toMatchObject([{ authorization: "DPoP mine", proof: undefined }]);
  });

  it("cancels a call whose proof is being made", async () => {
    const { guard, clients } = await start([goodToken, goodToken]);
    for (const _ of [1, 2]) {
      const cancel = new AbortController();
      const call = clients.payment.charge({}, { signal: cancel.signal });
      cancel.abort();
      expect((await statusOf(call)).code).toBe(Status.CANCELLED);
    }
    expect(guard.calls).toEqual([]);
  });

  it("ends a call whose proof cannot be made, and says no more", async () => {
    const { clients, binder, guard } = await start([goodToken]);
    binder.key.pair = () => Promise.reject(new Error("s3cr3t"));
    const error = await statusOf(clients.payment.charge({}));
    expect(error).toMatchObject({ code: Status.INTERNAL, details: "no access token" });
    expectNoSecret(error, "s3cr3t", goodToken);
    expect(guard.calls).toEqual([]);
  });
});

describe("the origin that proofs of grpc-js calls name", () => {
  const binder = createTokenBinder(generateDpopKey(), createFakeClock());
  const tokenSource = bindSource(createStubTokenSource(), binder);
  const unknown = "origin is missing; DPoP proofs name it, and the channel does not tell: https://host:port";

  it.each([
    ["createGrpcInterceptor", createGrpcInterceptor],
    ["createCallCredentials", createCallCredentials],
  ])("has to be told to %s with TLS", (_, create) => {
    const options = { tokenSource, services, channel: { tls: true } as const };
    expect(() => create(options)).toThrow(new TypeError(unknown));
    expect(() => create({ ...options, origin: "https://payment-service.internal/" })).toThrow(/^origin is no origin/);
    expect(() => create({ ...options, origin: "https://payment-service.internal:8443" })).not.toThrow();
    expect(() => create({ ...options, channel: { target: "unix:/x" } })).toThrow(new TypeError(unknown));
    expect(() => create({ ...options, channel: { target: "localhost:1" } })).not.toThrow();
    expect(() => create({ ...options, tokenSource: createStubTokenSource() })).not.toThrow();
  });

  it("has to be told to a factory whose target is not one host", () => {
    const options = { tokenSource, target: "xds:///payment", credentials: ChannelCredentials.createSsl() };
    expect(() => createAuthenticatedClient(PaymentService, options)).toThrow(new TypeError(unknown));
    const client = createAuthenticatedClient(PaymentService, {
      ...options,
      origin: "https://payment.test",
      target: "payment.test",
    });
    client.close();
  });

  it.each([
    ["what its target says", undefined],
    ["what the option says", "https://payment-service.internal"],
  ])("is, of a factory, %s", async (_, origin) => {
    const bench = await start([goodToken]);
    if (origin !== undefined) bench.guard.origins = [origin];
    const client = createAuthenticatedClient(PaymentService, {
      tokenSource: bench.tokenSource,
      target: bench.target,
      credentials: ChannelCredentials.createInsecure(),
      ...(origin !== undefined && { origin }),
    });
    onTestFinished(() => client.close());
    await client.charge({});
    expect(bench.guard.calls).toMatchObject([
      { refused: undefined, claims: { htu: `${origin ?? `http://${bench.target}`}/payment.v1.PaymentService/Charge` } },
    ]);
  });
});

describe("call credentials with tokens that are bound to a key", () => {
  it("send a proof with every call, made at once or later", async () => {
    const { guard, target, tokenSource } = await start(many(goodToken));
    const credentials = createCallCredentials({ tokenSource, services, channel: { target } });
    const clients = grpcClientsOf(target);
    for (const { call } of [...grpcCalls, ...grpcCalls]) await call(clients, { credentials });
    expect(guard.calls.map(({ refused }) => refused)).toEqual(Array(8).fill(undefined));
    expect(new Set(guard.calls.map(({ claims }) => claims["jti"])).size).toBe(8);
  });

  it("send plain bearer tokens as such, where a token source hands them out for a while", async () => {
    const { guard, target } = await start([]);
    const binder = createTokenBinder(generateDpopKey(), createFakeClock());
    const tokenSource = bindSource(createStubTokenSource(goodToken), binder);
    const credentials = createCallCredentials({ tokenSource, services, channel: { target } });
    await statusOf(grpcClientsOf(target).payment.charge({}, { credentials }));
    expect(guard.calls).toMatchObject([{ authorization: `Bearer ${goodToken}`, proof: undefined }]);
  });

  it("end a call whose proof cannot be made, and say no more", async () => {
    const { guard, target, tokenSource, binder } = await start([goodToken]);
    binder.key.pair = () => Promise.reject(new Error("s3cr3t"));
    const credentials = createCallCredentials({ tokenSource, services, channel: { target } });
    const error = await statusOf(grpcClientsOf(target).payment.charge({}, { credentials }));
    expect(error.code).toBe(Status.INTERNAL);
    expectNoSecret(error, "s3cr3t", goodToken);
    expect(guard.calls).toEqual([]);
  });
});
