// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { mintProofKey } from "../../../support/dpop.js";
import { encodePart, signToken, type TokenPart } from "../../../support/issuer.js";
import { createDpopBench, key, origin, path } from "./dpop-bench.js";

const bench = createDpopBench();
const other = await mintProofKey();

async function expectRefused(...proofs: string[]): Promise<void> {
  expect(await bench.check(proofs)).toMatchObject({ reason: "DPOP_PROOF_INVALID" });
}

describe("whatever a caller sends as a proof", () => {
  it("is refused if it is any text", async () => {
    await fc.assert(fc.asyncProperty(fc.string({ unit: "binary", maxLength: 200 }), (text) => expectRefused(text)));
  });

  it("is refused if it is three parts of any JSON", async () => {
    const part = fc.oneof(fc.json(), fc.string({ unit: "binary" })).map((text) => encodePart(text));
    const parts = fc.tuple(part, part, part).map((each) => each.join("."));
    await fc.assert(fc.asyncProperty(parts, (text) => expectRefused(text)));
  });

  it("is refused if it is a good proof with a character that was changed", async () => {
    const at = fc.nat(2_000);
    const char = fc.constantFrom(..."ABCabc019-_.=+/ ,");
    await fc.assert(
      fc.asyncProperty(at, char, async (index, replacement) => {
        const good = bench.mint();
        const place = index % good.length;
        const changed = good.slice(0, place) + replacement + good.slice(place + 1);
        if (changed !== good) await expectRefused(changed);
      }),
    );
  });

  it("is refused if it is signed by another key, whatever it says", async () => {
    const claims = fc.record({ jti: fc.string(), htm: fc.constant("POST"), htu: fc.constant(origin + path) });
    const header = fc.record({
      typ: fc.constant("dpop+jwt"),
      alg: fc.constant("ES256"),
      jwk: fc.constantFrom(key.jwk, other.jwk),
    });
    await fc.assert(
      fc.asyncProperty(header, claims, (jose, jwt) => expectRefused(signToken(other, jose, jwt as TokenPart))),
    );
  });

  it("is refused if a member that counts is any other JSON", async () => {
    const name = fc.constantFrom("jti", "htm", "htu", "iat", "ath");
    // A text of up to 256 characters is a jti.
    const value = fc.jsonValue().filter((each) => typeof each !== "string" || each === "");
    await fc.assert(
      fc.asyncProperty(name, value, async (member, json) => {
        const proof = bench.mint({ claims: { [member]: json } });
        const isTime = member === "iat" && typeof json === "number" && Math.abs(json - bench.now()) <= 65;
        if (!isTime) await expectRefused(proof);
      }),
    );
  });

  it("is taken once if it is good, whatever its jti", async () => {
    await fc.assert(
      fc.asyncProperty(fc.string({ minLength: 1, maxLength: 128 }), fc.uuid(), async (text, unique) => {
        const proof = bench.mint({ claims: { jti: `${text}${unique}` } });
        expect(await bench.check(proof)).toBeUndefined();
        await expectRefused(proof);
      }),
    );
  });
});
