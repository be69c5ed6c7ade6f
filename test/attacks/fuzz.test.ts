// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import fc from "fast-check";
import { describe, expect, it, vi } from "vitest";
import { rpcName } from "../../src/rules/problem.js";
import type { Decision } from "../../src/verification/decision/decision.js";
import { encodePart, json, signToken } from "../support/issuer.js";
import { attackerEs256, claims, es256, good, header, partsOf, published } from "./lab/mint.js";
import { findPiece } from "./lab/secrecy.js";
import { vault } from "./lab/vault.js";
import { createWorld, type World } from "./lab/world.js";

/** How often each property is tried. A long run, by hand: MESHAUTH_FUZZ_RUNS=200000. */
const numRuns: number = Number(process.env["MESHAUTH_FUZZ_RUNS"] ?? 400);

vi.setConfig({ testTimeout: 60_000 + numRuns * 50 });

const [read] = vault.Vault.methods;
if (read === undefined) throw new Error("no RPC");
const method = read;

/** Decides a call, and makes sure that a refusal gives nothing away and is never for an error of ours. */
async function authorize({ resourceServer, decisions }: World, authorization: string): Promise<Decision> {
  decisions.length = 0;
  const decision = await resourceServer.authorize({ method, rpc: rpcName(method), authorization, protocol: "connect" });
  if (!decision.allowed) {
    expect(["CREDENTIALS_MISSING", "TOKEN_INVALID", "TOKEN_EXPIRED", "TOKEN_NOT_YET_VALID"]).toContain(
      decision.refusal.reason,
    );
    expect(findPiece([authorization], JSON.stringify([decision.refusal, decisions]))).toBeUndefined();
  }
  return decision;
}

const world = await createWorld();

/** A text in which something is cut out, and something else put in. */
function changed(text: string, inserted: fc.Arbitrary<string>): fc.Arbitrary<string> {
  return fc
    .tuple(fc.nat(text.length), fc.nat(8), inserted)
    .map(([at, cut, insert]) => `${text.slice(0, at)}${insert}${text.slice(at + cut)}`);
}

const tokenText = fc.string({ unit: fc.constantFrom(..."AZaz09-_.+/=~"), maxLength: 6 });
const bytes = fc.uint8Array({ maxLength: 200 });
const others = [
  good,
  signToken(es256, header(), claims({ scope: "other" })),
  signToken(attackerEs256, header(), claims()),
];
const anyPart = fc.constantFrom(...others.flatMap(partsOf));

/** A good token of which one byte of what a part encodes differs. */
const flipped = fc.tuple(fc.nat(2), fc.nat(), fc.integer({ min: 1, max: 255 })).map(([which, at, bits]) => {
  const parts = partsOf(good).map((part) => Buffer.from(part, "base64url"));
  const part = parts[which] ?? Buffer.alloc(1);
  part.writeUInt8(part.readUInt8(at % part.length) ^ bits, at % part.length);
  return parts.map((each) => encodePart(each)).join(".");
});

/** Parts of a token with members that are any JSON. */
function spoiled(members: Readonly<Record<string, unknown>>): fc.Arbitrary<string> {
  const name = fc.oneof(
    fc.constantFrom(...Object.keys(members), "crit", "b64", "jwk", "nbf", "cnf", "__proto__"),
    fc.string(),
  );
  return fc
    .dictionary(name, fc.jsonValue(), { maxKeys: 4 })
    .map((changes) => JSON.stringify(Object.fromEntries([...Object.entries(members), ...Object.entries(changes)])));
}

/** Good claims or a good header in JSON with a change in the text. */
const broken = (members: Readonly<Record<string, unknown>>): fc.Arbitrary<string> =>
  changed(JSON.stringify(members), fc.string({ unit: fc.constantFrom(...'{}[]",:\\0e-u '), maxLength: 4 }));

async function expectRefused(tokens: fc.Arbitrary<string>): Promise<void> {
  await fc.assert(
    fc.asyncProperty(tokens, async (token) => {
      expect((await authorize(world, `Bearer ${token}`)).allowed).toBe(token === good);
    }),
    { numRuns },
  );
}

describe("a token is refused, without an error, unless it is byte for byte a good one", () => {
  it("if it is any bytes", async () => {
    await expectRefused(bytes.map((each) => Buffer.from(each).toString("latin1")));
  });

  it("if it is three parts of any bytes", async () => {
    await expectRefused(
      fc.array(bytes, { minLength: 1, maxLength: 6 }).map((parts) => parts.map(encodePart).join(".")),
    );
  });

  it("if a few characters of a good one differ", async () => {
    await expectRefused(changed(good, tokenText));
  });

  it("if a byte of a good one differs, encoded as it should be", async () => {
    await expectRefused(flipped);
  });

  it("if its parts come from several tokens", async () => {
    await expectRefused(
      fc
        .array(anyPart, { minLength: 3, maxLength: 3 })
        .map((parts) => parts.join("."))
        .filter((token) => !others.slice(1).includes(token)),
    );
  });

  it("if another key signed it, whatever it says", async () => {
    const parts = fc.tuple(
      fc.oneof(spoiled(header()), broken(header())),
      fc.oneof(spoiled(claims()), broken(claims())),
    );
    await expectRefused(parts.map(([head, payload]) => signToken(attackerEs256, head, payload)));
  });

  it("if the header of a good one is surrounded by anything", async () => {
    await fc.assert(
      fc.asyncProperty(fc.string({ maxLength: 3 }), fc.string({ maxLength: 3 }), async (before, behind) => {
        const { allowed } = await authorize(world, `${before}Bearer ${good}${behind}`);
        expect(allowed).toBe(before === "" && behind === "");
      }),
      { numRuns },
    );
  });
});

describe("a token that the issuer signed", () => {
  it("is judged without an error, whatever is in it", async () => {
    const parts = fc.tuple(
      fc.oneof(spoiled(header()), broken(header())),
      fc.oneof(spoiled(claims()), broken(claims())),
    );
    await fc.assert(
      fc.asyncProperty(parts, async ([head, payload]) => {
        const token = signToken(es256, head, payload);
        const { resourceServer, decisions } = world;
        const call = { method, rpc: rpcName(method), authorization: `Bearer ${token}`, protocol: "connect" };
        const decision = await resourceServer.authorize(call);
        expect(findPiece([token], JSON.stringify(decisions.splice(0)))).toBeUndefined();
        if (decision.allowed) expect(decision.principal?.scopes.has("vault:read")).toBe(true);
      }),
      { numRuns },
    );
  });
});

describe("a key set", () => {
  const member = fc.oneof(
    fc.jsonValue(),
    fc.constantFrom("RSA", "EC", "OKP", "oct", "P-256", "ES256", "sig", "AQAB", "AA"),
  );
  const names = ["kty", "kid", "alg", "use", "key_ops", "crv", "x", "y", "n", "e", "d", "k", "x5c", "__proto__"];
  const key = fc.oneof(
    fc.dictionary(fc.constantFrom(...names), member),
    fc
      .tuple(fc.constantFrom(...published), fc.dictionary(fc.constantFrom(...names), member, { maxKeys: 3 }))
      .map(([{ publicJwk }, changes]) => ({ ...publicJwk, ...changes })),
    fc.jsonValue(),
  );
  // The clock goes far, so that each key set is fetched.
  const late = claims({ exp: 8e12 });
  const foreign = signToken(attackerEs256, header(), late);
  const unsigned = `${partsOf(signToken(es256, header(), late))
    .slice(0, 2)
    .join(".")}.${partsOf(good)[2]}`;

  it("of any form makes no token good that its keys did not sign, and no call fail with an error", async () => {
    const { resourceServer, issuer, clock } = await createWorld();
    await fc.assert(
      fc.asyncProperty(
        fc.oneof(fc.record({ keys: fc.array(key, { maxLength: 5 }) }), fc.jsonValue()),
        async (keySet) => {
          issuer.jwks = json(keySet);
          clock.advance(3_700_000);
          for (const token of [foreign, unsigned]) {
            const call = { method, rpc: rpcName(method), authorization: `Bearer ${token}`, protocol: "connect" };
            const decision = await resourceServer.authorize(call);
            expect(decision.allowed).toBe(false);
          }
        },
      ),
      { numRuns: Math.ceil(numRuns / 4) },
    );
  });

  it("is good again after garbage", async () => {
    const { resourceServer, issuer, clock } = await createWorld();
    issuer.jwks = json({ keys: [null, 7, { kty: "RSA" }, "x"] });
    clock.advance(100_000);
    issuer.publish(...published);
    const call = { method, rpc: rpcName(method), authorization: `Bearer ${good}`, protocol: "connect" };
    expect((await resourceServer.authorize(call)).allowed).toBe(true);
  });
});
