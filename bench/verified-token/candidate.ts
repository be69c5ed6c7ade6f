// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { createRemoteJWKSet, customFetch, type JWTVerifyGetKey } from "jose";
import { PaymentService } from "../../src/gen/payment/v1/payment_pb.js";
import {
  type CommonServerOptions,
  createResourceServer,
  type Decision,
  type IncomingCall,
  type ResourceServer,
} from "../../src/index.js";
import { type Algorithm, createIssuer, type Issuer, published } from "../lib/issuer.js";

/** Something that is done many times. */
export interface Candidate {
  readonly name: string;
  /** How often in a batch. */
  readonly calls: number;
  /** Gets ready for a batch; not measured. */
  prepare?(): Promise<void>;
  /** Does it so many times, one after the other. */
  run(calls: number): unknown;
}

/** An issuer in memory, and what verifies its tokens. */
export interface Setup {
  readonly issuer: Issuer;
  /** Creates a resource server that has its keys, and nothing else. */
  resourceServer(options?: Partial<CommonServerOptions>): Promise<ResourceServer>;
  /** The keys, as jose wants them. */
  readonly keys: JWTVerifyGetKey;
}

/** Creates an issuer whose tokens have about so many characters. */
export function createSetup(algorithm: Algorithm, tokenLength: number): Setup {
  const issuer = createIssuer("https://login.test", algorithm, tokenLength);
  const answers = published(issuer);
  const answer: typeof fetch = async (input) => {
    const url = new URL(input instanceof Request ? input.url : input);
    return Response.json(answers[url.pathname]);
  };
  return {
    issuer,
    async resourceServer(options) {
      const { url } = issuer;
      const resourceServer = createResourceServer({
        services: [PaymentService],
        issuer: url,
        fetch: answer,
        ...options,
      });
      await resourceServer.ready();
      return resourceServer;
    },
    keys: createRemoteJWKSet(new URL(`${issuer.url}/keys`), { [customFetch]: answer }),
  };
}

/** A call of the RPC that all benchmarks use. */
export function callWith(authorization: string): IncomingCall {
  const method = PaymentService.method.listPayments;
  return { method, rpc: "payment.v1.PaymentService/ListPayments", authorization, protocol: "grpc" };
}

// Newer versions decide without a promise where they can.
type Authorize = (call: IncomingCall) => Decision | Promise<Decision>;

/** Decides calls one after the other. Throws unless all of them are decided as expected. */
export async function authorizeAll(
  resourceServer: ResourceServer,
  calls: number,
  authorizationOf: (index: number) => string,
  reason?: string,
): Promise<void> {
  const authorize: Authorize = (call) => resourceServer.authorize(call);
  for (let index = 0; index < calls; index += 1) {
    const verdict = authorize(callWith(authorizationOf(index)));
    const decision = verdict instanceof Promise ? await verdict : verdict;
    const got = decision.allowed ? undefined : decision.refusal.reason;
    if (got !== reason) throw new Error(`expected ${reason ?? "to get in"}, got ${got ?? "in"}`);
  }
}

/** Whether a call that carries this header is decided without a promise. */
export function isSynchronous(resourceServer: ResourceServer, authorization: string): boolean {
  const authorize: Authorize = (call) => resourceServer.authorize(call);
  const verdict = authorize(callWith(authorization));
  if (verdict instanceof Promise) verdict.catch(() => {});
  return !(verdict instanceof Promise);
}
