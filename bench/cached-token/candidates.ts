// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { clientSecret, createTokenSource } from "../../src/index.js";
import { AuthorizationServer } from "../lib/authorization-server.js";
import { processClock } from "../lib/fake-time.js";
import { article } from "../peers/article.js";
import { badgateway } from "../peers/badgateway.js";
import { type Peer, request } from "../peers/peer.js";

/** A way to get a token that is cached, as a call does it. */
export interface Candidate {
  readonly name: string;
  /** Gets so many tokens, one after the other, and returns how many characters they have together. */
  run(calls: number): number | Promise<number>;
  /** Whether one call hands out its token without a promise. */
  isSynchronous(): boolean;
}

/** Creates all candidates, each with a token in its cache. The first one is the base; the second is the base again. */
export async function createCandidates(): Promise<Candidate[]> {
  return [
    await createMeshauth("meshauth"),
    await createMeshauth("meshauth once more (control)"),
    nothing,
    nothingAsync,
    await createAsync(article),
    await createAsync(badgateway),
  ];
}

async function createMeshauth(name: string): Promise<Candidate> {
  const server = createServer();
  const source = createTokenSource({
    issuer: server.issuer,
    clientId: request.clientId,
    credential: clientSecret(request.clientSecret),
    fetch: server.fetch,
  });
  const requirement = { audience: request.audience, scopes: [request.scope] };
  await source.get(requirement);
  return {
    name,
    run(calls) {
      let length = 0;
      for (let call = 0; call < calls; call += 1) {
        const token = source.get(requirement);
        if (token instanceof Promise) throw new Error("the token is not cached");
        length += token.value.length;
      }
      return length;
    },
    isSynchronous: () => !(source.get(requirement) instanceof Promise),
  };
}

async function createAsync(peer: Peer): Promise<Candidate> {
  const getToken = peer.connect(createServer(), Math.random);
  await getToken();
  return {
    name: peer.name,
    async run(calls) {
      let length = 0;
      for (let call = 0; call < calls; call += 1) length += (await getToken()).length;
      return length;
    },
    isSynchronous: () => !(getToken() instanceof Promise),
  };
}

const constant = { value: "token-0" };

/** What the loop costs by itself. */
const nothing: Candidate = {
  name: "a constant, synchronously",
  run(calls) {
    let length = 0;
    for (let call = 0; call < calls; call += 1) length += constant.value.length;
    return length;
  },
  isSynchronous: () => true,
};

/** The least that an asynchronous function can cost. */
const nothingAsync: Candidate = {
  name: "a constant, from an async function",
  async run(calls) {
    let length = 0;
    for (let call = 0; call < calls; call += 1) length += (await getConstant()).length;
    return length;
  },
  isSynchronous: () => false,
};

async function getConstant(): Promise<string> {
  return constant.value;
}

function createServer(): AuthorizationServer {
  return new AuthorizationServer({ clock: processClock, lifetimeSeconds: 86_400, latencyMs: 0 });
}
