// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { createSecretKey } from "node:crypto";
import { exportJWK } from "jose";
import { describe, expect, it } from "vitest";
import { createDpopVerifier } from "../../../../src/verification/dpop/dpop-verifier.js";
import { createMemoryReplayStore } from "../../../../src/verification/dpop/memory-replay-store.js";
import { createNonceSource } from "../../../../src/verification/dpop/nonce-source.js";
import type { ReplayStore } from "../../../../src/verification/dpop/replay-store.js";
import { ath, mintProof, mintProofKey, type ProofChanges, toProofKey } from "../../../support/dpop.js";
import { createFakeClock } from "../../../support/fake-clock.js";
import { encodePart, hmacToken, mintKey, mintWeakRsaKey, signToken } from "../../../support/issuer.js";
import { createDpopBench, invalidProof, key, origin, path, token } from "./dpop-bench.js";

const bench = createDpopBench();
const other = await mintProofKey();
const goodHeader = { typ: "dpop+jwt", alg: "ES256", jwk: key.jwk };
const goodClaims = (): Record<string, unknown> => ({
  jti: crypto.randomUUID(),
  htm: "POST",
  htu: origin + path,
  iat: bench.now(),
  ath: ath(token),
});

describe("a DPoP proof", () => {
  it.each(["ES256", "ES384", "ES512", "RS256", "PS256", "EdDSA", "Ed25519"])("signed with %s does", async (alg) => {
    const signer = await toProofKey({ ...(await mintKey(alg, "proof")), alg });
    expect(await bench.check(bench.mint({}, signer), { jkt: signer.jkt })).toBeUndefined();
  });

  it("does with members that nobody reads", async () => {
    const jwk = { ...key.jwk, kid: "x", use: "sig", alg: "ES256", key_ops: ["verify"] };
    const header = { kid: "k", x5u: "https://attacker.test", jku: "https://attacker.test", jwk };
    expect(await bench.check(bench.mint({ header, claims: { nonce: "n", exp: 1 } }))).toBeUndefined();
  });

  it("does for a GET of the same path, with another query", async () => {
    const proof = bench.mint({ claims: { htm: "GET", htu: `${origin}${path}?connect=v1#end` } });
    expect(await bench.check(proof, { transport: { httpMethod: "GET" } })).toBeUndefined();
  });

  it("does for each of several origins", async () => {
    const { check, mint } = createDpopBench({ origin: [origin, "http://payments.internal:8080"] });
    for (const each of [origin, "http://payments.internal:8080"]) {
      expect(await check(mint({ claims: { htu: each + path } }))).toBeUndefined();
    }
    expect(await check(mint({ claims: { htu: `http://payments.internal${path}` } }))).toEqual(
      invalidProof("the DPoP proof is for another target URI"),
    );
  });
});

describe("the header of a call with a bound token", () => {
  it("has to be there", async () => {
    expect(await bench.check([])).toEqual(invalidProof("the call has no DPoP header"));
  });

  it("has to be there once, however good both are", async () => {
    expect(await bench.check([bench.mint(), bench.mint()])).toEqual(
      invalidProof("the call has more than one DPoP header"),
    );
  });

  it("cannot be judged where nothing is known of the request", async () => {
    const verifier = createDpopVerifier({ origin, clock: createFakeClock(), clockToleranceMs: 0 });
    expect(await verifier.check({ token, jkt: key.jkt, transport: undefined })).toEqual(
      invalidProof("nothing is known of the request that a proof is for"),
    );
  });

  it.each<[string, string, string]>([
    [
      "two proofs in one line",
      `${bench.mint()}, ${bench.mint()}`,
      "is not a JWT: the proof is not a JWT of three parts",
    ],
    ["nothing", "", "is not a JWT: the proof is not a JWT of three parts"],
    ["no JSON", `${encodePart("{")}.${encodePart({})}.AA`, "is not a JWT: the proof's header is not a JSON object"],
    [
      "a list",
      `${encodePart(goodHeader)}.${encodePart("[]")}.AA`,
      "is not a JWT: the proof's payload is not a JSON object",
    ],
    ["padding", `${bench.mint()}=`, "is not a JWT: the proof's signature is not base64url"],
    ["blank space around it", ` ${bench.mint()}`, "is not a JWT: the proof's header is not base64url"],
    ["8,193 characters", "a".repeat(8_193), "is longer than 8192 characters"],
    ["8,192 characters", "a".repeat(8_192), "is not a JWT: the proof is not a JWT of three parts"],
  ])("must not be %s", async (_, proof, problem) => {
    expect(await bench.check(proof)).toEqual(invalidProof(`the DPoP proof ${problem}`));
  });

  it("must not be a JWT in the flattened or the general form", async () => {
    const [header = "", payload = "", signature = ""] = bench.mint().split(".");
    const json = JSON.stringify({ protected: header, payload, signature });
    expect(await bench.check(json)).toMatchObject({ reason: "DPOP_PROOF_INVALID" });
  });
});

describe("the JOSE header of a proof", () => {
  const algs = "ES256, ES384, ES512, RS256, PS256, EdDSA, Ed25519";

  it.each<[string, Record<string, unknown>, string]>([
    ["no typ", { typ: undefined }, "has a typ that is not dpop+jwt"],
    ["the typ of an access token", { typ: "at+jwt" }, "has a typ that is not dpop+jwt"],
    ["another spelling of its typ", { typ: "DPoP+JWT" }, "has a typ that is not dpop+jwt"],
    ["the long form of its typ", { typ: "application/dpop+jwt" }, "has a typ that is not dpop+jwt"],
    ["no alg", { alg: undefined }, `has an alg that is not ${algs}`],
    ["alg none", { alg: "none" }, `has an alg that is not ${algs}`],
    ["alg None", { alg: "None" }, `has an alg that is not ${algs}`],
    ["alg HS256", { alg: "HS256" }, `has an alg that is not ${algs}`],
    ["an alg that is not allowed by default", { alg: "RS384" }, `has an alg that is not ${algs}`],
    ["a list of algs", { alg: ["ES256"] }, `has an alg that is not ${algs}`],
    ["a crit", { crit: ["exp"] }, "has a crit"],
    ["an empty crit", { crit: [] }, "has a crit"],
    ["b64 false, critically", { crit: ["b64"], b64: false }, "has a crit"],
    ["no jwk", { jwk: undefined }, "has no jwk"],
    ["a jwk that is null", { jwk: null }, "has no jwk"],
    ["a jwk that is a text", { jwk: "key" }, "has no jwk"],
    ["a jwk that is a list", { jwk: [key.jwk] }, "has no jwk"],
    ["a symmetric jwk", { jwk: { kty: "oct", k: "c2VjcmV0" } }, "has a jwk with a secret part"],
    ["a jwk of kty oct", { jwk: { kty: "oct" } }, "has a jwk that is not of the type EC"],
    ["a jwk of another type", { jwk: { ...key.jwk, kty: "RSA" } }, "has a jwk that is not of the type EC"],
    ["a jwk on another curve", { jwk: { ...key.jwk, crv: "P-384" } }, "has a jwk that is not on P-256"],
    ["a jwk on secp256k1", { jwk: { ...key.jwk, crv: "secp256k1" } }, "has a jwk that is not on P-256"],
    ["a jwk without y", { jwk: { ...key.jwk, y: undefined } }, "has a jwk without a proper y"],
    ["a jwk with an x that is a number", { jwk: { ...key.jwk, x: 7 } }, "has a jwk without a proper x"],
    ["a jwk with an x that is empty", { jwk: { ...key.jwk, x: "" } }, "has a jwk without a proper x"],
    ["a jwk with an x in base64", { jwk: { ...key.jwk, x: "+/==" } }, "has a jwk without a proper x"],
  ])("must not have %s", async (_, header, problem) => {
    expect(await bench.check(bench.mint({ header }))).toEqual(invalidProof(`the DPoP proof ${problem}`));
  });

  it("must not have the private key, in any form", async () => {
    const jwk = await exportJWK(key.privateKey);
    expect(await bench.check(bench.mint({ header: { jwk } }))).toEqual(
      invalidProof("the DPoP proof has a jwk with a secret part"),
    );
    for (const member of ["d", "p", "q", "dp", "dq", "qi", "oth", "k"]) {
      expect(await bench.check(bench.mint({ header: { jwk: { ...key.jwk, [member]: "" } } }))).toEqual(
        invalidProof("the DPoP proof has a jwk with a secret part"),
      );
    }
  });

  it("must not name an algorithm that the options leave out", async () => {
    const { check, mint } = createDpopBench({ algorithms: ["ES384"] });
    expect(await check(mint())).toMatchObject({
      cause: "the DPoP proof has an alg that is not ES384",
      dpopAlgorithms: ["ES384"],
    });
  });
});

describe("the signature of a proof", () => {
  const unverified = invalidProof("the DPoP proof has a signature that does not verify");

  it("must not be that of another key", async () => {
    const forged = signToken(other, goodHeader, goodClaims());
    expect(await bench.check(forged)).toEqual(unverified);
  });

  it("must not be of something else", async () => {
    const [header, , signature] = bench.mint().split(".");
    expect(await bench.check(`${header}.${encodePart(goodClaims())}.${signature}`)).toEqual(unverified);
  });

  it("must not be empty", async () => {
    const proof = `${encodePart(goodHeader)}.${encodePart(goodClaims())}.`;
    expect(await bench.check(proof)).toMatchObject({ reason: "DPOP_PROOF_INVALID" });
  });

  it("must not be zeros (CVE-2022-21449)", async () => {
    const zeros = Buffer.alloc(64).toString("base64url");
    const proof = `${encodePart(goodHeader)}.${encodePart(goodClaims())}.${zeros}`;
    expect(await bench.check(proof)).toEqual(unverified);
  });

  it("must not be an HMAC with the public key", async () => {
    const secret = createSecretKey(Buffer.from(JSON.stringify(key.jwk))).export();
    expect(await bench.check(hmacToken(secret, goodHeader, goodClaims()))).toEqual(unverified);
  });

  it("must not be made with a point that is not on its curve", async () => {
    const off = await toProofKey({ ...other, publicJwk: { ...other.publicJwk, y: other.publicJwk.x as string } });
    expect(await bench.check(bench.mint({}, off), { jkt: off.jkt })).toEqual(unverified);
    // A key that could not be imported is not kept.
    expect(await bench.check(bench.mint({}, off), { jkt: off.jkt })).toEqual(unverified);
  });

  it("must not be made with a key of another token: a stolen token is of no use", async () => {
    expect(await bench.check(bench.mint({}, other))).toEqual(
      invalidProof("the DPoP proof is made with another key than the one of the access token"),
    );
  });

  it("must not be made with an RSA key of 1,024 bits", async () => {
    const weak = await toProofKey(mintWeakRsaKey("RS256", "proof"));
    expect(await bench.check(bench.mint({}, weak), { jkt: weak.jkt })).toEqual(
      invalidProof("the DPoP proof has an RSA key of 1024 bits"),
    );
  });

  it.each([
    ["1", "AQ"],
    ["2", "Ag"],
    ["an even number", "AQAA"],
    ["more than 32 bits", "AQAAAAE"],
  ])("must not be made with an RSA key whose exponent is %s", async (_, e) => {
    const rsa = await mintKey("RS256", "proof");
    const unsafe = await toProofKey({ ...rsa, publicJwk: { ...rsa.publicJwk, e } });
    expect(await bench.check(bench.mint({}, unsafe), { jkt: unsafe.jkt })).toEqual(
      invalidProof("the DPoP proof has an RSA key with an unsafe exponent"),
    );
  });

  it("must not be made with an Ed25519 key of small order, for which everybody can sign", async () => {
    const key = await mintKey("Ed25519", "proof");
    const neutral = Buffer.alloc(32);
    neutral.writeUInt8(1, 0);
    const weak = await toProofKey({ ...key, publicJwk: { ...key.publicJwk, x: neutral.toString("base64url") } });
    expect(await bench.check(bench.mint({}, weak), { jkt: weak.jkt })).toEqual(
      invalidProof("the DPoP proof has a key for which everybody can sign"),
    );
  });

  it("must not be made with an RSA key that takes long to verify with", async () => {
    const rsa = await mintKey("RS256", "proof");
    const n = Buffer.alloc(1_025, 0xff).toString("base64url");
    const huge = await toProofKey({ ...rsa, publicJwk: { ...rsa.publicJwk, n } });
    expect(await bench.check(bench.mint({}, huge), { jkt: huge.jkt })).toEqual(
      invalidProof("the DPoP proof has an RSA key of 8200 bits"),
    );
  });
});

describe("the claims of a proof", () => {
  it.each<[string, Record<string, unknown>, string]>([
    ["no jti", { jti: undefined }, "has no proper jti"],
    ["an empty jti", { jti: "" }, "has no proper jti"],
    ["a jti that is a number", { jti: 7 }, "has no proper jti"],
    ["a jti of 257 characters", { jti: "j".repeat(257) }, "has no proper jti"],
    ["no htm", { htm: undefined }, "is for another HTTP method"],
    ["another htm", { htm: "GET" }, "is for another HTTP method"],
    ["an htm in lower case", { htm: "post" }, "is for another HTTP method"],
    ["a list of htm", { htm: ["POST"] }, "is for another HTTP method"],
    ["no htu", { htu: undefined }, "is for another target URI"],
    ["a list of htu", { htu: [origin + path] }, "is for another target URI"],
    ["another RPC", { htu: `${origin}/payment.v1.PaymentService/Refund` }, "is for another target URI"],
    ["another origin", { htu: `https://inventory.example.com${path}` }, "is for another target URI"],
    ["plain http", { htu: `http://payments.example.com${path}` }, "is for another target URI"],
    ["another port", { htu: `https://payments.example.com:8443${path}` }, "is for another target URI"],
    ["an origin that ours is a prefix of", { htu: `${origin}.attacker.test${path}` }, "is for another target URI"],
    ["our origin as user information", { htu: `${origin}@attacker.test${path}` }, "is for another target URI"],
    ["the path alone", { htu: path }, "is for another target URI"],
    ["no ath", { ath: undefined }, "is for another access token"],
    ["the ath of another token", { ath: ath("another") }, "is for another access token"],
    ["the token as ath", { ath: token }, "is for another access token"],
    ["a padded ath", { ath: `${ath(token)}=` }, "is for another access token"],
    ["no iat", { iat: undefined }, "has no proper iat"],
    ["an iat that is a text", { iat: String(bench.now()) }, "has no proper iat"],
    ["an iat in milliseconds", { iat: bench.now() * 1000 }, "has an iat in the future"],
    ["an iat of 6 s in the future", { iat: bench.now() + 5.001 }, "has an iat in the future"],
    ["an iat of 66 s ago", { iat: bench.now() - 65.001 }, "is too old"],
    ["an iat of 1970", { iat: 0 }, "is too old"],
    ["a negative iat", { iat: -1e300 }, "is too old"],
  ])("must not have %s", async (_, claims, problem) => {
    expect(await bench.check(bench.mint({ claims }))).toEqual(invalidProof(`the DPoP proof ${problem}`));
  });

  it("must not have an infinite iat", async () => {
    const text = JSON.stringify({ ...goodClaims(), iat: 0 }).replace('"iat":0', '"iat":1e400');
    expect(await bench.check(signToken(key, goodHeader, text))).toEqual(
      invalidProof("the DPoP proof has no proper iat"),
    );
  });

  it.each<[string, ProofChanges["claims"]]>([
    ["a jti of 256 characters", { jti: "j".repeat(256) }],
    ["an iat as far in the future as clocks may be apart", { iat: bench.now() + 5 }],
    ["an iat as old as it may be", { iat: bench.now() - 65 }],
    ["an iat with a fraction", { iat: bench.now() + 0.25 }],
  ])("may have %s", async (_, claims) => {
    expect(await bench.check(bench.mint({ claims: { jti: crypto.randomUUID(), ...claims } }))).toBeUndefined();
  });

  it("are for one access token: that of the call", async () => {
    expect(await bench.check(bench.mint(), { token: `${token}x` })).toEqual(
      invalidProof("the DPoP proof is for another access token"),
    );
  });

  it.each([
    ["GET", path],
    ["post", path],
    ["POST", "/payment.v1.PaymentService/Refund"],
    ["POST", `${path}/`],
    ["POST", "*"],
    ["POST", `${origin}${path}`],
    ["POST", "@attacker.test/"],
    ["POST", ""],
  ])("are for one call, and not for %s %s", async (httpMethod, requested) => {
    const refusal = await bench.check(bench.mint(), { transport: { httpMethod, path: requested } });
    expect(refusal).toMatchObject({ reason: "DPOP_PROOF_INVALID" });
  });

  it("may be as old as the options say", async () => {
    const { check, mint, now } = createDpopBench({ maxAgeSeconds: 10, clockToleranceMs: 0 });
    expect(await check(mint({ claims: { iat: now() - 10 } }))).toBeUndefined();
    expect(await check(mint({ claims: { iat: now() - 10.001 } }))).toEqual(invalidProof("the DPoP proof is too old"));
    expect(await check(mint({ claims: { iat: now() + 0.001 } }))).toEqual(
      invalidProof("the DPoP proof has an iat in the future"),
    );
  });
});

describe("a proof that was used before", () => {
  const used = invalidProof("the DPoP proof was used before");

  it("does not do again, as long as it would otherwise", async () => {
    const { check, mint, clock } = createDpopBench();
    const proof = mint();
    expect(await check(proof)).toBeUndefined();
    expect(await check(proof)).toEqual(used);
    clock.advance(65_000);
    expect(await check(proof)).toEqual(used);
    clock.advance(1);
    expect(await check(proof)).toEqual(invalidProof("the DPoP proof is too old"));
  });

  it("does not do again if its iat lay in the future", async () => {
    const { check, mint, clock, now } = createDpopBench();
    const proof = mint({ claims: { iat: now() + 5 } });
    expect(await check(proof)).toBeUndefined();
    clock.advance(70_000);
    expect(await check(proof)).toEqual(used);
  });

  it("does not do again at a replica whose clock is behind, within the tolerance", async () => {
    const clock = createFakeClock();
    const replayStore = createMemoryReplayStore({ clock });
    const here = createDpopVerifier({ origin, replayStore, clock, clockToleranceMs: 5_000 });
    const late = { ...clock, now: () => clock.now() - 5_000 };
    const there = createDpopVerifier({ origin, replayStore, clock: late, clockToleranceMs: 5_000 });
    const proof = mintProof(key, { token, htu: origin + path, iat: clock.now() / 1000 });
    const transport = {
      peer: undefined,
      certificateThumbprint: undefined,
      httpMethod: "POST",
      path,
      dpopProofs: [proof],
    };
    expect(await here.check({ token, jkt: key.jkt, transport })).toBeUndefined();
    clock.advance(70_000);
    expect(await here.check({ token, jkt: key.jkt, transport })).toMatchObject({ cause: "the DPoP proof is too old" });
    expect(await there.check({ token, jkt: key.jkt, transport })).toEqual(used);
  });

  it("does not do in another spelling, with the same jti and another signature", async () => {
    const { check, mint } = createDpopBench();
    const claims = { jti: "one" };
    expect(await check(mint({ claims }))).toBeUndefined();
    expect(await check(mint({ claims, header: { kid: "other" } }))).toEqual(used);
    expect(await check(mint({ claims: { jti: "two" } }))).toBeUndefined();
  });

  it("is let through once when it comes many times at the same time", async () => {
    const { check, mint } = createDpopBench();
    const proof = mint();
    const verdicts = await Promise.all(Array.from({ length: 20 }, () => check(proof)));
    expect(verdicts.filter((verdict) => verdict === undefined)).toHaveLength(1);
  });

  it("says nothing of the proof of another client with the same jti", async () => {
    const { check, mint } = createDpopBench();
    const claims = { jti: "1" };
    expect(await check(mint({ claims }, other), { jkt: other.jkt })).toBeUndefined();
    expect(await check(mint({ claims }))).toBeUndefined();
  });
});

interface Recording {
  readonly replayStore: ReplayStore;
  readonly asked: (readonly [string, number])[];
}

function recordingStore(): Recording {
  const asked: (readonly [string, number])[] = [];
  const add: ReplayStore["add"] = (...args) => {
    asked.push(args);
    return "new";
  };
  return { replayStore: { add }, asked };
}

describe("the replay store", () => {
  it("is asked for good proofs alone", async () => {
    const { replayStore, asked } = recordingStore();
    const { check, mint } = createDpopBench({ replayStore, nonce: createNonceSource() });
    const forged = signToken(other, goodHeader, goodClaims());
    for (const proof of [mint(), mint({ claims: { htm: "GET" } }), forged, "x"]) await check(proof);
    expect(asked).toEqual([]);
  });

  it("keeps no jti and no key, but a hash of them, for as long as the proof could be used", async () => {
    const { replayStore, asked } = recordingStore();
    const { check, mint, now } = createDpopBench({ replayStore });
    await check(mint({ claims: { jti: "secret-jti", iat: now() - 10 } }));
    expect(asked).toEqual([[expect.stringMatching(/^[A-Za-z0-9_-]{43}$/), 60_001]]);
  });

  const unavailable = (cause: string): object => ({
    reason: "AUTHORIZATION_SERVER_UNAVAILABLE",
    cause,
    retryAfterMs: 1_000,
  });

  it("lets no call through while it is full", async () => {
    const replayStore = createMemoryReplayStore({ maxEntries: 1, clock: createFakeClock() });
    const { check, mint } = createDpopBench({ replayStore });
    expect(await check(mint())).toBeUndefined();
    expect(await check(mint())).toEqual(unavailable("the replay store is full"));
  });

  it.each<[string, () => Promise<never>, string]>([
    [
      "that rejects",
      async () => {
        throw new Error("redis://user:s3cr3t@cache:6379 is down");
      },
      "the replay store failed",
    ],
    [
      "that throws",
      () => {
        throw Object.assign(new Error("s3cr3t"), { code: "ECONNREFUSED" });
      },
      "the replay store failed (ECONNREFUSED)",
    ],
    [
      "that rejects with an odd code",
      async () => {
        throw Object.assign(new Error("no"), { code: "s3cr3t at 1" });
      },
      "the replay store failed",
    ],
    ["that rejects with nothing", async () => Promise.reject(undefined), "the replay store failed"],
  ])("lets no call through %s, and shows nothing of why", async (_, add, cause) => {
    const { check, mint } = createDpopBench({ replayStore: { add } });
    expect(await check(mint())).toEqual(unavailable(cause));
  });
});

describe("a nonce that is needed", () => {
  function nonceBench(): ReturnType<typeof createDpopBench> & { readonly otherNonce: string } {
    const clock = createFakeClock();
    const nonce = createNonceSource({ lifetimeSeconds: 100, clock });
    return { ...createDpopBench({ nonce, clock }), clock, otherNonce: createNonceSource({ clock }).current() };
  }

  const required = (cause: string, dpopNonce: string | undefined): object => ({
    ...invalidProof(cause),
    reason: "DPOP_NONCE_REQUIRED",
    dpopNonce,
  });

  it("is told to who has none, and does then", async () => {
    const { check, mint, nonce } = nonceBench();
    const refusal = await check(mint());
    expect(refusal).toEqual(required("the DPoP proof has no nonce", nonce()));
    expect(await check(mint({ claims: { nonce: refusal?.dpopNonce } }))).toBeUndefined();
  });

  it("does not do when it is old, forged, or no text", async () => {
    const { check, mint, nonce, clock, otherNonce } = nonceBench();
    const old = nonce();
    clock.advance(100_000);
    expect(await check(mint({ claims: { nonce: old, iat: clock.now() / 1000 } }))).toBeUndefined();
    clock.advance(100_000);
    for (const bad of [old, otherNonce, `${nonce()}x`, "", 7, null, [nonce()]]) {
      expect(await check(mint({ claims: { nonce: bad, iat: clock.now() / 1000 } }))).toEqual(
        required("the DPoP proof has a nonce that is not accepted", nonce()),
      );
    }
  });

  it("is told to nobody whose proof is bad in another way", async () => {
    const { check, mint } = nonceBench();
    for (const claims of [{ htm: "GET" }, { ath: "x" }]) {
      expect(await check(mint({ claims }))).toMatchObject({ reason: "DPOP_PROOF_INVALID" });
    }
    expect(await check(signToken(other, goodHeader, goodClaims()))).not.toHaveProperty("dpopNonce");
  });

  it("is for nobody where no nonce is needed", () => {
    expect(bench.nonce()).toBeUndefined();
  });
});
