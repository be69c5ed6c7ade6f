// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import type { DescService } from "@bufbuild/protobuf";
import { InterceptingCall, type Interceptor } from "@grpc/grpc-js";
import { grpcPath } from "../grpc-js/service-definition.js";
import { isLoopbackTarget } from "../grpc-js/target.js";
import {
  createTokenRequirements,
  type TokenRequirement,
  type TokenRequirementOptions,
} from "../rules/token-requirement.js";
import type { TokenSource } from "../tokens/token-source.js";
import { AuthenticatedCall } from "./grpc-client-call.js";
import { urlsByPath } from "./grpc-proof.js";

/** Options of createGrpcInterceptor(). */
export interface GrpcInterceptorOptions extends TokenRequirementOptions {
  /** Where tokens come from. */
  readonly tokenSource: TokenSource;
  /** The services that are called. Calls of other services are left alone and get no token. */
  readonly services: readonly DescService[];
  /**
   * Where the calls go. An interceptor of grpc-js sees neither the channel nor its security, so it has to be said:
   * `{ tls: true }` for a channel with TLS, or a target, which then must be loopback.
   */
  readonly channel: { readonly tls: true } | { readonly target: string };
  /**
   * With a token source that has the option `dpop`: the origin of the server, which proofs name, such as
   * "https://payment-service.internal:8443". An interceptor of grpc-js does not see where its calls go. By default, what the
   * target says, if that is given.
   */
  readonly origin?: string | undefined;
}

/**
 * Creates an interceptor for grpc-js clients, with the behaviour of createConnectInterceptor().
 *
 * Throws a TypeError if tokens would go over plaintext beyond loopback, or need proofs for an origin that is not known, and a
 * RuleError if an RPC of the services has no rule.
 */
export function createGrpcInterceptor(options: GrpcInterceptorOptions): Interceptor {
  const { tokenSource } = options;
  const requirements = requirementsByPath(options);
  const urls = urlsByPath(options);
  return (callOptions, nextCall) => {
    const { path } = callOptions.method_definition;
    const requirement = requirements.get(path);
    if (requirement === undefined) return new InterceptingCall(nextCall(callOptions));
    const url = urls?.get(path);
    return new InterceptingCall(new AuthenticatedCall({ tokenSource, requirement, callOptions, nextCall, url }));
  };
}

/** The tokens that RPCs need, by gRPC path. Throws if they would go over plaintext beyond loopback. */
export function requirementsByPath(options: GrpcInterceptorOptions): Map<string, TokenRequirement | undefined> {
  assertConfidential(options.channel);
  const requirementOf = createTokenRequirements(options);
  const methods = options.services.flatMap((service) => service.methods);
  return new Map(methods.map((method) => [grpcPath(method), requirementOf(method)]));
}

function assertConfidential(channel: GrpcInterceptorOptions["channel"]): void {
  if ("tls" in channel && channel.tls) return;
  if ("target" in channel && isLoopbackTarget(channel.target)) return;
  const target = "target" in channel ? channel.target : "a channel without TLS";
  throw new TypeError(`no access token is sent to ${target} in plaintext; use TLS`);
}
