// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { randomBytes } from "node:crypto";
import { inspect } from "node:util";
import { describe, expect, it } from "vitest";
import { createNonceSource } from "../../../../src/verification/dpop/nonce-source.js";
import { createFakeClock } from "../../../support/fake-clock.js";

const secret = Uint8Array.from(randomBytes(32));

describe("a nonce source", () => {
  it("accepts what it gives out, for one to two lifetimes", () => {
    const clock = createFakeClock();
    const nonces = createNonceSource({ lifetimeSeconds: 60, clock });
    const nonce = nonces.current();
    expect(nonce).toMatch(/^[A-Za-z0-9_-]{43}$/);
    expect(nonces.accepts(nonce)).toBe(true);
    clock.advance(59_999);
    expect(nonces.current()).toBe(nonce);
    clock.advance(1);
    expect(nonces.current()).not.toBe(nonce);
    expect(nonces.accepts(nonces.current())).toBe(true);
    clock.advance(59_999);
    expect(nonces.accepts(nonce)).toBe(true);
    clock.advance(1);
    expect(nonces.accepts(nonce)).toBe(false);
  });

  it("gives out a nonce for five minutes by default", () => {
    const clock = createFakeClock();
    const nonces = createNonceSource({ clock });
    const nonce = nonces.current();
    clock.advance(299_999);
    expect(nonces.current()).toBe(nonce);
    clock.advance(1);
    expect(nonces.current()).not.toBe(nonce);
  });

  it("does not accept a nonce of the future", () => {
    const [now, later] = [createFakeClock(), createFakeClock(Date.UTC(2026, 0, 1, 0, 5))];
    expect(
      createNonceSource({ secret, clock: now }).accepts(createNonceSource({ secret, clock: later }).current()),
    ).toBe(false);
  });

  it("knows the nonces of other replicas with its secret, and of no others", () => {
    const clock = createFakeClock();
    const [one, two] = [createNonceSource({ secret, clock }), createNonceSource({ secret: secret.slice(), clock })];
    expect(two.accepts(one.current())).toBe(true);
    expect(createNonceSource({ clock }).accepts(one.current())).toBe(false);
    expect(createNonceSource({ clock }).accepts(createNonceSource({ clock }).current())).toBe(false);
  });

  it.each(["", "x", "é".repeat(43), "A".repeat(43), "A".repeat(10_000)])("does not accept %j", (nonce) => {
    expect(createNonceSource().accepts(nonce)).toBe(false);
  });

  it("keeps its secret, whatever becomes of the bytes that it was given", () => {
    const clock = createFakeClock();
    const given = secret.slice();
    const nonces = createNonceSource({ secret: given, clock });
    const nonce = nonces.current();
    given.fill(0);
    expect(nonces.current()).toBe(nonce);
    expect(inspect(nonces, { showHidden: true, depth: Infinity, getters: true })).not.toContain(String(secret[0]));
  });

  it.each([
    [{ secret: new Uint8Array(31) }, "secret is no Uint8Array of at least 32 bytes; give random ones"],
    [{ secret: "a".repeat(64) as never }, "secret is no Uint8Array of at least 32 bytes; give random ones"],
    [{ lifetimeSeconds: 0.5 }, "lifetimeSeconds is 0.5; give a number of seconds from 1 to 86,400"],
    [{ lifetimeSeconds: 86_401 }, "lifetimeSeconds is 86401; give a number of seconds from 1 to 86,400"],
    [{ lifetimeSeconds: Number.NaN }, "lifetimeSeconds is NaN; give a number of seconds from 1 to 86,400"],
  ])("cannot be created with %j", (options, message) => {
    expect(() => createNonceSource(options)).toThrow(new TypeError(message));
  });
});
