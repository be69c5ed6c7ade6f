// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { describe, expect, it, vi } from "vitest";
import { DiscoveryError } from "../../../../src/discovery/discovery-failure.js";
import type { Principal } from "../../../../src/verification/principal.js";
import type { TokenRefusal } from "../../../../src/verification/refusal.js";
import { settle } from "../../../support/fake-clock.js";
import {
  type Answer,
  down,
  encodePart,
  hold,
  json,
  mintKey,
  never,
  page,
  signToken,
  type TestIssuer,
  type TestKey,
} from "../../../support/issuer.js";
import {
  type Bench,
  claimsWith,
  createBench,
  headerWith,
  invalidBecause,
  issuerUrl,
  key,
  mint,
  start,
  until,
} from "../harness.js";

const order = { clientId: "order-service" };
const noKey = invalidBecause("no published key matches the token's kid and alg");
const badSignature = invalidBecause("the signature does not verify");

const secondKey = await mintKey("ES256", "key-2");
const namesake = await mintKey("ES256", key.kid);
const rsaKey = await mintKey("RS256", "rsa");

/** Good for as long as a test runs. */
const longClaims = claimsWith({ exp: start + 86_400 });
const token = mint(longClaims);

function mintWith(signer: TestKey): string {
  return signToken(signer, headerWith({ alg: signer.alg, kid: signer.kid }), longClaims);
}

/** A token whose key nobody knows; a different one for each number. */
function unknownToken(number = 0): string {
  return mint(longClaims, headerWith({ kid: `unknown-${number}` }));
}

function unavailable(cause: string): TokenRefusal {
  return { reason: "AUTHORIZATION_SERVER_UNAVAILABLE", cause, retryAfterMs: 5_000 };
}

const keysRefused = unavailable(`the keys of ${issuerUrl} cannot be fetched (ECONNREFUSED)`);
const issuerRefused = unavailable(`${issuerUrl} cannot be reached (ECONNREFUSED)`);

/** Verifies many tokens at once and returns the verdicts that differ. */
async function verifyAll(bench: Bench, tokens: readonly string[]): Promise<(Principal | TokenRefusal)[]> {
  const verdicts = await Promise.all(tokens.map((each) => bench.verify(each)));
  return verdicts.filter(
    (verdict, at) => verdicts.findIndex((other) => JSON.stringify(other) === JSON.stringify(verdict)) === at,
  );
}

const times = <T>(count: number, make: (number: number) => T): T[] =>
  Array.from({ length: count }, (_, at) => make(at));

const forms: readonly (readonly [string, "discovery" | "jwks", TokenRefusal])[] = [
  ["discovery", "discovery", issuerRefused],
  ["the keys", "jwks", keysRefused],
];

describe("the keys of an issuer", () => {
  it("are fetched once for many tokens, with the metadata", async () => {
    const bench = createBench();
    expect(
      await verifyAll(
        bench,
        times(50, () => token),
      ),
    ).toMatchObject([order]);
    expect(await bench.verify(token)).toMatchObject(order);
    expect(bench.issuer.counts).toEqual({ discovery: 1, jwks: 1, other: 0 });
  });

  it("are fetched once for many tokens that arrive while they are on their way", async () => {
    const bench = createBench();
    const held = hold(bench.issuer.jwks);
    bench.issuer.jwks = held.answer;
    const first = verifyAll(
      bench,
      times(20, () => token),
    );
    await settle();
    const second = verifyAll(bench, [...times(20, () => token), unknownToken()]);
    await settle();
    held.release();
    expect(await first).toMatchObject([order]);
    expect(await second).toMatchObject([order, noKey]);
    expect(bench.issuer.counts).toEqual({ discovery: 1, jwks: 1, other: 0 });
  });

  it("are never fetched from where a redirect leads", async () => {
    const { verify, issuer } = createBench();
    await verify(token);
    expect(issuer.requests.map(({ redirect }) => redirect)).toEqual(["manual", "manual"]);
  });

  it("are found by kid", async () => {
    const { verify } = createBench({ keys: [key, secondKey, rsaKey] });
    expect(await verify(token)).toMatchObject(order);
    expect(await verify(mintWith(secondKey))).toMatchObject(order);
    expect(await verify(mintWith(rsaKey))).toMatchObject(order);
    const swapped = signToken(secondKey, headerWith({ kid: key.kid }), longClaims);
    expect(await verify(swapped)).toEqual(badSignature);
  });

  it("are all tried where several have one kid", async () => {
    const { verify } = createBench({ keys: [key, namesake] });
    expect(await verify(mintWith(key))).toMatchObject(order);
    expect(await verify(mintWith(namesake))).toMatchObject(order);
    expect(await verify(signToken(secondKey, headerWith(), longClaims))).toEqual(badSignature);
  });

  it("are all tried where the token names none", async () => {
    const { verify } = createBench({ keys: [key, secondKey] });
    const header = headerWith({ kid: undefined });
    expect(await verify(signToken(secondKey, header, longClaims))).toMatchObject(order);
    expect(await verify(signToken(namesake, header, longClaims))).toEqual(badSignature);
  });

  it.each([
    ["is for encryption", { use: "enc" }],
    ["is for other operations", { key_ops: ["sign"] }],
  ])("do not count where one %s", async (_, changes) => {
    const { verify, issuer } = createBench();
    issuer.publish({ ...key.publicJwk, ...changes });
    expect(await verify(token)).toEqual(noKey);
  });

  it("do not count where the issuer publishes a private one", async () => {
    const { verify, issuer } = createBench();
    issuer.publish({ ...key.privateKey.export({ format: "jwk" }), kid: key.kid });
    expect(await verify(token)).toEqual(noKey);
  });
});

describe("a published key that cannot be imported", () => {
  const { y: _, ...halfAKey } = key.publicJwk;
  const broken = [
    ["lacks a part", { ...halfAKey, kid: "broken" }],
    [
      "is no point of its curve",
      { ...key.publicJwk, y: encodePart("not a coordinate of this point.."), kid: "broken" },
    ],
  ] as const;

  it.each(broken)("refuses its tokens, and no other, where it %s", async (_, jwk) => {
    const { verify, issuer } = createBench();
    issuer.publish(key, jwk);
    expect(await verify(mint(longClaims, headerWith({ kid: "broken" })))).toEqual(noKey);
    expect(await verify(token)).toMatchObject(order);
    expect(issuer.counts).toEqual({ discovery: 1, jwks: 1, other: 0 });
  });

  it.each(broken)("is passed over among several of one kid where it %s", async (_, jwk) => {
    const { verify, issuer } = createBench();
    issuer.publish({ ...jwk, kid: key.kid }, key);
    expect(await verify(token)).toMatchObject(order);
    expect(await verify(mintWith(namesake))).toEqual(badSignature);
  });

  it("does not count where there are several of one kid and none can be imported", async () => {
    const { verify, issuer } = createBench();
    issuer.publish(...broken.map(([, jwk]) => ({ ...jwk, kid: key.kid })));
    expect(await verify(token)).toEqual(noKey);
  });
});

describe("an unknown key", () => {
  it("has the keys fetched anew, but not within 30 seconds of the last time", async () => {
    const { verify, issuer, clock } = createBench();
    await verify(token);
    clock.advance(29_999);
    expect(await verify(unknownToken())).toEqual(noKey);
    expect(issuer.counts.jwks).toBe(1);
    clock.advance(1);
    expect(await verify(unknownToken())).toEqual(noKey);
    expect(issuer.counts).toEqual({ discovery: 1, jwks: 2, other: 0 });
  });

  it("has the keys fetched once, however many tokens name one", async () => {
    const bench = createBench();
    await bench.verify(token);
    bench.clock.advance(30_000);
    expect(await verifyAll(bench, times(20, unknownToken))).toEqual([noKey]);
    for (const number of times(20, (at) => 100 + at)) expect(await bench.verify(unknownToken(number))).toEqual(noKey);
    expect(bench.issuer.counts.jwks).toBe(2);
  });

  it("is found after a rotation, and the withdrawn one no longer", async () => {
    const { verify, issuer, clock } = createBench();
    await verify(token);
    issuer.publish(secondKey);
    clock.advance(30_000);
    expect(await verify(token)).toMatchObject(order);
    expect(issuer.counts.jwks).toBe(1);
    expect(await verify(mintWith(secondKey))).toMatchObject(order);
    expect(issuer.counts.jwks).toBe(2);
    expect(await verify(token)).toEqual(noKey);
  });

  it("does not have the keys fetched for a known kid with a bad signature", async () => {
    const { verify, issuer, clock } = createBench();
    await verify(token);
    clock.advance(30_000);
    expect(await verify(mintWith(namesake))).toEqual(badSignature);
    expect(issuer.counts.jwks).toBe(1);
  });

  it("is not called unknown while nobody can say", async () => {
    const { verify, issuer, clock } = createBench();
    await verify(token);
    issuer.jwks = down;
    clock.advance(30_000);
    expect(await verify(unknownToken())).toEqual(keysRefused);
  });

  it("takes nobody's good token away while the keys cannot be fetched", async () => {
    const { verify, issuer, clock } = createBench();
    await verify(token);
    issuer.jwks = down;
    clock.advance(30_000);
    await verify(unknownToken());
    expect(await verify(token)).toMatchObject(order);
  });

  it("is fetched although the clock was set back", async () => {
    const { verify, issuer, clock } = createBench();
    await verify(token);
    issuer.publish(secondKey);
    clock.jump(-3_600_000);
    const early = signToken(secondKey, headerWith({ kid: secondKey.kid }), claimsWith({ iat: undefined }));
    expect(await verify(early)).toMatchObject(order);
  });
});

describe("what a published key says of itself", () => {
  it.each([
    ["nothing", { use: undefined, alg: undefined }],
    ["that it verifies", { use: undefined, key_ops: ["verify"] }],
  ])("lets it be used where it says %s", async (_, changes) => {
    const { verify, issuer } = createBench();
    issuer.publish({ ...key.publicJwk, ...changes } as unknown as TestKey["publicJwk"]);
    expect(await verify(token)).toMatchObject(order);
  });

  it.each([
    ["for encryption", { use: "enc" }],
    ["for another operation", { use: undefined, key_ops: ["deriveBits"] }],
    ["for no operation", { use: undefined, key_ops: [] }],
    ["for operations that are no list", { use: undefined, key_ops: "verify" }],
    ["for another algorithm", { alg: "ES384" }],
  ])("keeps it from being used where it is %s", async (_, changes) => {
    const { verify, issuer } = createBench();
    issuer.publish({ ...key.publicJwk, ...changes } as unknown as TestKey["publicJwk"]);
    expect(await verify(token)).toEqual(noKey);
  });

  it("lets 16 keys be tried for a token without a kid, and not one more", async () => {
    const others = await Promise.all(times(16, (number) => mintKey("ES256", `other-${number}`)));
    const nameless = mint(longClaims, headerWith({ kid: undefined }));
    const { verify, issuer, load } = createBench();
    issuer.publish(...others.slice(1), key);
    expect(await verify(nameless)).toMatchObject(order);
    issuer.publish(...others, key);
    await load();
    expect(await verify(nameless)).toEqual(invalidBecause("too many published keys match; tokens need a kid"));
    expect(await verify(token)).toMatchObject(order);
  });
});

describe("keys after a quiet spell", () => {
  const minute = 60_000;

  it("are waited for, so that a withdrawn one is not believed by the first call", async () => {
    const { verify, issuer, clock } = createBench();
    expect(await verify(token)).toMatchObject(order);
    issuer.publish(secondKey);
    clock.advance(20 * minute);
    expect(await verify(token)).toEqual(noKey);
    expect(await verify(mintWith(secondKey))).toMatchObject(order);
  });

  it("are waited for for a second at most, and in no outage", async () => {
    const { verify, verifier, issuer, clock } = createBench();
    expect(await verify(token)).toMatchObject(order);
    const held = hold(down);
    issuer.jwks = held.answer;
    clock.advance(20 * minute);
    const waiting = verifier().verify(`Bearer ${token}`);
    await settle();
    clock.advance(1_000);
    expect(await waiting).toMatchObject(order);
    held.release();
    await settle();
    expect(await verify(token)).toMatchObject(order);
    expect(issuer.counts.jwks).toBe(2);
  });

  it("count as old by whichever clock says so", async () => {
    const { verify, issuer, clock } = createBench();
    expect(await verify(token)).toMatchObject(order);
    issuer.publish(secondKey);
    clock.advance(10 * minute);
    clock.jump(-9 * minute);
    expect(await verify(token)).toMatchObject(order);
    await settle();
    expect(issuer.counts.jwks).toBe(2);
    expect(await verify(token)).toEqual(noKey);
  });
});

describe("a key that is newer than ours", () => {
  it("is found by every token that comes while somebody looks for another one", async () => {
    const bench = createBench();
    await bench.load();
    bench.issuer.publish(key, secondKey);
    const held = hold(bench.issuer.jwks);
    bench.issuer.jwks = held.answer;
    const verdicts = Promise.all([bench.verify(unknownToken()), bench.verify(mintWith(secondKey))]);
    await settle();
    held.release();
    expect(await verdicts).toEqual([noKey, expect.objectContaining(order)]);
    expect(bench.issuer.counts.jwks).toBe(2);
  });

  it("is not called unknown after a look that failed, and found once the keys are there", async () => {
    const { load, verify, issuer, clock } = createBench();
    await load();
    issuer.jwks = down;
    expect(await verify(mintWith(secondKey))).toEqual(keysRefused);
    expect(await verify(mintWith(secondKey))).toEqual(keysRefused);
    issuer.publish(key, secondKey);
    clock.advance(5_000);
    expect(await verify(mintWith(secondKey))).toMatchObject(order);
  });

  it("is found at once, also right after the start", async () => {
    const { load, verify, issuer } = createBench();
    await load();
    issuer.publish(key, secondKey);
    expect(await verify(mintWith(secondKey))).toMatchObject(order);
    expect(issuer.counts.jwks).toBe(2);
  });

  it("is looked for once in 30 seconds, whoever makes keys up", async () => {
    const { load, verify, issuer, clock } = createBench();
    await load();
    for (let number = 0; number < 100; number++) expect(await verify(unknownToken(number))).toEqual(noKey);
    issuer.publish(key, secondKey);
    clock.advance(30_000 - 1);
    expect(await verify(mintWith(secondKey))).toEqual(noKey);
    expect(issuer.counts.jwks).toBe(2);
    clock.advance(1);
    expect(await verify(mintWith(secondKey))).toMatchObject(order);
    expect(issuer.counts.jwks).toBe(3);
  });
});

describe("the age of keys", () => {
  it("has them fetched anew after 10 minutes, so that a withdrawn one is noticed", async () => {
    const { verify, issuer, clock } = createBench();
    await verify(token);
    issuer.publish(secondKey);
    clock.advance(599_999);
    expect(await verify(token)).toMatchObject(order);
    expect(issuer.counts.jwks).toBe(1);
    clock.advance(1);
    // The call that has them fetched does not wait for them.
    expect(await verify(token)).toMatchObject(order);
    await settle();
    expect(await verify(token)).toEqual(noKey);
    // The first token of the withdrawn key has them looked for once more, the others do not.
    expect(await verify(token)).toEqual(noKey);
    expect(issuer.counts).toEqual({ discovery: 1, jwks: 3, other: 0 });
  });

  it("counts from the last time that they were fetched", async () => {
    const { verify, issuer, clock } = createBench();
    await verify(token);
    clock.advance(600_000);
    await verify(token);
    clock.advance(599_999);
    expect(await verify(token)).toMatchObject(order);
    expect(issuer.counts.jwks).toBe(2);
  });

  it("lets the last good ones do for an hour while they cannot be fetched", async () => {
    const { verify, issuer, clock } = createBench();
    await verify(token);
    issuer.jwks = down;
    clock.advance(600_000);
    expect(await verify(token)).toMatchObject(order);
    clock.advance(2_999_999);
    expect(await verify(token)).toMatchObject(order);
    await settle();
    clock.advance(1);
    expect(await verify(token)).toEqual(keysRefused);
    issuer.publish(key);
    clock.advance(5_000);
    expect(await verify(token)).toMatchObject(order);
  });

  it("costs one request in 5 seconds while they cannot be fetched", async () => {
    const bench = createBench();
    await bench.verify(token);
    bench.issuer.jwks = down;
    bench.clock.advance(600_000);
    expect(
      await verifyAll(
        bench,
        times(20, () => token),
      ),
    ).toMatchObject([order]);
    expect(bench.issuer.counts.jwks).toBe(2);
    bench.clock.advance(4_999);
    expect(
      await verifyAll(
        bench,
        times(20, () => token),
      ),
    ).toMatchObject([order]);
    await settle();
    expect(bench.issuer.counts.jwks).toBe(2);
    bench.clock.advance(1);
    expect(
      await verifyAll(
        bench,
        times(20, () => token),
      ),
    ).toMatchObject([order]);
    await settle();
    expect(bench.issuer.counts.jwks).toBe(3);
  });

  it("has them fetched behind the callers again once an outage is over", async () => {
    const { verify, issuer, clock } = createBench();
    await verify(token);
    issuer.jwks = down;
    clock.advance(600_000);
    await verify(token);
    issuer.publish(key);
    clock.advance(5_000);
    await verify(token);
    await settle();
    issuer.publish(secondKey);
    clock.advance(600_000);
    expect(await verify(token)).toMatchObject(order);
    await settle();
    expect(await verify(token)).toEqual(noKey);
  });

  it("has nobody wait for them in an outage", async () => {
    const { verify, issuer, clock } = createBench();
    await verify(token);
    issuer.jwks = down;
    clock.advance(600_000);
    await verify(token);
    const held = hold(json({ keys: [secondKey.publicJwk] }));
    issuer.jwks = held.answer;
    clock.advance(5_000);
    expect(await verify(token)).toMatchObject(order);
    expect(issuer.counts.jwks).toBe(3);
    held.release();
    await settle();
    expect(await verify(token)).toEqual(noKey);
    expect(await verify(mintWith(secondKey))).toMatchObject(order);
    expect(issuer.counts.jwks).toBe(4);
  });
});

describe.each(forms)("%s that cannot be had", (_, what, refusal) => {
  it("is an outage and no bad token", async () => {
    const { verify, issuer } = createBench();
    issuer[what] = down;
    expect(await verify(token)).toEqual(refusal);
    expect(await verify(mintWith(namesake))).toEqual(refusal);
  });

  it("is asked for once in 5 seconds, however many tokens arrive", async () => {
    const bench = createBench();
    bench.issuer[what] = down;
    expect(await verifyAll(bench, times(20, unknownToken))).toEqual([refusal]);
    for (const number of times(20, (at) => 100 + at)) expect(await bench.verify(unknownToken(number))).toEqual(refusal);
    expect(bench.issuer.counts[what]).toBe(1);
    bench.clock.advance(4_999);
    expect(
      await verifyAll(
        bench,
        times(20, () => token),
      ),
    ).toEqual([refusal]);
    expect(bench.issuer.counts[what]).toBe(1);
    bench.clock.advance(1);
    expect(
      await verifyAll(
        bench,
        times(20, () => token),
      ),
    ).toEqual([refusal]);
    expect(bench.issuer.counts[what]).toBe(2);
  });

  it("is not asked for a second time at once where the failure takes its time", async () => {
    const bench = createBench();
    const held = hold(down);
    bench.issuer[what] = held.answer;
    const verdicts = verifyAll(
      bench,
      times(5, () => token),
    );
    await until(() => bench.issuer.counts[what] === 1);
    bench.clock.advance(9_000);
    held.release();
    expect(await verdicts).toEqual([refusal]);
    bench.clock.advance(4_999);
    expect(await bench.verify(token)).toEqual(refusal);
    expect(bench.issuer.counts[what]).toBe(1);
  });

  it("comes back by itself", async () => {
    const { verify, issuer, clock } = createBench();
    const good = issuer[what];
    issuer[what] = down;
    await verify(token);
    issuer[what] = good;
    clock.advance(4_999);
    expect(await verify(token)).toEqual(refusal);
    clock.advance(1);
    expect(await verify(token)).toMatchObject(order);
  });

  it("comes back although the clock was set back", async () => {
    const { verify, issuer, clock } = createBench();
    const good = issuer[what];
    issuer[what] = down;
    await verify(token);
    issuer[what] = good;
    clock.jump(-3_600_000);
    expect(await verify(mint(claimsWith({ iat: undefined })))).toMatchObject(order);
  });
});

describe("an answer that is none", () => {
  const notFetched = (reason: string): TokenRefusal =>
    unavailable(`the keys of ${issuerUrl} cannot be fetched (${reason})`);

  it.each<readonly [string, Answer, string]>([
    ["an error", page(500), "ERR_JOSE_GENERIC"],
    ["not found", page(404), "ERR_JOSE_GENERIC"],
    ["a redirect", page(302), "ERR_JOSE_GENERIC"],
    ["a page", page(200), "ERR_JOSE_GENERIC"],
    ["no key set", json({ error: "maintenance" }), "ERR_JWKS_INVALID"],
    ["a list", json([]), "ERR_JWKS_INVALID"],
    ["a key set of no keys", json({ keys: ["key-1"] }), "ERR_JWKS_INVALID"],
  ])("counts as an outage of the keys: %s", async (_, answer, reason) => {
    const { verify, issuer } = createBench();
    issuer.jwks = answer;
    expect(await verify(token)).toEqual(notFetched(reason));
    expect(issuer.counts.jwks).toBe(1);
  });

  it.each<readonly [string, Answer, string]>([
    ["an error", page(500), `discovery at ${issuerUrl} was answered with HTTP 500`],
    ["not found", page(404), `discovery at ${issuerUrl} was answered with HTTP 404`],
    ["a redirect", page(302), `discovery at ${issuerUrl} was answered with HTTP 302`],
    ["a page", page(200), `discovery at ${issuerUrl} was answered with no metadata (OAUTH_RESPONSE_IS_NOT_JSON)`],
  ])("counts as an outage of discovery: %s", async (_, answer, cause) => {
    const { verify, issuer } = createBench();
    issuer.discovery = answer;
    expect(await verify(token)).toEqual(unavailable(cause));
    expect(issuer.counts).toEqual({ discovery: 1, jwks: 0, other: 0 });
  });

  it.each<readonly ["discovery" | "jwks", string]>([
    ["discovery", `${issuerUrl} cannot be reached (timed out)`],
    ["jwks", `the keys of ${issuerUrl} cannot be fetched (ERR_JWKS_TIMEOUT)`],
  ])("counts as an outage where the time of the options is over: %s", async (what, cause) => {
    const timeouts: { readonly ms: number; readonly controller: AbortController }[] = [];
    vi.spyOn(AbortSignal, "timeout").mockImplementation((ms) => {
      const controller = new AbortController();
      timeouts.push({ ms, controller });
      return controller.signal;
    });
    const { verify, issuer } = createBench({ timeoutMs: 1_500 });
    issuer[what] = never;
    const verdict = verify(token);
    await until(() => issuer.counts[what] === 1);
    expect(timeouts.at(-1)?.ms).toBe(1_500);
    timeouts.at(-1)?.controller.abort(new DOMException("The operation timed out", "TimeoutError"));
    expect(await verdict).toEqual(unavailable(cause));
  });
});

describe("the time of the options", () => {
  it.each([0.5, 1, 999.9, 1_001, 1_500.5, 4_000_000_000_000])(
    "may be any number of milliseconds: %d",
    async (timeoutMs) => {
      // Time stands still: no time-out is over before the issuer answers.
      const timeout = vi.spyOn(AbortSignal, "timeout").mockImplementation(() => new AbortController().signal);
      const { verify, issuer } = createBench({ timeoutMs });
      expect(await verify(token)).toMatchObject(order);
      expect(issuer.counts).toEqual({ discovery: 1, jwks: 1, other: 0 });
      for (const [ms] of timeout.mock.calls) {
        expect(Number.isInteger(ms)).toBe(true);
        expect(ms).toBeLessThan(2 ** 31);
        expect(ms).toBeGreaterThanOrEqual(Math.min(timeoutMs, 2_147_483_000));
      }
      expect(timeout).toHaveBeenCalledTimes(2);
    },
  );
});

describe("the metadata", () => {
  const metadata = (changes: Readonly<Record<string, unknown>>): Answer =>
    json({ issuer: issuerUrl, jwks_uri: `${issuerUrl}/keys`, ...changes });

  it.each<readonly [string, string, (issuer: TestIssuer) => Answer]>([
    [
      "another issuer",
      `discovery at ${issuerUrl} describes another issuer`,
      () => metadata({ issuer: "https://evil.example.com" }),
    ],
    [
      "the issuer with a slash more",
      `the authorization server at ${issuerUrl} calls itself ${issuerUrl}/; configure exactly that issuer`,
      () => metadata({ issuer: `${issuerUrl}/` }),
    ],
    ["no jwks_uri", `the metadata of ${issuerUrl} names no jwks_uri`, () => metadata({ jwks_uri: undefined })],
    ["a jwks_uri that is null", `the metadata of ${issuerUrl} names no jwks_uri`, () => metadata({ jwks_uri: null })],
    ["a jwks_uri that is a path", `the metadata of ${issuerUrl} names no jwks_uri`, () => metadata({ jwks_uri: "/k" })],
    [
      "a jwks_uri that is plain http",
      `the jwks_uri of ${issuerUrl} is plain http; that is allowed for issuers on loopback only`,
      ({ jwksUri }) => metadata({ jwks_uri: jwksUri.replace("https:", "http:") }),
    ],
    [
      "a jwks_uri on loopback, where the issuer has TLS",
      `the jwks_uri of ${issuerUrl} is plain http; that is allowed for issuers on loopback only`,
      () => metadata({ jwks_uri: "http://localhost/keys" }),
    ],
    [
      "a jwks_uri that only looks like loopback",
      `the jwks_uri of ${issuerUrl} is plain http; that is allowed for issuers on loopback only`,
      () => metadata({ jwks_uri: "http://localhost.example.com/keys" }),
    ],
  ])("with %s is refused, and no key is asked for", async (_, cause, answer) => {
    const { verify, load, issuer } = createBench();
    issuer.discovery = answer(issuer);
    expect(await verify(token)).toEqual(unavailable(cause));
    await expect(load()).rejects.toMatchObject({ kind: "refused", message: cause });
    expect(issuer.counts).toEqual({ discovery: 2, jwks: 0, other: 0 });
  });

  it("may name plain http on this machine", async () => {
    const bench = createBench({ issuer: "http://127.0.0.1:4444" });
    const local = mint(claimsWith({ iss: bench.issuer.url }));
    expect(await bench.verify(local)).toMatchObject(order);
    expect(bench.issuer.requests.map(({ url }) => url)).toEqual([
      "http://127.0.0.1:4444/.well-known/openid-configuration",
      "http://127.0.0.1:4444/keys",
    ]);
  });

  it("is that of the issuer's path", async () => {
    const bench = createBench({ issuer: "https://login.example.com/realms/mesh" });
    const realm = mint(claimsWith({ iss: bench.issuer.url }));
    expect(await bench.verify(realm)).toMatchObject(order);
    expect(bench.issuer.requests.map(({ url }) => url)).toEqual([
      "https://login.example.com/realms/mesh/.well-known/openid-configuration",
      "https://login.example.com/keys",
    ]);
  });

  it("is that of an issuer with a slash at its end", async () => {
    const bench = createBench({ issuer: `${issuerUrl}/` });
    expect(await bench.verify(mint(claimsWith({ iss: `${issuerUrl}/` })))).toMatchObject(order);
    expect(bench.issuer.counts).toEqual({ discovery: 1, jwks: 1, other: 0 });
  });
});

describe("load", () => {
  it("fetches metadata and keys, so that the first token need not wait", async () => {
    const { load, verify, issuer } = createBench();
    expect(await load()).toBeUndefined();
    expect(issuer.counts).toEqual({ discovery: 1, jwks: 1, other: 0 });
    issuer.discovery = down;
    issuer.jwks = down;
    expect(await verify(token)).toMatchObject(order);
  });

  it("fetches the keys anew whenever it is called", async () => {
    const { load, verify, issuer } = createBench();
    await load();
    issuer.publish(secondKey);
    await load();
    expect(issuer.counts).toEqual({ discovery: 1, jwks: 2, other: 0 });
    expect(await verify(mintWith(secondKey))).toMatchObject(order);
  });

  it.each<readonly [string, "discovery" | "jwks", Answer, "unreachable" | "refused", string]>([
    ["no network", "discovery", down, "unreachable", `${issuerUrl} cannot be reached (ECONNREFUSED)`],
    ["an error", "discovery", page(503), "unreachable", `discovery at ${issuerUrl} was answered with HTTP 503`],
    ["not found", "discovery", page(404), "refused", `discovery at ${issuerUrl} was answered with HTTP 404`],
    ["no keys", "jwks", down, "unreachable", `the keys of ${issuerUrl} cannot be fetched (ECONNREFUSED)`],
    ["a page", "jwks", page(200), "unreachable", `the keys of ${issuerUrl} cannot be fetched (ERR_JOSE_GENERIC)`],
  ])("throws a DiscoveryError for %s", async (_, what, answer, kind, message) => {
    const { load, issuer } = createBench();
    issuer[what] = answer;
    const error: unknown = await load().catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(DiscoveryError);
    expect(error).toMatchObject({ kind, message, code: "ERR_MESHAUTH_DISCOVERY" });
  });

  it("asks again at once, and opens the way for tokens", async () => {
    const { load, verify, issuer } = createBench();
    issuer.jwks = down;
    await expect(load()).rejects.toThrow(DiscoveryError);
    issuer.publish(key);
    expect(await verify(token)).toEqual(keysRefused);
    await load();
    expect(await verify(token)).toMatchObject(order);
  });

  it("does not forget good keys where it fails", async () => {
    const { load, verify, issuer } = createBench();
    await load();
    issuer.jwks = down;
    await expect(load()).rejects.toThrow(DiscoveryError);
    expect(await verify(token)).toMatchObject(order);
  });
});
