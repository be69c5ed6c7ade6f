// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { exportJWK, generateKeyPair } from "jose";
import { beforeAll, describe, expect, it } from "vitest";
import { type Credential, clientSecret, privateKeyJwt } from "../../../src/index.js";
import { AccessToken } from "../../../src/tokens/access-token.js";
import { createTokenSource, type TokenSource } from "../../../src/tokens/token-source.js";
import { createFakeClock } from "../../support/fake-clock.js";
import {
  type Answer,
  createFakeTokenEndpoint,
  html,
  json,
  never,
  oauthError,
  rejects,
  type SeenRequest,
  text,
  token,
} from "../../support/fake-token-endpoint.js";
import { leaksIn } from "../../support/secrecy.js";

// Nothing in here occurs in a message by chance; the blank and the + show when encoded.
const secret = "Xq7!vBn2 +Lw9/Rk4=Zt6&Yp8?Hs3";
const tokenValue = "eyJraWQiOiJRd1pYIn0.eyJzdWIiOiJKa0hnIn0.c2lnbmF0dXJlUG9JdQ";
const payments = { audience: "payments", scopes: ["payments:write"] };

function expectNothingSecretIn(value: unknown, secrets: readonly string[] = [secret, tokenValue]): void {
  expect(leaksIn(value, secrets)).toEqual([]);
}

async function failureWith(answer: Answer, credential: Credential): Promise<{ error: unknown; source: TokenSource }> {
  const server = createFakeTokenEndpoint();
  server.answerToken(answer);
  const source = createTokenSource({
    issuer: server.issuer,
    clientId: "order-service",
    credential,
    fetch: server.fetch,
    clock: createFakeClock(),
  });
  const error = await Promise.resolve(source.get(payments)).then(
    () => {
      throw new Error("there is a token");
    },
    (reason: unknown) => reason,
  );
  return { error, source };
}

/** Quotes what the client sent, in an error of OAuth. */
const quoting = (code: string, part: (request: SeenRequest) => string | null): Answer => {
  return (request) => oauthError(code, { status: 400, description: `rejected: ${part(request)}` })(request);
};
const authorization = ({ headers }: SeenRequest): string | null => headers.get("authorization");
const sentSecret = ({ form }: SeenRequest): string | null => form.get("client_secret");

describe("what the tests of secrecy look at", () => {
  it("is everything: they find a secret in each place where one could be", () => {
    const hidden =
      (place: object): (() => void) =>
      () =>
        expectNothingSecretIn(place);
    expect(hidden(new Error(secret))).toThrow();
    expect(
      hidden(new Error("a", { cause: new Error("b", { cause: { body: { access_token: tokenValue } } }) })),
    ).toThrow();
    expect(hidden(Object.defineProperty({}, "response", { value: secret, enumerable: false }))).toThrow();
    expect(hidden({ [Symbol("key")]: secret })).toThrow();
    expect(hidden({ toString: () => tokenValue })).toThrow();
    expect(hidden({ toJSON: () => tokenValue })).toThrow();
    expect(hidden({ url: `?client_secret=${encodeURIComponent(secret)}` })).toThrow();
    expect(hidden({ part: secret.slice(3, 18) })).toThrow();
    expect(hidden(new URLSearchParams({ client_secret: secret }))).toThrow();
    expect(hidden(new Headers({ authorization: `Bearer ${tokenValue}` }))).toThrow();
    expect(hidden({ something: "else" })).not.toThrow();
  });
});

describe("no error shows a secret or a token", () => {
  const basic = clientSecret(secret);
  const post = clientSecret(secret, { method: "client_secret_post" });
  const claimsJson = { "content-type": "application/json" };

  it.each<[string, Answer, Credential]>([
    ["a token of another type", token(tokenValue, { token_type: "mac" }), basic],
    ["a DPoP token", token(tokenValue, { token_type: "DPoP" }), basic],
    ["a token with a bad expires_in", token(tokenValue, { expires_in: -1 }), basic],
    ["a token that has expired", token(tokenValue, { expires_in: 0 }), basic],
    ["a token with a bad scope", token(tokenValue, { scope: 1 }), basic],
    ["a token with a bad refresh_token", token(tokenValue, { refresh_token: 1 }), basic],
    ["a token with an id_token that is none", token(tokenValue, { id_token: tokenValue }), basic],
    ["a token with a line break", token(`${tokenValue}\n`), basic],
    ["a token in a list", json(200, [tokenValue]), basic],
    ["a token that was cut off", text(200, `{"access_token":"${tokenValue}`, claimsJson), basic],
    ["a token as text", text(200, tokenValue), basic],
    ["a token with status 201", json(201, { access_token: tokenValue, token_type: "Bearer" }), basic],
    ["a token with status 500", json(500, { access_token: tokenValue, token_type: "Bearer" }), basic],
    ["an error that is a token", oauthError(tokenValue.slice(0, 64).replaceAll(".", '"')), basic],
    ["the page of a firewall", html(403), basic],
    ["a description that quotes the secret", quoting("invalid_client", () => secret), basic],
    ["a description that quotes the header", quoting("invalid_client", authorization), basic],
    ["a description that quotes the form", quoting("invalid_client", sentSecret), post],
    ["a description that quotes the body", quoting("invalid_client", ({ form }) => form.toString()), post],
    ["a description that quotes the secret as a URL has it", quoting("x", () => encodeURIComponent(secret)), post],
    ["a secret across the end of the description", quoting("x", () => "y".repeat(175) + secret), basic],
    [
      "a header across the end of the description",
      quoting("x", (request) => "y".repeat(170) + authorization(request)),
      basic,
    ],
    ["an error that quotes the secret", oauthError(`bad ${secret}`), basic],
    [
      "an error that quotes the header",
      (request) => oauthError(btoa(`order%2Dservice:${secret}`).slice(0, 64))(request),
      basic,
    ],
    ["a challenge that quotes the secret", text(401, "", { "www-authenticate": `Basic realm="${secret}"` }), basic],
    ["a network error that quotes the request", rejects(new TypeError(`fetch failed: ${secret}`)), basic],
    ["a network error with the request in its cause", rejects(new TypeError("x", { cause: { secret } })), basic],
  ])("not after %s", async (_, answer, credential) => {
    const { error, source } = await failureWith(answer, credential);
    expectNothingSecretIn(error);
    expectNothingSecretIn(source);
  });

  it("not even a signed assertion", async () => {
    const { privateKey } = await generateKeyPair("ES256");
    let assertion = "";
    const answer = quoting("invalid_client", ({ form }) => {
      assertion = form.get("client_assertion") ?? "";
      return assertion;
    });
    const { error } = await failureWith(answer, privateKeyJwt(privateKey));
    expect(assertion).not.toBe("");
    expectNothingSecretIn(error, [assertion]);
  });

  it("but every error still says what kind of failure it was", async () => {
    const { error } = await failureWith(quoting("invalid_client", authorization), basic);
    expect(error).toMatchObject({ kind: "refused", oauthError: "invalid_client" });
    const { error: code } = await failureWith(oauthError(`bad ${secret}`), basic);
    expect(code).toMatchObject({ kind: "refused", oauthError: undefined });
    expect((code as Error).message).toContain("may quote the request");
  });

  it("and a poor secret does not hide the codes of RFC 6749", async () => {
    const codes = [
      "invalid_client",
      "unauthorized_client",
      "unsupported_grant_type",
      "invalid_scope",
      "invalid_target",
    ];
    for (const code of [...codes, "invalid_request", "invalid_grant"]) {
      for (const poor of ["client", "invalid", "scope", "_"]) {
        const { error } = await failureWith(oauthError(code), clientSecret(poor));
        expect(error).toMatchObject({ kind: "refused", oauthError: code });
      }
    }
  });

  it("not when the wait for a token is cancelled after a failure", async () => {
    const server = createFakeTokenEndpoint();
    const clock = createFakeClock();
    const { fetch, issuer } = server;
    const options = { issuer, clientId: "order-service", credential: basic, fetch, clock, random: () => 0 };
    const source = createTokenSource(options);
    server.answerToken(quoting("invalid_client", authorization), never());
    await expect(source.get(payments)).rejects.toThrow("invalid_client");
    clock.advance(1);
    const signal = AbortSignal.abort(new Error(secret));
    const error = await Promise.resolve(source.get(payments, { signal })).catch((reason: unknown) => reason);
    expect(error).toMatchObject({ kind: "cancelled" });
    expectNothingSecretIn(error);
  });
});

describe("no object shows a secret or a token", () => {
  it("not a client secret", () => {
    for (const method of ["client_secret_basic", "client_secret_post"] as const) {
      const credential = clientSecret(secret, { method });
      expectNothingSecretIn(credential);
      expectNothingSecretIn({ ...credential });
    }
  });

  describe("with a private key", () => {
    let credential: Credential;
    let jwk: Record<string, unknown>;

    beforeAll(async () => {
      const { privateKey } = await generateKeyPair("ES256", { extractable: true });
      credential = privateKeyJwt(privateKey, { keyId: "key-1" });
      jwk = { ...(await exportJWK(privateKey)) };
    });

    it("not the key", () => {
      expectNothingSecretIn(credential, [String(jwk["d"])]);
    });
  });

  it("not an access token", () => {
    const issued = new AccessToken(tokenValue, 0, 1);
    expectNothingSecretIn(issued);
    expectNothingSecretIn({ nested: [new Map([["token", issued]])], ...issued });
  });

  it("not a token source, with its tokens and promises of them", async () => {
    const server = createFakeTokenEndpoint();
    server.answerToken(token(tokenValue));
    const { fetch, issuer } = server;
    const source = createTokenSource({
      issuer,
      clientId: "order-service",
      credential: clientSecret(secret),
      fetch,
      onEvent: () => {},
    });
    const promise = Promise.resolve(source.get(payments));
    expectNothingSecretIn(promise);
    expect((await promise).value).toBe(tokenValue);
    expectNothingSecretIn(promise);
    expectNothingSecretIn(source);
    expectNothingSecretIn(source.get(payments));
  });
});
