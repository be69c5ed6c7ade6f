// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { Code, createClient } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-node";
import { describe, expect, it } from "vitest";
import { ErrorInfoSchema } from "../../../src/gen/google/rpc/error_details_pb.js";
import { InventoryService } from "../../../src/gen/inventory/v1/inventory_pb.js";
import { PaymentService } from "../../../src/gen/payment/v1/payment_pb.js";
import { type ConnectInterceptorOptions, createConnectInterceptor } from "../../../src/interceptors/connect-client.js";
import { generateDpopKey } from "../../../src/tokens/dpop/dpop-key.js";
import { createTokenBinder, type TokenBinder } from "../../../src/tokens/dpop/token-binding.js";
import { createFakeClock, type FakeClock } from "../../support/fake-clock.js";
import { goodToken, refusedToken } from "../../support/stub-resource-server.js";
import { bindSource, bound, createStubTokenSource, type StubTokenSource } from "../../support/stub-token-source.js";
import {
  connectErrorOf,
  connectTo,
  expectNoSecret,
  pathOf,
  type RunningServer,
  startConnectServer,
  type Wire,
  wires,
} from "../../support/transports.js";
import { type Clients, calls, clientsOn, echoRoutes } from "./connect-bench.js";
import { claimsFor, createDpopGuard, type DpopGuard } from "./dpop-guard.js";

const expired = refusedToken("TOKEN_EXPIRED");

interface DpopClientBench {
  readonly guard: DpopGuard;
  readonly binder: TokenBinder;
  readonly clock: FakeClock;
  readonly server: RunningServer;
  readonly tokenSource: StubTokenSource;
  readonly clients: Clients;
  readonly entered: readonly unknown[];
  readonly origin: string;
}

/** A server that checks proofs, and a client whose token source hands out these tokens, bound to its key. */
async function start(
  wire: Wire,
  tokens: readonly string[],
  options: Partial<ConnectInterceptorOptions> = {},
): Promise<DpopClientBench> {
  const clock = createFakeClock();
  const binder = createTokenBinder(generateDpopKey(), clock);
  const guard = createDpopGuard(binder.key.thumbprint, clock);
  const entered: { rpc: string; context: never }[] = [];
  const server = await startConnectServer({ routes: echoRoutes(entered), interceptors: [guard.connect] });
  guard.origins = [server.http1Port, server.http2Port].map((port) => `http://127.0.0.1:${port}`);
  const tokenSource = bindSource(createStubTokenSource(...tokens.map((token) => bound(binder, token))), binder);
  const interceptor = createConnectInterceptor({ tokenSource, ...options });
  const clients = clientsOn(connectTo(server, wire, [interceptor]));
  const origin = guard.origins[Number(!wire.endsWith("HTTP/1.1"))] ?? "";
  return { guard, binder, clock, server, tokenSource, clients, entered, origin };
}

const replayable = calls.filter(({ kind }) => kind === "unary" || kind === "server stream");
const streaming = calls.filter(({ kind }) => kind === "client stream" || kind === "bidi");

describe.each(wires)("with a token that is bound to a key, on %s", (wire) => {
  const possible = calls.filter(({ kind }) => kind !== "bidi" || !wire.endsWith("HTTP/1.1"));

  it("every kind of call has the scheme DPoP and a proof of its own", async () => {
    const { guard, clients, clock, origin, entered } = await start(wire, Array(8).fill(goodToken));
    for (const { call } of [...possible, ...possible]) await call(clients);
    expect(entered).toHaveLength(2 * possible.length);
    expect(guard.calls.map(({ authorization }) => authorization)).toEqual(guard.calls.map(() => `DPoP ${goodToken}`));
    expect(guard.calls[0]?.claims).toEqual(claimsFor(goodToken, origin + pathOf(PaymentService.method.charge), clock));
    expect(new Set(guard.calls.map(({ claims }) => claims["jti"])).size).toBe(2 * possible.length);
  });

  describe.each(replayable)("a $kind", ({ call }) => {
    it("is made once more with the nonce that the server wants, and from then on has it at once", async () => {
      const { guard, clients, entered, tokenSource } = await start(wire, [goodToken, goodToken]);
      guard.wantsNonce = true;
      await call(clients);
      await call(clients);
      expect(guard.calls.map(({ claims }) => claims["nonce"])).toEqual([
        undefined,
        guard.currentNonce(),
        guard.currentNonce(),
      ]);
      expect(guard.calls.map(({ refused }) => refused)).toEqual(["DPOP_NONCE_REQUIRED", undefined, undefined]);
      expect(entered).toHaveLength(2);
      expect(tokenSource.refusals).toEqual([]);
    });

    it("is made once more when the nonce that it has is too old", async () => {
      const { guard, clients, clock } = await start(wire, [goodToken, goodToken]);
      guard.wantsNonce = true;
      await call(clients);
      clock.advance(120_000);
      await call(clients);
      expect(guard.calls.map(({ refused }) => refused)).toEqual([
        "DPOP_NONCE_REQUIRED",
        undefined,
        "DPOP_NONCE_REQUIRED",
        undefined,
      ]);
    });

    it("is not made a third time for a nonce", async () => {
      const { guard, clients, entered } = await start(wire, [goodToken]);
      guard.wantsNonce = true;
      guard.acceptsNonces = false;
      const error = await connectErrorOf(call(clients));
      expect(error.findDetails(ErrorInfoSchema)).toMatchObject([{ reason: "DPOP_NONCE_REQUIRED" }]);
      expect(guard.calls.map(({ claims }) => claims["nonce"])).toEqual([undefined, guard.currentNonce()]);
      expect(entered).toEqual([]);
    });

    it("is made three times at most: for another token, and for a nonce", async () => {
      const { guard, clients, tokenSource } = await start(wire, [expired, goodToken]);
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

    it("is made three times at most: for a nonce, and for another token", async () => {
      const { guard, clients, tokenSource } = await start(wire, [goodToken, "second"]);
      guard.wantsNonce = true;
      const { push } = guard.calls;
      // The token expires with the first call.
      guard.calls.push = (...items) => {
        guard.expired.add(goodToken);
        guard.expired.add("second");
        return push.apply(guard.calls, items);
      };
      const error = await connectErrorOf(call(clients));
      expect(error.findDetails(ErrorInfoSchema)).toMatchObject([{ reason: "TOKEN_EXPIRED" }]);
      expect(guard.calls.map(({ refused }) => refused)).toEqual([
        "DPOP_NONCE_REQUIRED",
        "TOKEN_EXPIRED",
        "TOKEN_EXPIRED",
      ]);
      expect(tokenSource.refusals.map(({ token }) => token)).toEqual([goodToken]);
      expectNoSecret(error, goodToken, ...guard.calls.map(({ proof = "" }) => proof));
    });

    it("is not made a third time for another token", async () => {
      const { guard, clients, tokenSource } = await start(wire, [expired, "second"]);
      guard.expired.add(expired).add("second");
      const error = await connectErrorOf(call(clients));
      expect(error.findDetails(ErrorInfoSchema)).toMatchObject([{ reason: "TOKEN_EXPIRED" }]);
      expect(guard.calls).toHaveLength(2);
      expect(tokenSource.refusals.map(({ token }) => token)).toEqual([expired]);
    });

    it("is not made a fourth time, when the other token expires as well", async () => {
      const { guard, clients, tokenSource } = await start(wire, [expired, "second", "third"]);
      guard.wantsNonce = true;
      guard.expired.add(expired);
      const { push } = guard.calls;
      guard.calls.push = (...items) => {
        if (items.some(({ refused }) => refused === "DPOP_NONCE_REQUIRED")) guard.expired.add("second");
        return push.apply(guard.calls, items);
      };
      const error = await connectErrorOf(call(clients));
      expect(error.findDetails(ErrorInfoSchema)).toMatchObject([{ reason: "TOKEN_EXPIRED" }]);
      expect(guard.calls.map(({ refused }) => refused)).toEqual([
        "TOKEN_EXPIRED",
        "DPOP_NONCE_REQUIRED",
        "TOKEN_EXPIRED",
      ]);
      expect(tokenSource.refusals.map(({ token }) => token)).toEqual([expired]);
    });

    it("is not made again after a bad proof", async () => {
      const { guard, clients, entered } = await start(wire, [goodToken]);
      guard.origins = ["https://elsewhere.test"];
      const error = await connectErrorOf(call(clients));
      expect(error.findDetails(ErrorInfoSchema)).toMatchObject([{ reason: "DPOP_PROOF_INVALID" }]);
      expect(guard.calls).toHaveLength(1);
      expect(entered).toEqual([]);
    });
  });

  describe.each(streaming.filter((each) => possible.includes(each)))("a $kind", ({ call }) => {
    it("is not made again for a nonce, but the next one has it", async () => {
      const { guard, clients, entered } = await start(wire, [goodToken, goodToken]);
      guard.wantsNonce = true;
      const error = await connectErrorOf(call(clients));
      expect(error.findDetails(ErrorInfoSchema)).toMatchObject([{ reason: "DPOP_NONCE_REQUIRED" }]);
      expect(guard.calls).toHaveLength(1);
      await call(clients);
      expect(guard.calls.map(({ refused }) => refused)).toEqual(["DPOP_NONCE_REQUIRED", undefined]);
      expect(entered).toHaveLength(1);
    });
  });

  it("takes the nonce of every answer for the call after it", async () => {
    const { guard, clients } = await start(wire, Array(8).fill(goodToken));
    for (const [index, { call }] of possible.entries()) {
      guard.nextNonce = `nonce-${index}`;
      await call(clients);
    }
    expect(guard.calls.map(({ claims }) => claims["nonce"])).toEqual(
      possible.map((_, index) => (index === 0 ? undefined : `nonce-${index - 1}`)),
    );
  });
});

describe("with a token that is bound to a key", () => {
  const [unary] = calls;
  const watch = InventoryService.method.checkStock;

  it.each([
    [undefined, true, "DPOP_PROOF_INVALID"],
    [true, true, undefined],
    [true, false, "DPOP_PROOF_INVALID"],
    [undefined, false, undefined],
  ])("a proof is for GET where useHttpGet says so: %s, of the transport %s", async (useHttpGet, transport, refused) => {
    const bench = await start("Connect", [goodToken]);
    const interceptor = createConnectInterceptor({
      tokenSource: bench.tokenSource,
      ...(useHttpGet !== undefined && { useHttpGet }),
    });
    const baseUrl = bench.guard.origins[0] ?? "";
    const client = createClient(
      InventoryService,
      createConnectTransport({ httpVersion: "1.1", baseUrl, useHttpGet: transport, interceptors: [interceptor] }),
    );
    await Promise.allSettled([client.checkStock({ skus: ["tea"] })]);
    expect(bench.guard.calls).toMatchObject([
      { refused, claims: { htm: useHttpGet ? "GET" : "POST", htu: baseUrl + pathOf(watch) } },
    ]);
  });

  it("proofs of calls with side effects are for POST, whatever useHttpGet says", async () => {
    const { guard, clients } = await start("Connect", Array(4).fill(goodToken), { useHttpGet: true });
    for (const { call } of calls) await call(clients);
    expect(guard.calls.map(({ claims }) => claims["htm"])).toEqual(["POST", "POST", "POST", "POST"]);
  });

  it("the nonce of one server is not sent to another", async () => {
    const one = await start("Connect", [goodToken, goodToken]);
    const two = await start("Connect", []);
    one.guard.wantsNonce = true;
    await unary?.call(one.clients);
    const interceptor = createConnectInterceptor({ tokenSource: one.tokenSource });
    await Promise.allSettled([unary?.call(clientsOn(connectTo(two.server, "Connect", [interceptor])))]);
    expect(two.guard.calls).toMatchObject([{ authorization: `DPoP ${goodToken}` }]);
    expect(two.guard.calls[0]?.claims).not.toHaveProperty("nonce");
  });

  it("an interceptor further out that makes a request again gets another proof", async () => {
    const { guard, server, tokenSource } = await start("Connect", [goodToken, goodToken]);
    const transport = connectTo(server, "Connect", [
      (next) => async (request) => {
        await next(request);
        return await next(request);
      },
      createConnectInterceptor({ tokenSource }),
    ]);
    await unary?.call(clientsOn(transport));
    expect(guard.calls.map(({ refused }) => refused)).toEqual([undefined, undefined]);
  });

  it.each(calls)("a $kind ends, and says no more, if its proof cannot be made", async ({ call }) => {
    const { guard, clients, binder } = await start("Connect", [goodToken]);
    binder.key.pair = () => Promise.reject(new Error("s3cr3t"));
    const error = await connectErrorOf(call(clients));
    expect(error).toMatchObject({
      code: Code.Internal,
      rawMessage: "no DPoP proof can be made with the key of the token source",
    });
    expectNoSecret(error, "s3cr3t", goodToken);
    expect(guard.calls).toEqual([]);
  });

  it("a call that brings its own authorization keeps it, and gets no proof", async () => {
    const { guard, clients } = await start("Connect", []);
    await Promise.allSettled([clients.payment.charge({}, { headers: { authorization: "DPoP mine", dpop: "mine" } })]);
    expect(guard.calls).toMatchObject([{ authorization: "DPoP mine", proof: "mine" }]);
  });
});
