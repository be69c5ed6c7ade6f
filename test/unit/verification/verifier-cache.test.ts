// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { compactVerify } from "jose";
import { beforeEach, describe, expect, it, vi } from "vitest";
import type { Principal } from "../../../src/verification/principal.js";
import type { Verdict } from "../../../src/verification/verifier.js";
import { settle } from "../../support/fake-clock.js";
import { down, hold, json, mintKey, mintWeakRsaKey, signToken } from "../../support/issuer.js";
import { type Bench, claimsWith, createBench, headerWith, invalidBecause, key, mint, start } from "./harness.js";

vi.mock("jose", async (importOriginal) => {
  const original = await importOriginal<typeof import("jose")>();
  return { ...original, compactVerify: vi.fn(original.compactVerify) };
});

beforeEach(() => {
  vi.mocked(compactVerify).mockClear();
});

const signatures = (): number => vi.mocked(compactVerify).mock.calls.length;

const minute = 60_000;

/** Good for as long as a test runs. */
const longClaims = claimsWith({ exp: start + 86_400 });

function remembering(options: Parameters<typeof createBench>[0] = {}): Bench {
  return createBench({ maxCachedTokens: 100, ...options });
}

function principal(verdict: Verdict | Promise<Verdict>): Principal {
  if (verdict instanceof Promise) throw new Error("not at once");
  if ("reason" in verdict) throw new Error(verdict.cause);
  return verdict;
}

describe("a verifier that remembers tokens", () => {
  it("verifies a signature once, and then knows the token at once", async () => {
    const { verify, verifier } = remembering();
    const token = mint();
    const first = await verify(token);
    expect(principal(verifier().verify(`Bearer ${token}`))).toBe(first);
    expect(principal(verifier().verify(["Bearer ", token].join("")))).toBe(first);
    expect(signatures()).toBe(1);
  });

  it("gives the same verdict on every spelling of the scheme", async () => {
    const { verify, verifier } = remembering();
    const token = mint();
    const first = await verify(token);
    for (const scheme of ["bearer", "BEARER", "bEaReR"]) {
      expect(principal(verifier().verify(`${scheme} ${token}`))).toBe(first);
    }
    expect(signatures()).toBe(1);
    const other = mint(longClaims);
    await verifier().verify(`bearer ${other}`);
    expect(principal(verifier().verify(`Bearer ${other}`)).clientId).toBe("order-service");
    expect(signatures()).toBe(2);
  });

  it.each(["", " ", "=", "A", "."])(
    "does not take a known token with %j behind it for the known one",
    async (behind) => {
      const { verify, verifier } = remembering();
      const token = mint();
      await verify(token);
      if (behind !== "")
        expect(await verifier().verify(`Bearer ${token}${behind}`)).toMatchObject({ reason: "TOKEN_INVALID" });
      expect(await verifier().verify(`Bearer  ${token}`)).toMatchObject({ reason: "TOKEN_INVALID" });
      expect(await verifier().verify(token)).toMatchObject({ reason: "CREDENTIALS_MISSING" });
    },
  );

  it("does not remember what it refused", async () => {
    const { verify } = remembering();
    const stranger = await mintKey("ES256", key.kid);
    const forged = signToken(stranger, headerWith(), claimsWith());
    for (let count = 1; count <= 3; count++) {
      expect(await verify(forged)).toEqual(invalidBecause("the signature does not verify"));
      expect(signatures()).toBe(count);
    }
  });

  it("remembers nothing with maxCachedTokens 0", async () => {
    const { verify } = remembering({ maxCachedTokens: 0 });
    const token = mint();
    await verify(token);
    await verify(token);
    expect(signatures()).toBe(2);
  });

  it("keeps what an audience knows from the others", async () => {
    const { verify, verifier } = remembering();
    const token = mint();
    await verify(token);
    expect(await verifier("https://order-service.internal").verify(`Bearer ${token}`)).toEqual(
      invalidBecause("aud does not include https://order-service.internal"),
    );
  });

  it("refuses a token from the moment on that it would refuse it without remembering it", async () => {
    const { verify, clock } = remembering();
    const token = mint(claimsWith({ exp: start + 300 }));
    await verify(token);
    clock.advance(305_000 - 1);
    expect(await verify(token)).toMatchObject({ clientId: "order-service" });
    expect(signatures()).toBe(1);
    clock.advance(1);
    expect(await verify(token)).toMatchObject({ reason: "TOKEN_EXPIRED" });
    expect(signatures()).toBe(1);
  });

  it("refuses a token that expired while its keys were waited for", async () => {
    const { verify, verifier, issuer, clock } = remembering();
    const held = hold(issuer.jwks);
    issuer.jwks = held.answer;
    const token = mint(claimsWith({ exp: start + 60 }));
    const late = verify(token);
    await settle();
    clock.advance(65_000);
    held.release();
    const expired = { reason: "TOKEN_EXPIRED", cause: "the token expired while it was verified" };
    expect(await late).toEqual(expired);
    expect(await verifier().verify(`Bearer ${token}`)).toMatchObject({ reason: "TOKEN_EXPIRED" });
    const other = createBench({ maxCachedTokens: 10 });
    const again = hold(other.issuer.jwks);
    other.issuer.jwks = again.answer;
    const inTime = other.verify(token);
    await settle();
    other.clock.advance(65_000 - 1);
    again.release();
    expect(await inTime).toMatchObject({ clientId: "order-service" });
  });

  it("refuses a token after the clock was set back to before it was issued", async () => {
    const { verify, clock } = remembering();
    const token = mint(longClaims);
    await verify(token);
    clock.jump(-5_000);
    expect(await verify(token)).toMatchObject({ clientId: "order-service" });
    clock.jump(-1);
    expect(await verify(token)).toMatchObject({ reason: "TOKEN_NOT_YET_VALID" });
  });

  it("verifies a token anew after 10 minutes, whatever its lifetime", async () => {
    const { verify, clock } = remembering();
    const token = mint(longClaims);
    await verify(token);
    clock.advance(10 * minute - 1);
    await verify(token);
    expect(signatures()).toBe(1);
    clock.advance(1);
    await verify(token);
    expect(signatures()).toBe(2);
  });

  it("verifies a token anew after the clock was set back by more than clocks may be apart", async () => {
    const { verify, clock } = remembering();
    const token = mint(claimsWith({ iat: start - 3600, exp: start + 86_400 }));
    await verify(token);
    clock.jump(-5_001);
    await verify(token);
    expect(signatures()).toBe(2);
  });

  it("refuses a token once its key was withdrawn, although nobody but known tokens call", async () => {
    const { verify, issuer, clock } = remembering({ keys: [key, await mintKey("ES256", "key-2")] });
    const token = mint(longClaims);
    await verify(token);
    issuer.publish(await mintKey("ES256", "key-3"));
    // Verified anew every ten minutes, so that only the key can be the reason.
    clock.advance(9 * minute);
    await verify(mint(claimsWith({ exp: start + 86_400, jti: "other" })));
    clock.advance(minute - 1);
    expect(await verify(token)).toMatchObject({ clientId: "order-service" });
    expect(issuer.counts.jwks).toBe(1);
    clock.advance(1);
    const other = mint(claimsWith({ exp: start + 86_400, jti: "other" }));
    // This hit is what fetches the keys; it does not wait for them.
    expect(await verify(other)).toMatchObject({ clientId: "order-service" });
    await settle();
    expect(issuer.counts.jwks).toBe(2);
    expect(await verify(other)).toEqual(invalidBecause("no published key matches the token's kid and alg"));
    expect(await verify(token)).toMatchObject({ reason: "TOKEN_INVALID" });
  });

  it("goes on knowing a token whose key is still published after a refresh", async () => {
    const { verify, issuer, clock } = remembering();
    const token = mint(longClaims);
    await verify(token);
    issuer.publish(await mintKey("ES256", "key-2"), key);
    clock.advance(9 * minute);
    const other = mint(claimsWith({ exp: start + 86_400, jti: "other" }));
    await verify(other);
    clock.advance(minute);
    await verify(other);
    await settle();
    await verify(other);
    expect(issuer.counts.jwks).toBe(2);
    expect(signatures()).toBe(2);
  });

  it("refuses what another key under the same kid signed, from its first refresh on", async () => {
    const { verify, issuer, clock } = remembering();
    const token = mint(longClaims);
    await verify(token);
    issuer.publish(await mintKey("ES256", key.kid));
    clock.advance(10 * minute);
    await verify(token);
    await settle();
    expect(await verify(token)).toEqual(invalidBecause("the signature does not verify"));
  });

  it("does not know a token for longer than the last good keys do", async () => {
    const { verify, issuer, clock } = remembering();
    const token = mint(longClaims);
    await verify(token);
    issuer.jwks = down;
    // Looked at anew at minute 55, which does until the keys are an hour old.
    clock.advance(55 * minute);
    expect(await verify(token)).toMatchObject({ clientId: "order-service" });
    clock.advance(5 * minute - 1);
    expect(await verify(token)).toMatchObject({ clientId: "order-service" });
    clock.advance(1);
    expect(await verify(token)).toMatchObject({ reason: "AUTHORIZATION_SERVER_UNAVAILABLE" });
  });

  it("shares what cannot be changed", async () => {
    const { verify, verifier } = remembering();
    const token = mint(claimsWith({ nested: { list: ["a"] } }));
    const known = (await verify(token)) as Principal;
    expect(() => Object.assign(known, { clientId: "root" })).toThrow(TypeError);
    expect(() => (known.scopes as Set<string>).add("payments:admin")).toThrow(TypeError);
    expect(() => (known.scopes as Set<string>).delete("payments:read")).toThrow(TypeError);
    expect(() => (known.scopes as Set<string>).clear()).toThrow(TypeError);
    expect(() => (known.audience as string[]).push("https://other.internal")).toThrow(TypeError);
    expect(() => Object.assign(known.claims, { scope: "payments:admin" })).toThrow(TypeError);
    expect(() => (known.claims["nested"] as { list: string[] }).list.push("b")).toThrow(TypeError);
    expect(principal(verifier().verify(`Bearer ${token}`)).scopes).toEqual(
      new Set(["payments:read", "payments:write"]),
    );
  });

  it("shows claims, and no token, of a principal", async () => {
    const { verify } = remembering();
    const token = mint();
    const known = (await verify(token)) as Principal;
    expect({ ...known }).toMatchObject({ claims: claimsWith() });
    expect(JSON.parse(JSON.stringify(known))).toMatchObject({ claims: claimsWith() });
    const { inspect } = await import("node:util");
    const shown = inspect(known, { depth: Infinity, showHidden: true, getters: true });
    for (const part of token.split(".")) expect(shown).not.toContain(part);
  });
});

describe("events of a verifier", () => {
  it("tell of every verification, and of none for a token that is known", async () => {
    const onEvent = vi.fn();
    const { verify, issuer } = remembering({ onEvent });
    const token = mint();
    await verify(token);
    await verify(token);
    await verify(mint(claimsWith({ iss: "https://other.example.com" })));
    await verify(mint(claimsWith({ exp: start - 60 })));
    expect(onEvent.mock.calls.map(([event]) => event)).toMatchObject([
      { kind: "keys", issuer: issuer.url, outcome: "refreshed", keys: 1, cause: undefined },
      { kind: "verification", issuer: issuer.url, outcome: "valid" },
      { kind: "verification", issuer: undefined, outcome: "TOKEN_INVALID" },
      { kind: "verification", issuer: issuer.url, outcome: "TOKEN_EXPIRED" },
    ]);
  });

  it("tell how long a verification took, waiting for keys included", async () => {
    const onEvent = vi.fn();
    const { verify, issuer, clock } = remembering({ onEvent });
    const keys = issuer.jwks;
    issuer.jwks = async (signal) => {
      clock.advance(250);
      return await keys(signal);
    };
    await verify(mint());
    expect(onEvent).toHaveBeenLastCalledWith({
      kind: "verification",
      issuer: issuer.url,
      outcome: "valid",
      durationMs: 250,
    });
  });

  it("tell why published keys cannot be used, of ten of them at most", async () => {
    const onEvent = vi.fn();
    const { load, issuer } = remembering({ onEvent });
    const weak = mintWeakRsaKey("RS256", "k".repeat(200)).publicJwk;
    const { kid: _kid, ...nameless } = { ...key.publicJwk, d: "AA" };
    issuer.publish(key, weak, nameless);
    await load();
    expect(onEvent).toHaveBeenLastCalledWith(
      expect.objectContaining({
        keys: 1,
        unusable: [
          `${"k".repeat(100)}: has 1024 bits, where 2048 are needed`,
          "a key without a kid: is published with its secret part",
        ],
      }),
    );
    issuer.publish(...Array.from({ length: 12 }, () => nameless));
    await load();
    expect(onEvent.mock.lastCall?.[0].unusable).toHaveLength(10);
  });

  it("tell of keys that could not be fetched, and how long that took", async () => {
    const onEvent = vi.fn();
    const { verify, issuer, clock } = remembering({ onEvent });
    const body = json({ keys: [] });
    issuer.jwks = async (signal) => {
      clock.advance(250);
      return await (onEvent.mock.calls.length === 0 ? down(signal) : body(signal));
    };
    await verify(mint());
    clock.advance(5_000);
    await verify(mint());
    const keys = onEvent.mock.calls.map(([event]) => event).filter(({ kind }) => kind === "keys");
    expect(keys).toEqual([
      {
        kind: "keys",
        issuer: issuer.url,
        outcome: "failed",
        durationMs: 250,
        keys: 0,
        unusable: [],
        cause: `the keys of ${issuer.url} cannot be fetched (ECONNREFUSED)`,
      },
      {
        kind: "keys",
        issuer: issuer.url,
        outcome: "refreshed",
        durationMs: 250,
        keys: 0,
        unusable: [],
        cause: undefined,
      },
    ]);
  });
});
