// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { quotes, quotesInAnyForm } from "../../../src/credentials/quotes.js";

describe("a text quotes a secret", () => {
  it("when it holds eight characters of it, from its beginning to its end", () => {
    for (const part of ["01234567", "3456789a", "89abcdef"])
      expect(quotes(`bad ${part}!`, "0123456789abcdef")).toBe(true);
    for (const part of ["0123456", "9abcdef", "0123456_89abcde"]) {
      expect(quotes(`bad ${part}!`, "0123456789abcdef")).toBe(false);
    }
  });

  it("when it holds all of a short one, but not a part of it", () => {
    expect(quotes("bad s3cr3t", "s3cr3t")).toBe(true);
    expect(quotes("bad s3cr3", "s3cr3t")).toBe(false);
  });
});

describe("a text quotes a secret in another form", () => {
  const secret = 'p@ss "wörd"/~-_.*';
  const basic = (id: string): string => btoa(`${id}:p%40ss+%22w%C3%B6rd%22%2F%7E%2D%5F%2E%2A`);

  it.each([
    ["itself", secret],
    ["in a URL", encodeURIComponent(secret)],
    ["in a URL, in small letters", "p%40ss%20%22w%c3%b6rd%22%2f"],
    ["in a form", new URLSearchParams({ s: secret }).toString()],
    ["in the header, decoded", "p%40ss+%22w%C3%B6rd%22%2F%7E%2D%5F%2E%2A"],
    ["in JSON", JSON.stringify({ secret })],
    ["in hexadecimal", Buffer.from(secret).toString("hex")],
    ["in base64", Buffer.from(secret).toString("base64")],
    ["in base64url", Buffer.from(secret).toString("base64url")],
    ["in the header of a client of three letters", basic("abc")],
    ["in the header of a client of four letters", basic("abcd")],
    ["in the header of a client of five letters", basic("abcde")],
  ])("%s", (_, form) => {
    expect(quotesInAnyForm(`bad ${form}!`, secret)).toBe(true);
  });

  it("not when it only looks alike", () => {
    expect(quotesInAnyForm("bad p@ss word!", secret)).toBe(false);
    expect(quotesInAnyForm("", secret)).toBe(false);
  });

  it("not just because hardly anything is left of a short one in base64", () => {
    for (const short of ["q", "qz", "qzj"])
      expect(quotesInAnyForm("the client is unknown: Basic YTpi", short)).toBe(false);
  });

  it("wherever it stands in what was encoded", () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 7 }),
        fc.string({ minLength: 5, maxLength: 40 }),
        fc.uint8Array({ maxLength: 7 }),
        (before, text, after) => {
          const whole = Buffer.concat([before, Buffer.from(text), after]);
          return (["base64", "base64url"] as const).every((form) => quotesInAnyForm(whole.toString(form), text));
        },
      ),
    );
  });
});
