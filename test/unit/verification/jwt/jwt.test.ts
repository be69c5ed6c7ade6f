// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createJwtDecoder, isBase64url } from "../../../../src/verification/jwt/jwt.js";
import { encodePart } from "../../../support/issuer.js";
import { claimsWith, expectNothingOf, headerWith, mint } from "../harness.js";

const decodeJwt = createJwtDecoder();

const header = encodePart(headerWith());
const claims = encodePart(claimsWith());
const signature = encodePart("a signature, of whatever kind");

/** Decodes a token and makes sure that what is wrong with it is said without it. */
function decode(...parts: readonly string[]): ReturnType<typeof decodeJwt> {
  const token = parts.join(".");
  const decoded = decodeJwt(token);
  if (typeof decoded === "string") expectNothingOf(token, decoded);
  return decoded;
}

/** The last character of a canonical encoding carries spare bits; this one is what Buffer makes of another. */
function withSpareBits(part: string): string {
  const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  const last = alphabet.indexOf(part.slice(-1));
  const other = `${part.slice(0, -1)}${alphabet.charAt(last + 1)}`;
  expect(Buffer.from(other, "base64url")).toEqual(Buffer.from(part, "base64url"));
  expect(other).not.toBe(part);
  return other;
}

describe("decodeJwt", () => {
  it("takes a JWT apart", () => {
    expect(decodeJwt(mint())).toEqual({ header: { ...headerWith() }, claims: { ...claimsWith() } });
  });

  it.each([
    ["nothing", [""]],
    ["one part", [header]],
    ["two parts", [header, claims]],
    ["four parts", [header, claims, signature, ""]],
    ["the five parts of an encrypted JWT", [header, claims, signature, claims, signature]],
  ])("refuses %s", (_, parts) => {
    expect(decode(...parts)).toBe("the token is not a JWT of three parts");
  });

  // Lengths of 3n + 1 and 3n + 2 bytes leave spare bits.
  const spare = encodePart('{"a":1}');
  const standard = Buffer.from('{"a":"??>"}').toString("base64");

  it.each([
    ["an empty one", ""],
    ["padding", `${spare}==`],
    ["spare bits that are not zero", withSpareBits(spare)],
    ["the alphabet of base64", standard],
    ["a character that is none of the alphabet", `${spare}*`],
    ["blank space", ` ${spare}`],
    ["a line feed", `${spare}\n`],
    ["a single left-over character", `${encodePart('{"a":123}')}A`],
  ])("refuses a header, a payload and a signature with %s", (_, part) => {
    expect(decode(part, claims, signature)).toBe("the token's header is not base64url");
    expect(decode(header, part, signature)).toBe("the token's payload is not base64url");
    expect(decode(header, claims, part)).toBe("the token's signature is not base64url");
  });

  it("has the base64 alphabet in that test", () => {
    expect(standard).toMatch(/[+/]/);
    expect(Buffer.from(standard, "base64url").toString()).toBe('{"a":"??>"}');
  });

  it.each([
    ["an array", "[]"],
    ["an array of objects", '[{"alg":"ES256"}]'],
    ["a string", '"some text in quotation marks"'],
    ["a number", "123456789"],
    ["null", "null"],
    ["true", "true"],
    ["text that is no JSON", "some text without quotation marks"],
    ["two objects", '{"alg":"ES256"}{"alg":"none"}'],
    ["an object that does not end", '{"alg":"ES256","kid":"key-1"'],
    ["a comma too many", '{"alg":"ES256",}'],
    ["NaN", '{"exp":NaN}'],
  ])("refuses a header and a payload with %s", (_, text) => {
    expect(decode(encodePart(text), claims, signature)).toBe("the token's header is not a JSON object");
    expect(decode(header, encodePart(text), signature)).toBe("the token's payload is not a JSON object");
  });

  it("refuses bytes that are not UTF-8", () => {
    const latin1 = encodePart(Buffer.from('{"sub":"andré"}', "latin1"));
    expect(decode(latin1, claims, signature)).toBe("the token's header is not a JSON object");
    expect(decode(header, latin1, signature)).toBe("the token's payload is not a JSON object");
  });

  it("reads UTF-8", () => {
    expect(decode(header, encodePart('{"sub":"andré"}'), signature)).toMatchObject({ claims: { sub: "andré" } });
  });

  it("does not let a claim reach into the prototype of objects", () => {
    const decoded = decode(header, encodePart('{"__proto__":{"iss":"https://evil.example.com"}}'), signature);
    expect(decoded).not.toBeTypeOf("string");
    expect((decoded as Exclude<typeof decoded, string>).claims["iss"]).toBeUndefined();
    expect(({} as Record<string, unknown>)["iss"]).toBeUndefined();
  });
});

describe("a decoder that reads headers once", () => {
  it("hands the same header out again, which nobody can change", () => {
    const [first, second] = [decodeJwt(mint()), decodeJwt(mint(claimsWith({ jti: "other" })))];
    if (typeof first === "string" || typeof second === "string") throw new Error("no JWT");
    expect(second.header).toBe(first.header);
    expect(() => Object.assign(first.header, { alg: "none" })).toThrow(TypeError);
  });

  it("says the same of a bad header every time", () => {
    for (const _ of [1, 2])
      expect(decodeJwt(`${encodePart("[]")}.e30.AA`)).toBe("the token's header is not a JSON object");
  });

  it("reads every header right, however many there are", () => {
    for (const round of [1, 2]) {
      for (let number = 0; number < 200; number++) {
        const decoded = decodeJwt(`${encodePart({ kid: `${number}` })}.${encodePart({ round })}.AA`);
        expect(decoded).toEqual({ header: { kid: `${number}` }, claims: { round } });
      }
    }
  });

  it("does not keep a long one", () => {
    const long = `${encodePart({ kid: "k".repeat(500) })}.e30.AA`;
    const [first, second] = [decodeJwt(long), decodeJwt(long)];
    expect(first).toEqual(second);
    if (typeof first === "string" || typeof second === "string") throw new Error("no JWT");
    expect(second.header).not.toBe(first.header);
  });
});

describe("isBase64url", () => {
  it("takes exactly what Buffer writes", () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1 }), fc.nat(63), (bytes, other) => {
        const encoded = Buffer.from(bytes).toString("base64url");
        expect(isBase64url(encoded)).toBe(true);
        const last = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".charAt(other);
        const changed = encoded.slice(0, -1) + last;
        expect(isBase64url(changed)).toBe(Buffer.from(changed, "base64url").toString("base64url") === changed);
      }),
    );
  });

  it.each(["", "A", "AAAAA", "AA=", "AA==", "A+AA", "A/AA", "A A", "AAA\n", "ÄAAA", "AB", "AAB"])(
    "refuses %j",
    (text) => {
      expect(isBase64url(text)).toBe(false);
    },
  );
});
