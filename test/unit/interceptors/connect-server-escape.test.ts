// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { Code, ConnectError } from "@connectrpc/connect";
import { ChannelCredentials, type Metadata } from "@grpc/grpc-js";
import { describe, expect, it } from "vitest";
import { BadRequestSchema, ErrorInfoSchema } from "../../../src/gen/google/rpc/error_details_pb.js";
import { InventoryService } from "../../../src/gen/inventory/v1/inventory_pb.js";
import { createGrpcClient } from "../../../src/grpc-js/client.js";
import { addService } from "../../../src/grpc-js/service-definition.js";
import { createConnectInterceptor } from "../../../src/interceptors/connect-client.js";
import { createGuardedServer } from "../../../src/interceptors/grpc-server.js";
import type { TokenFailure } from "../../../src/tokens/token-error.js";
import { goodToken, refusedToken } from "../../support/stub-resource-server.js";
import { createStubTokenSource, fails } from "../../support/stub-token-source.js";
import {
  connectErrorOf,
  connectTo,
  duplexWires,
  errorOf,
  expectNoSecret,
  startGrpcServer,
} from "../../support/transports.js";
import {
  clientsOf,
  clientsOn,
  createResourceServer,
  type Handlers,
  paymentAudience,
  startBench,
  streamOf,
} from "./connect-bench.js";
import { secrets } from "./outcomes.js";

/** Handlers that fail after a message, where they can, with what `fail` rejects with. */
function failing(fail: () => Promise<never>): Partial<Handlers> {
  return {
    payment: { charge: fail, importSettlements: fail },
    inventory: {
      async *watchStock() {
        yield {};
        await fail();
      },
      async *syncStock() {
        yield {};
        await fail();
      },
    },
    health: {
      check: fail,
      async *watch() {
        yield {};
        await fail();
      },
    },
  };
}

type Clients = ReturnType<typeof clientsOf>;

/** Every kind of call, and how many messages it gets before it fails. */
const failingCalls: readonly {
  readonly kind: string;
  readonly messages: number;
  readonly call: (clients: Clients, got: unknown[]) => Promise<unknown>;
}[] = [
  { kind: "unary", messages: 0, call: ({ payment }) => payment.charge({}) },
  { kind: "client stream", messages: 0, call: ({ payment }) => payment.importSettlements(streamOf({})) },
  {
    kind: "server stream that ends with its token",
    messages: 1,
    call: ({ inventory }, got) => take(inventory.watchStock({}), got),
  },
  { kind: "bidi that is kept", messages: 1, call: ({ inventory }, got) => take(inventory.syncStock(streamOf()), got) },
  { kind: "public unary", messages: 0, call: ({ health }) => health.check({}) },
  { kind: "public server stream", messages: 1, call: ({ health }, got) => take(health.watch({}), got) },
];

async function take(messages: AsyncIterable<unknown>, got: unknown[]): Promise<void> {
  for await (const message of messages) got.push(message);
}

function meshauthError(reason: string, code = Code.Unauthenticated): ConnectError {
  return new ConnectError("refused downstream", code, { "www-authenticate": "Bearer", "x-downstream": "1" }, [
    { desc: ErrorInfoSchema, value: { domain: "example.com", reason: "OTHER" } },
    { desc: ErrorInfoSchema, value: { domain: "meshauth", reason, metadata: { audience: paymentAudience } } },
  ]);
}

const refusedDownstream = "a service further downstream refused a call";
const tokenMissing = "this service could not get an access token for a call of its own";

function expectContained(error: ConnectError, message = refusedDownstream): void {
  expect(error.code).toBe(Code.Internal);
  expect(error.rawMessage).toBe(message);
  expect(error.details).toEqual([]);
  expect(error.metadata.has("www-authenticate")).toBe(false);
  expect(error.metadata.has("x-downstream")).toBe(false);
  expectNoSecret(error, ...secrets);
}

describe.each(duplexWires)("a handler of a guarded server on %s", (wire) => {
  it.each(failingCalls)("cannot pass a refusal on: $kind", async ({ messages, call }) => {
    const { server } = await startBench(failing(() => Promise.reject(meshauthError("TOKEN_INVALID"))));
    const got: unknown[] = [];
    expectContained(await connectErrorOf(call(clientsOf(server, wire, goodToken), got)));
    expect(got).toHaveLength(messages);
  });

  it.each(failingCalls)("can fail in its own words: $kind", async ({ messages, call }) => {
    const own = new ConnectError("no such stock", Code.NotFound, { "x-own": "1" }, [
      { desc: BadRequestSchema, value: { fieldViolations: [{ field: "sku" }] } },
      { desc: ErrorInfoSchema, value: { domain: "example.com", reason: "NO_STOCK" } },
    ]);
    const { server } = await startBench(failing(() => Promise.reject(own)));
    const got: unknown[] = [];
    const error = await connectErrorOf(call(clientsOf(server, wire, goodToken), got));
    expect(error.code).toBe(Code.NotFound);
    expect(error.rawMessage).toBe("no such stock");
    expect(error.metadata.get("x-own")).toBe("1");
    expect(error.findDetails(BadRequestSchema)).toMatchObject([{ fieldViolations: [{ field: "sku" }] }]);
    expect(error.findDetails(ErrorInfoSchema)).toMatchObject([{ domain: "example.com", reason: "NO_STOCK" }]);
    expect(got).toHaveLength(messages);
  });

  it("can refuse in its own words", async () => {
    const own = new ConnectError("who are you", Code.Unauthenticated);
    const { server } = await startBench(failing(() => Promise.reject(own)));
    const error = await connectErrorOf(clientsOf(server, wire, goodToken).payment.charge({}));
    expect(error).toMatchObject({ code: Code.Unauthenticated, rawMessage: "who are you" });
  });

  it("fails with INTERNAL, and says no more, when it throws anything else", async () => {
    const { server } = await startBench(failing(() => Promise.reject(new Error(`bug: ${goodToken}`))));
    const error = await connectErrorOf(clientsOf(server, wire, goodToken).payment.charge({}));
    expect(error).toMatchObject({ code: Code.Internal, rawMessage: "internal error" });
    expectNoSecret(error, goodToken);
  });
});

describe("a handler of a guarded server", () => {
  it.each([
    "CREDENTIALS_MISSING",
    "TOKEN_EXPIRED",
    "TOKEN_NOT_YET_VALID",
    "TOKEN_INVALID",
    "SCOPE_INSUFFICIENT",
    "CALLER_NOT_ALLOWED",
    "RULE_MISSING",
    "AUTHORIZATION_SERVER_UNAVAILABLE",
  ] as const)("cannot pass %s of a guarded Connect server on", async (reason) => {
    const downstream = await startBench();
    const { payment } = clientsOf(
      downstream.server,
      "gRPC",
      reason === "CREDENTIALS_MISSING" ? undefined : refusedToken(reason),
    );
    const { server } = await startBench({
      payment: {
        async charge() {
          await payment.charge({});
          return {};
        },
      },
    });
    expectContained(await connectErrorOf(clientsOf(server, "Connect", goodToken).payment.charge({})));
    expect(downstream.resourceServer.calls).toHaveLength(1);
  });

  it("cannot pass a refusal of a guarded grpc-js server on", async () => {
    const grpcServer = createGuardedServer(createResourceServer());
    addService(grpcServer, InventoryService, {} as Parameters<typeof addService<typeof InventoryService>>[2]);
    const target = await startGrpcServer(grpcServer);
    const downstream = createGrpcClient(InventoryService, { target, credentials: ChannelCredentials.createInsecure() });
    const escaped: unknown[] = [];
    const { server } = await startBench({
      payment: {
        async charge() {
          const error = await errorOf(downstream.checkStock({}));
          escaped.push(error);
          throw error;
        },
      },
    });
    const error = await connectErrorOf(clientsOf(server, "Connect", goodToken).payment.charge({}));
    downstream.close();
    expect(error).toMatchObject({ code: Code.Internal, details: [] });
    expect((escaped[0] as { metadata: Metadata }).metadata.get("www-authenticate")).toEqual(["Bearer"]);
    expect(error.metadata.has("www-authenticate")).toBe(false);
  });

  /** Calls a handler that itself calls with a token source that has no token. */
  async function callWithout(kind: TokenFailure): Promise<ConnectError> {
    const downstream = await startBench();
    const tokenSource = createStubTokenSource(fails(kind, kind === "refused" ? "invalid_client" : undefined));
    const { payment } = clientsOn(connectTo(downstream.server, "Connect", [createConnectInterceptor({ tokenSource })]));
    const { server } = await startBench({
      payment: {
        async charge() {
          await payment.charge({});
          return {};
        },
      },
    });
    const error = await connectErrorOf(clientsOf(server, "Connect", goodToken).payment.charge({}));
    expect(tokenSource.requests).toHaveLength(1);
    expect(downstream.resourceServer.calls).toEqual([]);
    return error;
  }

  it("cannot pass on that its own credential was refused: its caller's token is good", async () => {
    expectContained(await callWithout("refused"), tokenMissing);
  });

  it("can pass on that no token is to be had at the moment, but not which", async () => {
    expect(await callWithout("unavailable")).toMatchObject({
      code: Code.Unavailable,
      rawMessage: tokenMissing,
      details: [],
    });
  });
});
