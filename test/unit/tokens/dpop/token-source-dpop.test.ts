// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { inspect } from "node:util";
import { calculateJwkThumbprint, compactVerify, EmbeddedJWK, exportJWK, generateKeyPair } from "jose";
import { describe, expect, it } from "vitest";
import { clientSecret } from "../../../../src/credentials/client-secret.js";
import { TokenError } from "../../../../src/tokens/token-error.js";
import { createTokenSource, type TokenSource, type TokenSourceOptions } from "../../../../src/tokens/token-source.js";
import { createFakeClock, type FakeClock } from "../../../support/fake-clock.js";
import {
  createFakeTokenEndpoint,
  type FakeTokenEndpoint,
  json,
  oauthError,
  type SeenRequest,
  text,
  token,
} from "../../../support/fake-token-endpoint.js";
import { encodePart } from "../../../support/issuer.js";

const payments = { audience: "payments", scopes: ["payments:write"] };
const dpopToken = (value: string) => token(value, { token_type: "DPoP" });

function setUp(options: Partial<TokenSourceOptions> = {}): {
  server: FakeTokenEndpoint;
  clock: FakeClock;
  source: TokenSource;
} {
  const server = createFakeTokenEndpoint();
  const clock = createFakeClock();
  const credential = clientSecret("correct horse battery staple");
  const base = { issuer: server.issuer, clientId: "order-service", credential, random: () => 0, onEvent: () => {} };
  return { server, clock, source: createTokenSource({ ...base, dpop: {}, fetch: server.fetch, clock, ...options }) };
}

async function failureOf(source: TokenSource): Promise<TokenError> {
  const error = await Promise.resolve(source.get(payments)).catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(TokenError);
  return error as TokenError;
}

interface Proof {
  readonly header: Readonly<Record<string, unknown>>;
  readonly claims: Readonly<Record<string, unknown>>;
  readonly thumbprint: string;
}

async function proofOf(request: SeenRequest | undefined): Promise<Proof> {
  const proof = request?.headers.get("dpop") ?? "";
  const { protectedHeader, payload } = await compactVerify(proof, EmbeddedJWK);
  const thumbprint = await calculateJwkThumbprint(protectedHeader.jwk ?? {});
  return { header: { ...protectedHeader }, claims: JSON.parse(new TextDecoder().decode(payload)), thumbprint };
}

function jwt(claims: Readonly<Record<string, unknown>>): string {
  return `${encodePart({ alg: "ES256", typ: "at+jwt" })}.${encodePart({ aud: "payments", ...claims })}.c2ln`;
}

describe("a token source with DPoP", () => {
  it("proves its key in the token request (RFC 9449 §5), and hands out a token that is bound to it", async () => {
    const { server, source, clock } = setUp();
    server.answerToken(dpopToken("opaque"));
    const issued = await source.get(payments);
    expect(issued).toMatchObject({ scheme: "DPoP", authorization: "DPoP opaque" });
    expect(issued.dpop?.thumbprint).toBe(source.dpopThumbprint);
    const { header, claims, thumbprint } = await proofOf(server.tokenRequests[0]);
    expect(header).toMatchObject({ typ: "dpop+jwt", alg: "ES256" });
    expect(claims).toEqual({
      jti: expect.any(String),
      htm: "POST",
      htu: server.tokenEndpoint,
      iat: clock.now() / 1000,
    });
    expect(thumbprint).toBe(source.dpopThumbprint);
  });

  it("has the key of its options", async () => {
    const keyPair = await generateKeyPair("ES384");
    const { server, source } = setUp({ dpop: { keyPair } });
    server.answerToken(dpopToken("opaque"));
    await source.get(payments);
    const { header, thumbprint } = await proofOf(server.tokenRequests[0]);
    expect(header["alg"]).toBe("ES384");
    expect(source.dpopThumbprint).toBe(thumbprint);
    expect(thumbprint).toBe(await calculateJwkThumbprint(await exportJWK(keyPair.publicKey)));
  });

  it("has one key for all of its tokens, and another one than any other source", async () => {
    const [one, two] = [setUp(), setUp()];
    one.server.answerToken(dpopToken("a"), dpopToken("b"));
    const tokens = [await one.source.get(payments), await one.source.get({ ...payments, audience: "inventory" })];
    expect(tokens.map(({ dpop }) => dpop?.thumbprint)).toEqual([one.source.dpopThumbprint, one.source.dpopThumbprint]);
    expect(two.source.dpopThumbprint).not.toBe(one.source.dpopThumbprint);
  });

  it("takes a JWT that says that it is bound to the key", async () => {
    const { server, source } = setUp();
    const bound = jwt({ cnf: { jkt: source.dpopThumbprint } });
    server.answerToken(dpopToken(bound));
    expect((await source.get(payments)).value).toBe(bound);
  });

  it("sends the nonce that the authorization server wants, at once and from then on (RFC 9449 §8)", async () => {
    const { server, source } = setUp();
    const wants = json(400, { error: "use_dpop_nonce" }, { "dpop-nonce": "as-nonce" });
    server.answerToken(wants, dpopToken("a"), dpopToken("b"));
    await source.get(payments);
    await source.get({ ...payments, audience: "inventory" });
    const nonces = await Promise.all(
      server.tokenRequests.map(async (request) => (await proofOf(request)).claims["nonce"]),
    );
    expect(nonces).toEqual([undefined, "as-nonce", "as-nonce"]);
  });

  it("does not ask a third time for a nonce", async () => {
    const { server, source } = setUp();
    const wants = json(400, { error: "use_dpop_nonce" }, { "dpop-nonce": "as-nonce" });
    server.answerToken(wants, wants, wants);
    expect(await failureOf(source)).toMatchObject({ kind: "refused", oauthError: "use_dpop_nonce" });
    expect(server.tokenRequests).toHaveLength(2);
  });

  it("does not send the authorization server's nonce to other servers", async () => {
    const { server, source } = setUp();
    server.answerToken(json(400, { error: "use_dpop_nonce" }, { "dpop-nonce": "as-nonce" }), dpopToken("a"));
    const issued = await source.get(payments);
    const proof = await issued.dpop?.prove({ method: "POST", url: "https://payments.test/a" });
    expect(Buffer.from(proof?.split(".")[1] ?? "", "base64url").toString()).not.toContain("nonce");
  });
});

describe("an answer that is not bound to the key", () => {
  const unbound = (what: string): string =>
    `the token endpoint answered with ${what}, where DPoP was asked for; let the authorization server bind the tokens of ` +
    "this client (dpop_bound_access_tokens), or set dpop.acceptUnboundTokens until it does";
  const foreign = "a token that is not bound to the key of its request";

  it.each([
    ["a bearer token", token("s3cr3t-token"), "a bearer token"],
    ["a JWT without cnf", dpopToken(jwt({})), foreign],
    ["a JWT that is bound to another key", dpopToken(jwt({ cnf: { jkt: "other" } })), foreign],
    ["a JWT with an odd cnf", dpopToken(jwt({ cnf: null })), foreign],
  ])("is refused: %s", async (_, answer, what) => {
    const { server, source } = setUp();
    server.answerToken(answer);
    const error = await failureOf(source);
    expect(error).toMatchObject({ kind: "refused", oauthError: undefined });
    expect(error.message).toContain(unbound(what));
    expect(inspect(error)).not.toMatch(/s3cr3t|c2ln/);
  });

  it.each([
    ["a bearer token", token("opaque"), "Bearer opaque"],
    ["a JWT without cnf", dpopToken(jwt({})), `DPoP ${jwt({})}`],
    ["a bound token", dpopToken("opaque"), "DPoP opaque"],
  ])("is accepted with acceptUnboundTokens: %s", async (_, answer, authorization) => {
    const { server, source } = setUp({ dpop: { acceptUnboundTokens: true } });
    server.answerToken(answer);
    expect((await source.get(payments)).authorization).toBe(authorization);
  });

  it.each(["mac", "N_A"])("is refused with acceptUnboundTokens if its type is %s", async (type) => {
    const { server, source } = setUp({ dpop: { acceptUnboundTokens: true } });
    server.answerToken(token("t", { token_type: type }));
    expect((await failureOf(source)).message).toContain("no bearer token");
  });
});

describe("a token source without DPoP", () => {
  it("sends no proof, refuses DPoP tokens, and has no thumbprint", async () => {
    const server = createFakeTokenEndpoint();
    const credential = clientSecret("correct horse battery staple");
    const source = createTokenSource({ issuer: server.issuer, clientId: "c", credential, fetch: server.fetch });
    server.answerToken(dpopToken("t"));
    expect((await failureOf(source)).message).toContain("no bearer token");
    expect(server.tokenRequests[0]?.headers.has("dpop")).toBe(false);
    expect(Object.hasOwn(source, "dpopThumbprint")).toBe(false);
  });
});

describe("what a token source with DPoP shows", () => {
  it("has no proof and no key in it, whatever the authorization server quotes", async () => {
    const { server, source } = setUp();
    server.answerToken((request) => {
      const proof = request.headers.get("dpop") ?? "";
      return oauthError("invalid_dpop_proof", { description: `bad proof ${proof}`.slice(0, 190) })(request);
    });
    const error = await failureOf(source);
    expect(error.oauthError).toBe("invalid_dpop_proof");
    const proof = server.tokenRequests[0]?.headers.get("dpop") ?? "";
    const shown = inspect([error, source], { showHidden: true, depth: Infinity, getters: true });
    expect(proof.length).toBeGreaterThan(100);
    for (let at = 0; at + 12 < proof.length; at += 1) expect(shown).not.toContain(proof.slice(at, at + 12));
  });

  it("has no part of a private key that it was given", async () => {
    const keyPair = await generateKeyPair("ES256", { extractable: true });
    const { d = "" } = await exportJWK(keyPair.privateKey);
    const { server, source } = setUp({ dpop: { keyPair } });
    server.answerToken(dpopToken("a"), text(500, "no"));
    const issued = await source.get(payments);
    const failure = await Promise.resolve(source.get({ ...payments, audience: "x" })).catch((error: unknown) => error);
    const shown = inspect([source, issued, issued.dpop, failure], { showHidden: true, depth: Infinity, getters: true });
    expect(shown).not.toContain(d.slice(0, 12));
    expect(JSON.stringify([source, issued])).not.toContain(d.slice(0, 12));
  });

  it("is a TypeError for a key pair that cannot be used, without the keys", () => {
    expect(() => setUp({ dpop: { keyPair: { privateKey: "s3cr3t", publicKey: "x" } as never } })).toThrow(
      new TypeError("dpop.keyPair has no private key that can sign"),
    );
  });
});
