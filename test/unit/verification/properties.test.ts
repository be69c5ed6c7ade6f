// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Health } from "../../../src/gen/health/v1/health_pb.js";
import { PaymentService } from "../../../src/gen/payment/v1/payment_pb.js";
import { rpcName } from "../../../src/rules/problem.js";
import type { Decision } from "../../../src/verification/decision/decision.js";
import { createResourceServer } from "../../../src/verification/resource-server.js";
import { createFakeClock } from "../../support/fake-clock.js";
import { createIssuer, encodePart, type TokenPart } from "../../support/issuer.js";
import {
  audience,
  claimsWith,
  createBench,
  expectNothingOf,
  headerWith,
  issuerUrl,
  key,
  mint,
  start,
} from "./harness.js";

const good = mint();
const issuer = createIssuer(issuerUrl, key);
const bench = createBench();
const resourceServer = createResourceServer({
  services: [PaymentService],
  rules: [{ target: Health, rule: { authenticated: {} } }],
  issuer: issuerUrl,
  fetch: issuer.fetch,
  clock: createFakeClock(start * 1000),
});

async function authorize(authorization: string): Promise<Decision> {
  const { check: method } = Health.method;
  const decision = await resourceServer.authorize({ method, rpc: rpcName(method), authorization, protocol: "grpc" });
  if (!decision.allowed) expectNothingOf(authorization.replace(/^bearer /i, ""), decision);
  return decision;
}

/** A change somewhere in a text: what is there is cut out, and something else put in. */
function changed(text: string, inserted: fc.Arbitrary<string>): fc.Arbitrary<string> {
  return fc
    .tuple(fc.nat(text.length), fc.nat(3), inserted)
    .map(([at, cut, insert]) => `${text.slice(0, at)}${insert}${text.slice(at + cut)}`);
}

const tokenText = fc.string({ unit: fc.constantFrom(..."AZaz09-_.+/=~"), maxLength: 4 });
const anyText = fc.string({ unit: "binary", maxLength: 4 });

/** A token of which one part has some of its bits turned around; encoded as it has to be. */
const bitsTurned = fc.tuple(fc.nat(2), fc.nat(), fc.integer({ min: 0, max: 255 })).map(([which, at, bits]) => {
  const parts = good.split(".").map((part) => Buffer.from(part, "base64url"));
  const part = parts[which] ?? Buffer.alloc(1);
  part.writeUInt8(part.readUInt8(at % part.length) ^ bits, at % part.length);
  return parts.map((each) => encodePart(each)).join(".");
});

const runs = { numRuns: 500 };

describe("whatever a caller sends", () => {
  it("is accepted if it is a good token", async () => {
    expect(await authorize(`Bearer ${good}`)).toMatchObject({ allowed: true });
  });

  it("is refused if it is text of any kind", async () => {
    await fc.assert(
      fc.asyncProperty(fc.oneof(fc.string({ unit: "binary" }), fc.string()), fc.boolean(), async (text, withScheme) => {
        expect(await authorize(withScheme ? `Bearer ${text}` : text)).toMatchObject({ allowed: false });
      }),
      runs,
    );
  });

  it("is refused if it is three parts of any bytes", async () => {
    const part = fc.uint8Array({ maxLength: 40 }).map((bytes) => encodePart(bytes));
    await fc.assert(
      fc.asyncProperty(fc.array(part, { minLength: 1, maxLength: 5 }), async (parts) => {
        expect(await authorize(`Bearer ${parts.join(".")}`)).toMatchObject({ allowed: false });
      }),
      runs,
    );
  });

  it("is refused if it is a good token in which a character differs", async () => {
    await fc.assert(
      fc.asyncProperty(changed(good, fc.oneof(tokenText, anyText)), async (token) => {
        expect((await authorize(`Bearer ${token}`)).allowed).toBe(token === good);
      }),
      runs,
    );
  });

  it("is refused if it is a good token in which a bit differs", async () => {
    await fc.assert(
      fc.asyncProperty(bitsTurned, async (token) => {
        expect((await authorize(`Bearer ${token}`)).allowed).toBe(token === good);
      }),
      runs,
    );
  });

  it("is refused if it is the header of a good token with a change outside of the scheme's case", async () => {
    const header = `Bearer ${good}`;
    await fc.assert(
      fc.asyncProperty(changed(header, anyText), async (text) => {
        const isSame = text.slice(0, 7).toLowerCase() === "bearer " && text.slice(7) === good;
        expect((await authorize(text)).allowed).toBe(isSame);
      }),
      runs,
    );
  });
});

describe("whatever an issuer signs", () => {
  const record = fc.dictionary(fc.string(), fc.jsonValue());
  const names = ["typ", "alg", "kid", "crit", "b64", "jku", "jwk", "x5u", "x5c", "zip", "cty", "enc", "__proto__"];
  const claimNames = ["iss", "aud", "sub", "client_id", "scope", "exp", "nbf", "iat", "jti", "cnf", "__proto__"];

  /** Good parts of a token with some members replaced by any JSON value. */
  function spoiled(part: Readonly<Record<string, unknown>>, members: readonly string[]): fc.Arbitrary<TokenPart> {
    return fc
      .dictionary(fc.constantFrom(...members), fc.jsonValue(), { minKeys: 1, maxKeys: 2 })
      .map((changes) => JSON.stringify(Object.fromEntries([...Object.entries(part), ...Object.entries(changes)])));
  }

  it("is refused if its claims are any object", async () => {
    await fc.assert(
      fc.asyncProperty(record, async (claims) => {
        expect(await bench.verify(mint(claims))).toMatchObject({ reason: "TOKEN_INVALID" });
      }),
      runs,
    );
  });

  it("is refused if its header is any object", async () => {
    await fc.assert(
      fc.asyncProperty(record, async (header) => {
        expect(await bench.verify(mint(claimsWith(), header))).toMatchObject({ reason: "TOKEN_INVALID" });
      }),
      runs,
    );
  });

  it("is judged without an error, and is for us if it is accepted", async () => {
    await fc.assert(
      fc.asyncProperty(spoiled(headerWith(), names), spoiled(claimsWith(), claimNames), async (header, claims) => {
        const verdict = await bench.verify(mint(claims, header));
        if ("reason" in verdict) return;
        expect(verdict).toMatchObject({ issuer: issuerUrl, clientId: expect.stringMatching(/./) });
        expect(verdict.subject).not.toBe("");
        expect(verdict.audience).toContain(audience);
        expect(verdict.expiresAt).toBeGreaterThan((start - 5) * 1000);
      }),
      runs,
    );
    expect(bench.issuer.counts.other).toBe(0);
  });
});
