// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { expect } from "vitest";
import type { Principal } from "../../../src/verification/principal.js";
import type { TokenRefusal } from "../../../src/verification/refusal.js";
import { createTrustedIssuer, type IssuerOptions } from "../../../src/verification/trusted-issuer.js";
import { createVerifiers, type Verifier, type VerifierOptions } from "../../../src/verification/verifier.js";
import { createFakeClock, type FakeClock, settle } from "../../support/fake-clock.js";
import {
  createIssuer,
  mintKey,
  signToken,
  type TestIssuer,
  type TestKey,
  type TokenPart,
} from "../../support/issuer.js";

export const issuerUrl = "https://login.example.com";
export const audience = "https://payment-service.internal";

/** The moment at which all tests of the verifier start, in seconds. */
export const start: number = Date.UTC(2026, 0, 1) / 1000;

/** The key that every issuer of these tests starts with. Minted once, a test file. */
export const key: TestKey = await mintKey("ES256", "key-1");

/** The claims of a good token, changed as a test needs; `undefined` leaves a claim out. */
export function claimsWith(changes: Readonly<Record<string, unknown>> = {}): Readonly<Record<string, unknown>> {
  return {
    iss: issuerUrl,
    aud: audience,
    sub: "order-service",
    client_id: "order-service",
    scope: "payments:read payments:write",
    iat: start,
    exp: start + 300,
    jti: "token-7",
    ...changes,
  };
}

/** The header of a good token, changed as a test needs; `undefined` leaves a parameter out. */
export function headerWith(changes: Readonly<Record<string, unknown>> = {}): Readonly<Record<string, unknown>> {
  return { alg: key.alg, kid: key.kid, typ: "at+jwt", ...changes };
}

/** A token signed with the key of these tests. */
export function mint(claims: TokenPart = claimsWith(), header: TokenPart = headerWith()): string {
  return signToken(key, header, claims);
}

/** A verifier, an issuer and a clock that belong together. */
export interface Bench {
  readonly issuer: TestIssuer;
  readonly clock: FakeClock;
  /** Verifies a token and makes sure that a refusal gives nothing of it away. */
  verify(token: string, wanted?: string): Promise<Principal | TokenRefusal>;
  /** What verifies tokens for an audience. */
  verifier(wanted?: string): Verifier;
  load(): Promise<void>;
  unready(): readonly string[];
}

/** What a test may change: by default, a verifier remembers no tokens. */
export interface BenchOptions extends Partial<Omit<VerifierOptions, "issuers">>, Partial<IssuerOptions> {
  readonly keys?: readonly TestKey[];
}

export function createBench(options: BenchOptions = {}): Bench {
  const { keys = [key], ...overrides } = options;
  const issuer = createIssuer(overrides.issuer ?? issuerUrl, ...keys);
  const clock = createFakeClock(start * 1000);
  const verifiers = createVerifiers({
    issuers: [createTrustedIssuer({ ...overrides, issuer: issuer.url })],
    clockToleranceMs: 5_000,
    maxCachedTokens: 0,
    timeoutMs: 10_000,
    fetch: issuer.fetch,
    clock,
    ...overrides,
  });
  const known = new Map<string, Verifier>();
  const verifier = (wanted = audience): Verifier => {
    const same = known.get(wanted) ?? verifiers.forAudience(wanted);
    known.set(wanted, same);
    return same;
  };
  return {
    issuer,
    clock,
    verifier,
    load: () => verifiers.load(),
    unready: () => verifiers.unready(),
    async verify(token, wanted) {
      const verdict = await verifier(wanted).verify(`Bearer ${token}`);
      if ("reason" in verdict) expectNothingOf(token, verdict);
      expect(JSON.stringify(issuer.requests.map(({ url, headers }) => [url, ...headers]))).not.toContain(token);
      return verdict;
    },
  };
}

/** Lets promises settle until something has come about. */
export async function until(condition: () => boolean): Promise<void> {
  for (let turns = 0; turns < 1_000 && !condition(); turns++) await settle();
  expect(condition()).toBe(true);
}

/** Makes sure that a refusal or an event shows no part of a token, neither encoded nor decoded. */
export function expectNothingOf(token: string, shown: unknown): void {
  const text = JSON.stringify(shown);
  // Shorter pieces, such as that of {}, are in every text.
  for (const part of token.split(/[^A-Za-z0-9_+/-]+/).filter((piece) => piece.length >= 8)) {
    expect(text).not.toContain(part);
    // Nor a piece as messages of parsers quote it.
    expect(text).not.toContain(part.slice(0, 16));
    expect(text).not.toContain(part.slice(-16));
    const quoted = pieces(Buffer.from(part, "base64url").toString()).find((piece) => text.includes(piece));
    expect(quoted).toBeUndefined();
  }
}

// A name such as that of the client may be in a text; a piece of JSON, with its quotation marks, may not.
function pieces(decoded: string): string[] {
  return Array.from({ length: Math.max(0, decoded.length - 11) }, (_, at) => decoded.slice(at, at + 12))
    .filter((piece) => piece.includes('"'))
    .map((piece) => JSON.stringify(piece).slice(1, -1));
}

/** The verdict on a token that is not what it should be. */
export function invalidBecause(cause: string): TokenRefusal {
  return { reason: "TOKEN_INVALID", cause };
}
