// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { jwtVerify } from "jose";
import { mesh } from "../lib/issuer.js";
import { createFastJwt } from "../server-check/peers/fast-jwt.js";
import { createAudit } from "../server-check/resource-server.js";
import { authorizeAll, type Candidate, callWith, createSetup, type Setup } from "./candidate.js";

const calls = 20_000;

// So many callers, each with a token of its own.
const callers = 1_000;

/**
 * Checks of tokens that were verified before. The loops come first: what they cost themselves is to be subtracted. A
 * header that arrives is a new text each time, so a lookup has to read it; the same text again is what benchmarks like.
 */
export async function warmCandidates(): Promise<Candidate[]> {
  const setup = createSetup("RS256", 893);
  const same = `Bearer ${setup.issuer.mint()}`;
  const sent = Buffer.from(same, "latin1");
  const tokens = Array.from({ length: callers }, () => Buffer.from(`Bearer ${setup.issuer.mint()}`, "latin1"));
  const arriving = (index: number): string => (tokens[index % callers] as Buffer).toString("latin1");
  const isOne = () => same;
  const isNew = () => sent.toString("latin1");
  const plain = await setup.resourceServer();
  const observed = await setup.resourceServer({ onDecision: createAudit() });
  return [
    loop("loop, the same text", isOne),
    loop("loop, a new text each time", isNew),
    loop(`loop, ${callers.toLocaleString("en")} tokens in turn`, arriving),
    { name: "meshauth, the same text", calls, run: (count) => authorizeAll(plain, count, isOne) },
    { name: "meshauth, a new text each time", calls, run: (count) => authorizeAll(plain, count, isNew) },
    {
      name: `meshauth, ${callers.toLocaleString("en")} tokens in turn`,
      calls,
      run: (count) => authorizeAll(plain, count, arriving),
    },
    {
      name: "meshauth, a new text each time, metrics and audit",
      calls,
      run: (count) => authorizeAll(observed, count, isNew),
    },
    fastJwt(setup, isNew),
    jose(setup, isNew),
  ];
}

function loop(name: string, authorizationOf: (index: number) => string): Candidate {
  return {
    name,
    calls,
    run(count) {
      let length = 0;
      for (let index = 0; index < count; index += 1)
        length += callWith(authorizationOf(index)).authorization?.length ?? 0;
      return length;
    },
  };
}

function fastJwt({ issuer }: Setup, authorizationOf: (index: number) => string): Candidate {
  const verify = createFastJwt({ issuer: issuer.url, publicJwk: issuer.publicJwk });
  return {
    name: "fast-jwt with cache, a new text each time",
    calls: 5_000,
    run(count) {
      for (let index = 0; index < count; index += 1) {
        if (verify(authorizationOf(index)) instanceof Promise) throw new Error("fast-jwt is not synchronous");
      }
    },
  };
}

function jose({ issuer, keys }: Setup, authorizationOf: (index: number) => string): Candidate {
  const options = { issuer: issuer.url, audience: mesh.audience, algorithms: ["RS256"], typ: "at+jwt" };
  return {
    name: "jose's jwtVerify()",
    calls: 500,
    async run(count) {
      for (let index = 0; index < count; index += 1) await jwtVerify(authorizationOf(index).slice(7), keys, options);
    },
  };
}
