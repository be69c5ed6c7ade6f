// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import type { DescService } from "@bufbuild/protobuf";
import { createGrpcClient, type GrpcClient, type GrpcClientOptions } from "../grpc-js/client.js";
import { originOfTarget } from "../grpc-js/target.js";
import type { TokenRequirementOptions } from "../rules/token-requirement.js";
import type { TokenSource } from "../tokens/token-source.js";
import { createGrpcInterceptor } from "./grpc-client.js";

/** Options of createAuthenticatedClient(). */
export interface AuthenticatedClientOptions extends GrpcClientOptions, TokenRequirementOptions {
  /** Where tokens come from. */
  readonly tokenSource: TokenSource;
  /**
   * With a token source that has the option `dpop`: the origin of the server, which proofs name. By default, what the target
   * says: "https://payment-service.internal:8443".
   */
  readonly origin?: string;
}

/**
 * Creates a grpc-js client whose calls carry the tokens that they need. The channel's credentials say whether it has
 * TLS; without it, the target must be loopback.
 *
 * Throws a TypeError otherwise, or if tokens need proofs for an origin that is not known, and a RuleError if an RPC of the
 * service has no rule.
 *
 * ```ts
 * const inventory = createAuthenticatedClient(InventoryService, {
 *   target: "inventory-service.internal:443",
 *   credentials: ChannelCredentials.createSsl(),
 *   tokenSource,
 * });
 * ```
 */
export function createAuthenticatedClient<S extends DescService>(
  service: S,
  options: AuthenticatedClientOptions,
): GrpcClient<S> {
  const { tokenSource, service: caller, rules, tokenPer, origin, ...clientOptions } = options;
  const hasTls = options.credentials._isSecure();
  const interceptor = createGrpcInterceptor({
    tokenSource,
    service: caller,
    rules,
    tokenPer,
    services: [service],
    channel: hasTls ? { tls: true } : { target: options.target },
    origin: origin ?? originOfTarget(options.target, hasTls ? "https" : "http"),
  });
  return createGrpcClient(service, {
    ...clientOptions,
    // grpc-js would send even calls to loopback through the proxy that the environment names: in plaintext, off the machine.
    channel: { ...options.channel, ...(hasTls ? {} : { "grpc.enable_http_proxy": 0 }) },
    interceptors: [...(options.interceptors ?? []), interceptor],
  });
}
