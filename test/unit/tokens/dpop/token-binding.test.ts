// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { inspect } from "node:util";
import { compactVerify, generateKeyPair, importJWK } from "jose";
import { describe, expect, it } from "vitest";
import { AccessToken } from "../../../../src/tokens/access-token.js";
import { generateDpopKey, toDpopKey } from "../../../../src/tokens/dpop/dpop-key.js";
import { createTokenBinder } from "../../../../src/tokens/dpop/token-binding.js";
import { createDpopVerifier } from "../../../../src/verification/dpop/dpop-verifier.js";
import { ath, transportWith } from "../../../support/dpop.js";
import { createFakeClock } from "../../../support/fake-clock.js";

const clock = createFakeClock(Date.UTC(2026, 0, 1) + 999);
const key = generateDpopKey();
const binder = createTokenBinder(key, clock);
const url = "https://payments.example.com/payment.v1.PaymentService/Charge?connect=v1#x";

interface Read {
  readonly header: Record<string, unknown>;
  readonly claims: Record<string, unknown>;
}

async function read(proof: string): Promise<Read> {
  const { protectedHeader, payload } = await compactVerify(proof, await importJWK(key.publicJwk, "ES256"));
  return { header: protectedHeader, claims: JSON.parse(new TextDecoder().decode(payload)) as Record<string, unknown> };
}

describe("a token binding", () => {
  it("makes the proof of RFC 9449 §4.2, and nothing more", async () => {
    const { header, claims } = await read(await binder.bind("token").prove({ method: "POST", url }));
    expect(header).toEqual({ typ: "dpop+jwt", alg: "ES256", jwk: key.publicJwk });
    expect(claims).toEqual({
      jti: expect.stringMatching(/^[0-9a-f-]{36}$/),
      htm: "POST",
      htu: "https://payments.example.com/payment.v1.PaymentService/Charge",
      iat: Date.UTC(2026, 0, 1) / 1000,
      ath: ath("token"),
    });
  });

  it("makes another proof each time", async () => {
    const binding = binder.bind("token");
    const proofs = await Promise.all(Array.from({ length: 10 }, () => binding.prove({ method: "POST", url })));
    const ids = await Promise.all(proofs.map(async (proof) => (await read(proof)).claims["jti"]));
    expect(new Set(ids).size).toBe(10);
  });

  it("has the last nonce of the origin, for all tokens of its source", async () => {
    const [one, two] = [binder.bind("one"), binder.bind("two")];
    one.noteNonce("https://nonces.test/a", "first");
    one.noteNonce("https://nonces.test:443/b", "second");
    const nonceAt = async (where: string): Promise<unknown> =>
      (await read(await two.prove({ method: "POST", url: where }))).claims["nonce"];
    expect(await nonceAt("https://nonces.test/x/Y")).toBe("second");
    expect(await nonceAt("https://nonces.test:8443/x/Y")).toBeUndefined();
    expect(await nonceAt("http://nonces.test/x/Y")).toBeUndefined();
  });

  it.each(["", "n".repeat(1_025)])("does not note a nonce of an odd length (case %#)", async (nonce) => {
    const binding = binder.bind("token");
    binding.noteNonce("https://odd.test/", "good");
    binding.noteNonce("https://odd.test/", nonce);
    expect((await read(await binding.prove({ method: "POST", url: "https://odd.test/" }))).claims["nonce"]).toBe(
      "good",
    );
  });

  it("keeps the nonces of the hundred servers that sent one last", async () => {
    const binding = createTokenBinder(key, clock).bind("token");
    for (let server = 0; server < 100; server += 1) binding.noteNonce(`https://s${server}.test`, `n${server}`);
    binding.noteNonce("https://s0.test", "again");
    binding.noteNonce("https://new.test", "new");
    const nonceOf = async (origin: string): Promise<unknown> =>
      (await read(await binding.prove({ method: "POST", url: origin }))).claims["nonce"];
    expect(await nonceOf("https://s0.test")).toBe("again");
    expect(await nonceOf("https://s1.test")).toBeUndefined();
    expect(await nonceOf("https://s2.test")).toBe("n2");
    expect(await nonceOf("https://new.test")).toBe("new");
  });

  it.each(["ES256", "ES384", "ES512", "RS256", "PS256", "Ed25519"])(
    "makes proofs with %s that a server takes",
    async (alg) => {
      const binding = createTokenBinder(toDpopKey(await generateKeyPair(alg)), clock).bind("token");
      const verifier = createDpopVerifier({ origin: "https://payments.example.com", clock, clockToleranceMs: 0 });
      const path = "/payment.v1.PaymentService/Charge";
      const transport = transportWith({ path, dpopProofs: [await binding.prove({ method: "POST", url })] });
      expect(await verifier.check({ token: "token", jkt: binding.thumbprint, transport })).toBeUndefined();
    },
  );

  it("shows neither token nor key", () => {
    const binding = binder.bind("s3cr3t-token");
    const shown = inspect([binding, binder], { showHidden: true, depth: Infinity, getters: true });
    expect(shown).not.toContain("s3cr3t");
    expect(shown).not.toMatch(/\bd: /);
    expect(JSON.stringify(binding)).toBe(JSON.stringify({ thumbprint: key.thumbprint }));
  });
});

describe("an access token that is bound to a key", () => {
  it("has the scheme DPoP, and proofs", () => {
    const binding = binder.bind("token");
    const token = new AccessToken("token", 0, 1, { dpop: binding });
    expect(token.scheme).toBe("DPoP");
    expect(token.authorization).toBe("DPoP token");
    expect(token.dpop).toBe(binding);
    expect(inspect(token, { showHidden: true, getters: true })).toBe(String(token));
  });

  it("is a bearer token otherwise", () => {
    const token = new AccessToken("token", 0, 1);
    expect(token.scheme).toBe("Bearer");
    expect(token.authorization).toBe("Bearer token");
    expect(token.dpop).toBeUndefined();
  });
});
