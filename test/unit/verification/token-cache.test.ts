// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ownText } from "../../../src/platform/own-text.js";
import type { Principal } from "../../../src/verification/principal.js";
import { type CachedToken, createTokenCache } from "../../../src/verification/token-cache.js";

/** Credentials of a usual length, of which only the ends differ. */
const credentials = (end: string): string => `Bearer ${"a".repeat(400)}${end.padStart(20, "-")}`;

const principalOf = (clientId: string): Principal => ({ clientId }) as Principal;

const always = { isBelieved: () => true };

function cached(clientId: string, changes: Partial<CachedToken> = {}): CachedToken {
  return { principal: principalOf(clientId), validFrom: 0, validUntil: 1_000, proof: always, ...changes };
}

describe("a token cache", () => {
  it("hands out the principal of exactly the same credentials", () => {
    const cache = createTokenCache(10);
    cache.set(credentials("a"), cached("a"));
    cache.set(credentials("b"), cached("b"));
    expect(cache.get(ownText(credentials("a")), 0)?.clientId).toBe("a");
    expect(cache.get(credentials("b"), 0)?.clientId).toBe("b");
    expect(cache.get(credentials("b"), 0)?.clientId).toBe("b");
    expect(cache.get(credentials("c"), 0)).toBeUndefined();
  });

  it.each([
    ["their scheme", (known: string) => known.replace("Bearer", "bearer")],
    ["a character in the middle", (known: string) => `${known.slice(0, 200)}b${known.slice(201)}`],
    ["their beginning", (known: string) => known.slice(1)],
    ["something in front", (known: string) => ` ${known}`],
    ["something behind", (known: string) => `${known} `],
    ["their last character", (known: string) => `${known.slice(0, -1)}b`],
  ])("does not know credentials that differ in %s", (_, change) => {
    const cache = createTokenCache(10);
    const known = credentials("a");
    cache.set(known, cached("a"));
    expect(cache.get(known, 0)?.clientId).toBe("a");
    expect(cache.get(change(known), 0)).toBeUndefined();
    expect(cache.get(known, 0)?.clientId).toBe("a");
  });

  it("holds one of two tokens that end alike, and never mixes them up", () => {
    const cache = createTokenCache(10);
    const [first, second] = [`Bearer x${"e".repeat(40)}`, `Bearer y${"e".repeat(40)}`];
    cache.set(first, cached("x"));
    expect(cache.get(second, 0)).toBeUndefined();
    cache.set(second, cached("y"));
    expect(cache.get(second, 0)?.clientId).toBe("y");
    expect(cache.get(first, 0)).toBeUndefined();
    expect(cache.size).toBe(1);
  });

  it("forgets a token once it is not valid any more", () => {
    const cache = createTokenCache(10);
    cache.set(credentials("a"), cached("a", { validUntil: 1_000 }));
    expect(cache.get(credentials("a"), 999)).toBeDefined();
    expect(cache.get(credentials("a"), 1_000)).toBeUndefined();
    expect(cache.size).toBe(0);
    expect(cache.get(credentials("a"), 999)).toBeUndefined();
  });

  it("forgets a token that is not valid yet, as after the clock was set back", () => {
    const cache = createTokenCache(10);
    cache.set(credentials("a"), cached("a", { validFrom: 500 }));
    expect(cache.get(credentials("a"), 500)).toBeDefined();
    expect(cache.get(credentials("a"), 499)).toBeUndefined();
    expect(cache.size).toBe(0);
  });

  it("forgets a token once its proof is not believed any more, and asks with every hit", () => {
    const cache = createTokenCache(10);
    let believed = true;
    let asked = 0;
    const proof = {
      isBelieved() {
        asked += 1;
        return believed;
      },
    };
    cache.set(credentials("a"), cached("a", { proof }));
    cache.get(credentials("a"), 0);
    cache.get(credentials("a"), 0);
    expect(asked).toBe(2);
    believed = false;
    expect(cache.get(credentials("a"), 0)).toBeUndefined();
    believed = true;
    expect(cache.get(credentials("a"), 0)).toBeUndefined();
    expect(cache.size).toBe(0);
  });

  it("replaces what it knows of credentials", () => {
    const cache = createTokenCache(10);
    cache.set(credentials("a"), cached("old"));
    cache.set(credentials("a"), cached("new"));
    expect(cache.get(credentials("a"), 0)?.clientId).toBe("new");
    expect(cache.size).toBe(1);
  });

  it("holds no more than it may, and lets go of what was not used lately", () => {
    const cache = createTokenCache(4);
    cache.set(credentials("used"), cached("used"));
    for (let number = 0; number < 100; number++) {
      cache.set(credentials(`${number}`), cached(`${number}`));
      expect(cache.get(credentials("used"), 0)?.clientId).toBe("used");
      expect(cache.size).toBeLessThanOrEqual(4);
    }
    expect(cache.get(credentials("99"), 0)).toBeDefined();
    expect(cache.get(credentials("1"), 0)).toBeUndefined();
  });

  it("replaces what it knows since long ago", () => {
    const cache = createTokenCache(4);
    for (const name of ["a", "b", "c"]) cache.set(credentials(name), cached(name));
    cache.set(credentials("a"), cached("new"));
    expect(cache.size).toBe(3);
    expect(cache.get(credentials("a"), 0)?.clientId).toBe("new");
  });

  it("forgets the token that it handed out last, wherever it is", () => {
    const cache = createTokenCache(4);
    for (const name of ["a", "b", "c"]) cache.set(credentials(name), cached(name));
    expect(cache.get(credentials("a"), 0)).toBeDefined();
    expect(cache.get(credentials("b"), 0)).toBeDefined();
    expect(cache.get(credentials("b"), 1_000)).toBeUndefined();
    expect(cache.get(credentials("b"), 0)).toBeUndefined();
    expect(cache.get(credentials("a"), 0)).toBeDefined();
  });

  it("holds half of what it may, whatever the order in which tokens come", () => {
    const cache = createTokenCache(100);
    for (let number = 0; number < 1_000; number++) {
      cache.set(credentials(`${number}`), cached(`${number}`));
      const latest = Array.from({ length: Math.min(number, 49) }, (_, age) => `${number - age}`);
      if (number % 97 === 0) for (const name of latest) expect(cache.get(credentials(name), 0)?.clientId).toBe(name);
    }
  });

  it("holds nothing if it may hold nothing", () => {
    const cache = createTokenCache(0);
    cache.set(credentials("a"), cached("a"));
    expect(cache.size).toBe(0);
    expect(cache.get(credentials("a"), 0)).toBeUndefined();
  });

  it("never hands out anything but what was set last, whatever happens in between", () => {
    const end = fc.constantFrom("a", "b", "c", "d", "e", "f");
    const step = fc.oneof(
      fc.record({ set: end, until: fc.nat(20) }),
      fc.record({ get: end }),
      fc.record({ pass: fc.nat(5) }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), fc.integer({ min: 1, max: 5 }), (steps, size) => {
        const cache = createTokenCache(size);
        const model = new Map<string, { readonly principal: Principal; readonly until: number }>();
        let now = 0;
        for (const each of steps) {
          if ("pass" in each) now += each.pass;
          else if ("set" in each) {
            const token = cached(each.set, { validUntil: each.until });
            cache.set(credentials(each.set), token);
            model.set(each.set, { principal: token.principal, until: each.until });
          } else {
            const got = cache.get(credentials(each.get), now);
            const known = model.get(each.get);
            if (got !== undefined) expect(got).toBe(known?.principal);
            if (known === undefined || now >= known.until) expect(got).toBeUndefined();
          }
          expect(cache.size).toBeLessThanOrEqual(size + 1);
        }
      }),
    );
  });
});
