// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { randomBytes } from "node:crypto";
import { jwtVerify } from "jose";
import type { ResourceServer } from "../../src/index.js";
import { type Algorithm, mesh, type TokenChanges } from "../lib/issuer.js";
import { authorizeAll, type Candidate, createSetup, type Setup } from "./candidate.js";

const calls = 400;

/** What refusals cost: the base is one verification, of tokens that were never seen. */
export async function refusalCandidates(algorithm: Algorithm, tokenLength: number): Promise<Candidate[]> {
  const setup = createSetup(algorithm, tokenLength);
  const { issuer } = setup;
  const mint = (changes?: TokenChanges) => Array.from({ length: calls }, () => `Bearer ${issuer.mint(changes)}`);
  const good = mint();
  const past = Math.floor(Date.now() / 1000) - 3600;
  const resourceServer = await setup.resourceServer();
  const refused = (name: string, tokens: readonly string[], reason: string): Candidate => ({
    name,
    calls,
    run: (count) => authorizeAll(resourceServer, count, (index) => tokens[index] ?? "", reason),
  });
  return [
    verification(setup, "a verification", good),
    verification(setup, "a verification once more (control)", good),
    jose(setup, good),
    refused("expired", mint({ claims: { exp: past } }), "TOKEN_EXPIRED"),
    refused("for another audience", mint({ claims: { aud: "https://other.internal" } }), "TOKEN_INVALID"),
    refused("of another issuer", mint({ claims: { iss: "https://other.test" } }), "TOKEN_INVALID"),
    refused("an ID token (typ JWT)", mint({ header: { typ: "JWT" } }), "TOKEN_INVALID"),
    refused("an unknown key", mint({ header: { kid: "unknown" } }), "TOKEN_INVALID"),
    refused("noise in three parts", good.map(noise), "TOKEN_INVALID"),
    refused("noise without dots", good.map(noiseWithoutDots), "TOKEN_INVALID"),
    refused("a forged signature", good.map(forge), "TOKEN_INVALID"),
  ];
}

// With a new resource server for each batch, no token was seen before.
function verification(setup: Setup, name: string, tokens: readonly string[]): Candidate {
  let resourceServer: ResourceServer | undefined;
  return {
    name,
    calls,
    async prepare() {
      resourceServer = await setup.resourceServer();
    },
    async run(count) {
      if (resourceServer !== undefined) await authorizeAll(resourceServer, count, (index) => tokens[index] ?? "");
    },
  };
}

function jose({ issuer, keys }: Setup, tokens: readonly string[]): Candidate {
  const { url, algorithm } = issuer;
  const options = { issuer: url, audience: mesh.audience, algorithms: [algorithm], typ: "at+jwt" };
  return {
    name: "jose's jwtVerify()",
    calls,
    async run(count) {
      for (const token of tokens.slice(0, count)) await jwtVerify(token.slice("Bearer ".length), keys, options);
    },
  };
}

function noise(authorization: string): string {
  const parts = authorization.slice("Bearer ".length).split(".");
  const other = parts.map(({ length }) => randomBytes(length).toString("base64url").slice(0, length));
  return `Bearer ${other.join(".")}`;
}

function noiseWithoutDots(authorization: string): string {
  return noise(authorization).replaceAll(".", "-");
}

// One character of the signature: still base64url, but no signature of this token.
function forge(authorization: string): string {
  const at = authorization.lastIndexOf(".") + 9;
  const other = authorization[at] === "A" ? "B" : "A";
  return authorization.slice(0, at) + other + authorization.slice(at + 1);
}
