// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

// What must not compile is marked; `npm run typecheck` fails if it does.
import type { ClientReadableStream } from "@grpc/grpc-js";
import { describe, expectTypeOf, it } from "vitest";
import { Health } from "../../src/gen/health/v1/health_pb.js";
import type {
  CheckStockResponse,
  InventoryService,
  WatchStockResponse,
} from "../../src/gen/inventory/v1/inventory_pb.js";
import type { GrpcClient, GrpcHandlers } from "../../src/grpc.js";
import type { AccessToken, ConfiguredRule, Principal, Provider, TokenEvent, TokenSource } from "../../src/index.js";
import { type ConnectServerOptions, guardConnect, type ResourceServer } from "../../src/index.js";

describe("the types", () => {
  it("of configured rules have exactly what a rule can say", () => {
    const rules: ConfiguredRule[] = [
      { target: Health, rule: { public: {} } },
      { target: Health.method.check, rule: { scopes: { anyOf: [{ allOf: ["a", "b"] }] }, callers: ["c"] } },
      // @ts-expect-error there is no such requirement
      { target: Health, rule: { role: "admin" } },
      // @ts-expect-error a target is a descriptor, not a name
      { target: "grpc.health.v1.Health", rule: { public: {} } },
    ];
    expectTypeOf(rules).toEqualTypeOf<ConfiguredRule[]>();
  });

  it("of a grpc-js client are those of the descriptor", () => {
    type Inventory = GrpcClient<typeof InventoryService>;
    expectTypeOf<ReturnType<Inventory["checkStock"]>>().toEqualTypeOf<Promise<CheckStockResponse>>();
    expectTypeOf<ReturnType<Inventory["watchStock"]>>().toEqualTypeOf<ClientReadableStream<WatchStockResponse>>();
    const call = (client: Inventory): void => {
      void client.checkStock({ skus: ["teapot"] });
      // @ts-expect-error skus are texts
      void client.checkStock({ skus: [1] });
      // @ts-expect-error interceptors of a call would take the place of those that bring tokens
      void client.checkStock({ skus: ["teapot"] }, { interceptors: [] });
      // @ts-expect-error there is no such RPC
      void client.sellStock({});
    };
    expectTypeOf(call).toBeFunction();
  });

  it("of grpc-js handlers demand one for each RPC", () => {
    // @ts-expect-error the other handlers are missing
    const handlers: GrpcHandlers<typeof InventoryService> = { checkStock() {} };
    expectTypeOf(handlers).not.toBeAny();
  });

  it("of a principal cannot be changed", () => {
    const change = (principal: Principal): void => {
      // @ts-expect-error read only
      principal.clientId = "somebody else";
      // @ts-expect-error read only
      principal.scopes.add("admin");
      // @ts-expect-error read only
      principal.claims["sub"] = "somebody else";
    };
    expectTypeOf(change).toBeFunction();
  });

  it("of a token source give a token at once or as a promise", () => {
    expectTypeOf<ReturnType<TokenSource["get"]>>().toEqualTypeOf<AccessToken | Promise<AccessToken>>();
  });

  it("of options that go through guardConnect() stay what they were", () => {
    const guard = (resourceServer: ResourceServer, options: ConnectServerOptions & { requestPathPrefix: string }) =>
      guardConnect(resourceServer, options).requestPathPrefix;
    expectTypeOf(guard).returns.toEqualTypeOf<string>();
  });

  it("of a provider are data: there is no place for code", () => {
    type Functions = {
      [K in keyof Provider]-?: Provider[K] extends (...args: never[]) => unknown ? K : never;
    }[keyof Provider];
    expectTypeOf<Functions>().toEqualTypeOf<never>();
  });

  it("of events tell one from the other by their kind", () => {
    const remaining = (event: TokenEvent): number | undefined =>
      event.kind === "stale" ? event.remainingMs : undefined;
    expectTypeOf(remaining).returns.toEqualTypeOf<number | undefined>();
  });
});
