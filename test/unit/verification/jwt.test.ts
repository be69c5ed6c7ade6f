// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { describe, expect, it } from "vitest";
import { decodeJwt } from "../../../src/verification/jwt.js";
import { encodePart } from "../../support/issuer.js";
import { claimsWith, expectNothingOf, headerWith, mint } from "./harness.js";

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
