// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import type { Interceptor } from "@connectrpc/connect";
import { ServerInterceptingCall, type ServerInterceptor } from "@grpc/grpc-js";
import { expect } from "vitest";
import { InventoryService } from "../../../src/gen/inventory/v1/inventory_pb.js";
import { refusalToConnectError } from "../../../src/interceptors/connect-error.js";
import { refusalToStatus } from "../../../src/interceptors/grpc-status.js";
import { createDpopVerifier } from "../../../src/verification/dpop/dpop-verifier.js";
import { createMemoryReplayStore } from "../../../src/verification/dpop/memory-replay-store.js";
import { createNonceSource } from "../../../src/verification/dpop/nonce-source.js";
import type { Refusal } from "../../../src/verification/refusal.js";
import { ath } from "../../support/dpop.js";
import type { FakeClock } from "../../support/fake-clock.js";
import { inventoryAudience, paymentAudience } from "./connect-bench.js";

/** A call that came to the guard. */
export interface GuardedCall {
  readonly authorization: string | undefined;
  readonly proof: string | undefined;
  /** The claims of the proof. */
  readonly claims: Readonly<Record<string, unknown>>;
  readonly refused: Refusal["reason"] | undefined;
}

/** Checks the proofs of calls as a resource server does; its tokens are those of the test, and all bound to one key. */
export interface DpopGuard {
  /** Where clients find the server; set when it listens. */
  origins: string[];
  /** Whether a nonce is needed. */
  wantsNonce: boolean;
  /** Whether any nonce is good enough. */
  acceptsNonces: boolean;
  /** Tokens that are refused as expired. */
  readonly expired: Set<string>;
  /** A nonce that goes with answers. */
  nextNonce: string | undefined;
  readonly calls: GuardedCall[];
  readonly currentNonce: () => string;
  readonly connect: Interceptor;
  readonly grpc: ServerInterceptor;
}

interface Seen {
  readonly authorization: string | undefined;
  readonly proof: string | undefined;
  readonly httpMethod: string;
  readonly path: string;
}

export function createDpopGuard(jkt: string, clock: FakeClock): DpopGuard {
  const nonces = createNonceSource({ clock, lifetimeSeconds: 60 });
  const replayStore = createMemoryReplayStore({ clock });

  async function check({ authorization = "", proof, httpMethod, path }: Seen): Promise<Refusal | undefined> {
    const audience = path.includes(InventoryService.typeName) ? inventoryAudience : paymentAudience;
    const [, token] = /^DPoP (.+)$/.exec(authorization) ?? [];
    if (token === undefined) return { reason: "CREDENTIALS_MISSING", cause: "", scheme: "DPoP", audience };
    if (guard.expired.has(token)) return { reason: "TOKEN_EXPIRED", cause: "", scheme: "DPoP", audience };
    const { origins: origin, wantsNonce } = guard;
    const nonce = { ...nonces, accepts: (value: string) => guard.acceptsNonces && nonces.accepts(value) };
    const options = { origin, clock, clockToleranceMs: 0, replayStore, ...(wantsNonce && { nonce }) };
    const transport = {
      peer: undefined,
      certificateThumbprint: undefined,
      httpMethod,
      path,
      dpopProofs: proof === undefined ? [] : [proof],
    };
    const refusal = await createDpopVerifier(options).check({ token, jkt, transport });
    return refusal && { ...refusal, audience };
  }

  async function note(seen: Seen): Promise<Refusal | undefined> {
    const refusal = await check(seen);
    const [, payload = "e30"] = seen.proof?.split(".") ?? [];
    const claims = parse(Buffer.from(payload, "base64url").toString());
    const { authorization, proof } = seen;
    guard.calls.push({ authorization, proof, claims, refused: refusal?.reason });
    return refusal;
  }

  const guard: DpopGuard = {
    origins: [],
    wantsNonce: false,
    acceptsNonces: true,
    expired: new Set(),
    nextNonce: undefined,
    calls: [],
    currentNonce: () => nonces.current(),
    connect: (next) => async (request) => {
      const refusal = await note({
        authorization: request.header.get("authorization") ?? undefined,
        proof: request.header.get("dpop") ?? undefined,
        httpMethod: request.requestMethod,
        path: new URL(request.url).pathname,
      });
      if (refusal !== undefined) throw refusalToConnectError(refusal);
      const response = await next(request);
      if (guard.nextNonce !== undefined) response.header.set("dpop-nonce", guard.nextNonce);
      return response;
    },
    grpc: ({ path }, call) =>
      new ServerInterceptingCall(call, {
        start: (next) =>
          next({
            onReceiveMetadata(metadata, deliver) {
              const [authorization, proof] = ["authorization", "dpop"].map((name) => metadata.get(name)[0]?.toString());
              void note({ authorization, proof, httpMethod: "POST", path }).then((refusal) => {
                if (refusal === undefined) deliver(metadata);
                else call.sendStatus(refusalToStatus(refusal));
              });
            },
          }),
        sendMetadata(metadata, next) {
          if (guard.nextNonce !== undefined) metadata.set("dpop-nonce", guard.nextNonce);
          next(metadata);
        },
      }),
  };
  return guard;
}

/** What the proof of a call has to say, its nonce and its jti aside. */
export function claimsFor(token: string, url: string, clock: FakeClock, htm = "POST"): object {
  return { htm, htu: url, iat: Math.floor(clock.now() / 1000), ath: ath(token), jti: expect.any(String) };
}

function parse(json: string): Record<string, unknown> {
  try {
    return JSON.parse(json) as Record<string, unknown>;
  } catch {
    return {};
  }
}
