// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { Code, ConnectError, type ConnectRouter } from "@connectrpc/connect";
import type { Server } from "@grpc/grpc-js";
import { HealthImplementation } from "grpc-health-check";
import { ServerReflection, type ServerReflectionRequest } from "../../src/gen/grpc/reflection/v1/reflection_pb.js";
import { Health, HealthCheckResponse_ServingStatus as ServingStatus } from "../../src/gen/health/v1/health_pb.js";
import { addService } from "../../src/grpc.js";
import type { ConfiguredRule } from "../../src/index.js";
import { answerReflection, createReflectionRegistry, type Reflected } from "./reflection.js";

/** Health and reflection come from protos of others: their rules are said here. */
export const operationalRules: readonly ConfiguredRule[] = [
  { target: Health, rule: { public: {} } },
  { target: ServerReflection, rule: { authenticated: {} } },
];

/** Adds health and reflection to a Connect server. */
export function addOperationalRoutes(router: ConnectRouter, served: Reflected): void {
  const registry = createReflectionRegistry(served);
  const names = new Set(["", ...served.map(({ typeName }) => typeName)]);
  router.service(Health, {
    check({ service }) {
      if (!names.has(service)) throw new ConnectError(`${service} is not served here`, Code.NotFound);
      return { status: ServingStatus.SERVING };
    },
    async *watch({ service }, { signal }) {
      yield { status: names.has(service) ? ServingStatus.SERVING : ServingStatus.SERVICE_UNKNOWN };
      await aborted(signal);
    },
  });
  router.service(ServerReflection, {
    async *serverReflectionInfo(requests) {
      for await (const request of requests) yield answerReflection(registry, request);
    },
  });
}

/** Adds health and reflection to a grpc-js server. */
export function addOperationalServices(server: Server, served: Reflected): void {
  const statuses = Object.fromEntries(["", ...served.map(({ typeName }) => typeName)].map((name) => [name, "SERVING"]));
  new HealthImplementation(statuses as Record<string, "SERVING">).addToServer(server);
  const registry = createReflectionRegistry(served);
  addService(server, ServerReflection, {
    serverReflectionInfo(call) {
      call.on("data", (request: ServerReflectionRequest) => call.write(answerReflection(registry, request)));
      call.on("end", () => call.end());
    },
  });
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    signal.addEventListener("abort", () => resolve(), { once: true });
  });
}
