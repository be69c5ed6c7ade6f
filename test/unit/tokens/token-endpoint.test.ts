// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { SignJWT } from "jose";
import { describe, expect, it } from "vitest";
import { ClientRequestFailure } from "../../../src/credentials/client-request-failure.js";
import { clientSecret } from "../../../src/credentials/client-secret.js";
import type { Credential } from "../../../src/credentials/credential.js";
import { CredentialError } from "../../../src/credentials/credential-error.js";
import { type Provider, standardProvider } from "../../../src/providers/provider.js";
import type { TokenRequirement } from "../../../src/rules/token-requirement.js";
import type { AccessToken } from "../../../src/tokens/access-token.js";
import { createTokenEndpoint } from "../../../src/tokens/token-endpoint.js";
import { createTokenRequest } from "../../../src/tokens/token-request.js";
import { createFakeClock, type FakeClock } from "../../support/fake-clock.js";
import {
  type Answer,
  createFakeTokenEndpoint,
  type FakeTokenEndpoint,
  type FakeTokenEndpointOptions,
  html,
  json,
  metadata,
  never,
  oauthError,
  redirect,
  rejects,
  stalls,
  text,
  token,
  unreachable,
  whenOpened,
} from "../../support/fake-token-endpoint.js";
import { ruleTimeouts } from "../discovery/rule-timeouts.js";

const secret = "correct horse battery staple";
const requirement = { audience: "payments", scopes: ["payments:write", "payments:read"] };

interface Setup {
  readonly server: FakeTokenEndpoint;
  readonly endpoint: { request(requirement: TokenRequirement): Promise<AccessToken> };
  readonly clock: FakeClock;
}

function setUp(
  options: FakeTokenEndpointOptions & { credential?: Credential; provider?: Provider; timeoutMs?: number } = {},
): Setup {
  const { credential = clientSecret(secret), provider = standardProvider, timeoutMs = 10_000 } = options;
  const server = createFakeTokenEndpoint(options);
  const clock = createFakeClock();
  const { fetch, issuer } = server;
  const endpoint = createTokenEndpoint({
    issuer,
    clientId: "order-service",
    credential,
    provider,
    timeoutMs,
    fetch,
    clock,
  });
  const request = async (wanted: TokenRequirement): Promise<AccessToken> =>
    (await endpoint.request(createTokenRequest(provider, wanted))).token;
  return { server, endpoint: { request }, clock };
}

async function answered(answer: Answer, options?: Parameters<typeof setUp>[0]): Promise<AccessToken> {
  const { server, endpoint } = setUp(options);
  server.answerToken(answer);
  return await endpoint.request(requirement);
}

async function failureOf(request: Promise<unknown>): Promise<ClientRequestFailure> {
  const error = await request.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(ClientRequestFailure);
  expect("cause" in (error as Error)).toBe(false);
  return error as ClientRequestFailure;
}

describe("a token request", () => {
  it("is a POST of the client credentials grant with audience and scopes", async () => {
    const { server, endpoint } = setUp();
    const issued = await endpoint.request(requirement);
    expect(issued.value).toBe("token-1");
    expect(issued.authorization).toBe("Bearer token-1");
    const [request] = server.tokenRequests;
    expect(request?.method).toBe("POST");
    expect(request?.headers.get("content-type")).toMatch(/^application\/x-www-form-urlencoded/);
    expect(Object.fromEntries(request?.form ?? [])).toEqual({
      grant_type: "client_credentials",
      resource: "payments",
      scope: "payments:read payments:write",
    });
  });

  it("sends no scope where none is needed", async () => {
    const { server, endpoint } = setUp();
    await endpoint.request({ audience: "payments", scopes: [] });
    expect(server.tokenRequests[0]?.form.has("scope")).toBe(false);
  });

  it("names the audience as the provider wants it", async () => {
    for (const audienceParameter of ["audience", "resource", "none"] as const) {
      const { server, endpoint } = setUp({ provider: { ...standardProvider, audienceParameter } });
      await endpoint.request(requirement);
      const names = [...(server.tokenRequests[0]?.form.keys() ?? [])].filter((name) => name !== "grant_type");
      expect(names).toEqual(audienceParameter === "none" ? ["scope"] : [audienceParameter, "scope"]);
      expect(server.tokenRequests[0]?.form.get(audienceParameter)).toBe(
        audienceParameter === "none" ? null : "payments",
      );
    }
  });

  it("goes to the token endpoint of the metadata, which need not be below the issuer", async () => {
    const { server, endpoint } = setUp({ tokenEndpoint: "https://tokens.test/oauth2/token" });
    await endpoint.request(requirement);
    expect(server.requests.map(({ url }) => url)).toEqual([
      "https://login.test/.well-known/openid-configuration",
      "https://tokens.test/oauth2/token",
    ]);
  });

  const alias = "https://mtls.login.test/token";
  const aliased = (location: string) =>
    metadata("https://login.test", {
      token_endpoint: "https://login.test/token",
      mtls_endpoint_aliases: { token_endpoint: location },
    });
  const byCertificate: Credential = { ...clientSecret(secret), method: "tls_client_auth" };

  it("goes to the alias for client certificates if the client authenticates by one (RFC 8705 §5), and else not", async () => {
    for (const [credential, target] of [
      [byCertificate, alias],
      [clientSecret(secret), "https://login.test/token"],
    ] as const) {
      const { server, endpoint } = setUp({ credential });
      server.answerDiscovery(aliased(alias));
      await endpoint.request(requirement).catch(() => {});
      expect(server.requests.at(-1)?.url).toBe(target);
    }
  });

  it("goes to no alias without TLS", async () => {
    const { server, endpoint } = setUp({ credential: byCertificate });
    server.answerDiscovery(aliased("http://mtls.login.test/token"));
    const failure = await failureOf(endpoint.request(requirement));
    expect(failure.message).toMatch(/has its token_endpoint without TLS/);
    expect(server.requests).toHaveLength(1);
  });
});

describe("discovery of the token endpoint", () => {
  it("runs with the first request, and not again", async () => {
    const { server, endpoint } = setUp();
    expect(server.requests).toHaveLength(0);
    await endpoint.request(requirement);
    await endpoint.request({ audience: "inventory", scopes: [] });
    expect(server.discoveryRequests).toHaveLength(1);
    expect(server.tokenRequests).toHaveLength(2);
  });

  it("runs once for requests at the same time", async () => {
    const { server, endpoint } = setUp();
    await Promise.all(
      ["payments", "inventory", "orders"].map((audience) => endpoint.request({ audience, scopes: [] })),
    );
    expect(server.discoveryRequests).toHaveLength(1);
    expect(server.tokenRequests).toHaveLength(3);
  });

  it("runs again after it failed", async () => {
    const { server, endpoint } = setUp();
    server.answerDiscovery(html(503), html(404));
    expect(await failureOf(endpoint.request(requirement))).toMatchObject({ kind: "unavailable" });
    expect(await failureOf(endpoint.request(requirement))).toMatchObject({ kind: "refused" });
    expect((await endpoint.request(requirement)).value).toBe("token-1");
    expect(server.discoveryRequests).toHaveLength(3);
  });

  it("is classified by why it failed", async () => {
    const cases: readonly (readonly [Answer, "unavailable" | "refused"])[] = [
      [unreachable(), "unavailable"],
      [html(503), "unavailable"],
      [html(200), "unavailable"],
      [html(404), "refused"],
      [metadata("https://evil.test"), "refused"],
      [redirect(302, "https://evil.test/"), "refused"],
    ];
    for (const [answer, kind] of cases) {
      const { server, endpoint } = setUp();
      server.answerDiscovery(answer);
      expect((await failureOf(endpoint.request(requirement))).kind).toBe(kind);
      expect(server.tokenRequests).toHaveLength(0);
    }
  });

  it.each([
    ["is missing", undefined],
    ["is no URL", "/token"],
  ])("is refused if the token_endpoint %s", async (_, location) => {
    const { server, endpoint } = setUp();
    server.answerDiscovery(metadata(server.issuer, { token_endpoint: location }));
    const failure = await failureOf(endpoint.request(requirement));
    expect(failure).toMatchObject({
      kind: "refused",
      message: "the metadata of https://login.test names no token_endpoint",
    });
  });

  it.each(["https://login.test", "http://localhost:8080"])(
    "keeps the secret from a token_endpoint without TLS that %s names",
    async (issuer) => {
      const { server, endpoint } = setUp({ issuer, tokenEndpoint: "http://login.test/token" });
      const failure = await failureOf(endpoint.request(requirement));
      expect(failure.kind).toBe("refused");
      expect(failure.message).toContain("without TLS");
      expect(server.tokenRequests).toHaveLength(0);
    },
  );

  it("keeps the secret from a token_endpoint on loopback without TLS that an issuer with TLS names", async () => {
    const { server, endpoint } = setUp({ tokenEndpoint: "http://127.0.0.1:8080/token" });
    const failure = await failureOf(endpoint.request(requirement));
    expect(failure).toMatchObject({ kind: "refused" });
    expect(failure.message).toContain("without TLS");
    expect(server.tokenRequests).toHaveLength(0);
  });

  it("sends it to loopback without TLS if the issuer is there as well", async () => {
    const { endpoint } = setUp({ issuer: "http://localhost:8080", tokenEndpoint: "http://127.0.0.1:8080/token" });
    expect((await endpoint.request(requirement)).value).toBe("token-1");
  });

  it("passes on what is no failure of discovery", async () => {
    const { endpoint } = setUp({ issuer: "http://login.test" });
    await expect(endpoint.request(requirement)).rejects.toThrow(TypeError);
  });
});

describe("the life of a token", () => {
  it("counts from when the request was sent", async () => {
    const { server, endpoint, clock } = setUp();
    await endpoint.request(requirement); // discovery is done
    const sentAt = clock.now();
    const answer = whenOpened(token("slow", { expires_in: 300 }));
    server.answerToken(answer);
    const request = endpoint.request(requirement);
    await server.seen(3);
    clock.advance(7000);
    answer.open();
    expect(await request).toMatchObject({ obtainedAt: sentAt, expiresAt: sentAt + 300_000 });
  });

  const { clock } = setUp();
  const now = clock.now();
  const jwt = (claims: Record<string, unknown>): Promise<string> =>
    new SignJWT(claims).setProtectedHeader({ alg: "HS256" }).sign(new Uint8Array(32));
  const seconds = now / 1000;

  it.each([
    [300, 300],
    [0, 0],
    [1, 1],
    [0.5, 0.5],
    ["300", 300],
    ["3599.5", 3599.5],
    [1e12, 1e12],
  ])("is what expires_in says: %j", async (expiresIn, lifetime) => {
    expect(await answered(token("t", { expires_in: expiresIn }))).toMatchObject({ expiresAt: now + lifetime * 1000 });
  });

  it.each([1e300, "1e300", 8.64e12])(
    "ends at the last date that there is, at the latest: expires_in %j",
    async (expiresIn) => {
      const issued = await answered(token("t", { expires_in: expiresIn }));
      expect(issued.expiresAt).toBe(8.64e15);
      expect(String(issued)).toBe("[access token, expires +275760-09-13T00:00:00.000Z]");
    },
  );

  it.each([-1, "soon", "", null, [], {}, true])("is not read from an expires_in of %j", async (expiresIn) => {
    const failure = await failureOf(answered(token("t", { expires_in: expiresIn })));
    expect(failure).toMatchObject({ kind: "unavailable", oauthError: undefined });
    expect(failure.message).toContain("HTTP 200, but not as RFC 6749 says");
  });

  it("is expires_in, but no longer than the token says of itself, by whatever clock", async () => {
    const hourAgo = seconds - 3600;
    expect(await answered(token(await jwt({ iat: hourAgo, exp: hourAgo + 60 })))).toMatchObject({
      expiresAt: now + 60_000,
    });
    expect(await answered(token(await jwt({ iat: hourAgo, exp: hourAgo + 900 })))).toMatchObject({
      expiresAt: now + 300_000,
    });
    // Without iat nobody knows by which clock exp is meant.
    expect(await answered(token(await jwt({ exp: seconds + 60 })))).toMatchObject({ expiresAt: now + 300_000 });
  });

  it("has the time that the authorization server would like to be asked again, if that is within it", async () => {
    const refreshAt = async (value: unknown) => (await answered(token("t", { refresh_in: value }))).refreshAt;
    expect(await refreshAt(150)).toBe(now + 150_000);
    expect(await refreshAt("150")).toBe(now + 150_000);
    for (const value of [0, -1, 300, "soon", null, undefined, {}]) expect(await refreshAt(value)).toBeUndefined();
  });

  it.each([
    ["is 300 s for an opaque token", "opaque", 300],
    ["is 300 s for a JWT without exp", () => jwt({ iat: seconds }), 300],
    ["is 300 s for a JWT with an exp that is no number", () => jwt({ exp: "never", iat: seconds }), 300],
    ["is what is left until the exp of a JWT", () => jwt({ exp: seconds + 60 }), 60],
    ["is exp - iat if that is shorter", () => jwt({ exp: seconds + 600, iat: seconds + 550 }), 50],
    ["is what is left if that is shorter", () => jwt({ exp: seconds + 60, iat: seconds - 3600 }), 60],
    ["ignores an iat that is no number", () => jwt({ exp: seconds + 60, iat: "now" }), 60],
    ["is nothing for a JWT that has expired", () => jwt({ exp: seconds - 60, iat: seconds - 120 }), 0],
    ["is nothing for a JWT that expires before it was issued", () => jwt({ exp: seconds + 60, iat: seconds + 120 }), 0],
  ])("without expires_in %s", async (_, value, lifetime) => {
    const issued = await answered(token(typeof value === "string" ? value : await value(), { expires_in: undefined }));
    expect(issued).toMatchObject({ obtainedAt: now, expiresAt: now + lifetime * 1000 });
  });

  it("without expires_in does not count the time that the answer took twice in its favour", async () => {
    const { server, endpoint, clock } = setUp();
    await endpoint.request(requirement);
    const sentAt = clock.now();
    const answer = whenOpened(token(await jwt({ exp: sentAt / 1000 + 60 }), { expires_in: undefined }));
    server.answerToken(answer);
    const request = endpoint.request(requirement);
    await server.seen(3);
    clock.advance(7000);
    answer.open();
    expect((await request).expiresAt).toBe(sentAt + 53_000);
  });

  it("without expires_in and with a huge exp ends at the last date that there is", async () => {
    const issued = await answered(token(await jwt({ exp: 1e300 }), { expires_in: undefined }));
    expect(issued.expiresAt).toBe(8.64e15);
  });
});

describe("an answer of the token endpoint that may be better next time", () => {
  it.each([408, 425, 429, 500, 502, 503, 504, 599])("has the status %d, whatever else it says", async (status) => {
    for (const answer of [html(status), oauthError("invalid_client", { status }), text(status, "")]) {
      const failure = await failureOf(answered(answer));
      expect(failure).toMatchObject({ kind: "unavailable", oauthError: undefined });
      expect(failure.message).toBe(`the token endpoint answered with HTTP ${status}`);
    }
  });

  const claimsJson = { "content-type": "application/json" };
  it.each<[string, Answer, number]>([
    ["the page of a firewall", html(200), 200],
    ["the page of a firewall that forbids", html(403), 403],
    ["the page of a firewall with status 400", html(400), 400],
    ["an empty answer", text(200, ""), 200],
    ["an empty answer that claims to be JSON", text(200, "", claimsJson), 200],
    ["JSON that was cut off", text(200, '{"access_token":"abc', claimsJson), 200],
    ["a list", json(200, []), 200],
    ["null", json(200, null), 200],
    ["JSON without a token", json(200, { token_type: "Bearer", expires_in: 300 }), 200],
    ["an empty token", token(""), 200],
    ["a token that is a number", json(200, { access_token: 1, token_type: "Bearer" }), 200],
    ["JSON without a token_type", token("t", { token_type: undefined }), 200],
    ["a token with status 201", json(201, { access_token: "t", token_type: "Bearer" }), 201],
    ["nothing with status 204", text(204, ""), 204],
    ["an error without a code", json(400, { message: "no" }), 400],
    ["an error with an empty code", oauthError(""), 400],
    ["an error with a code that is a number", json(400, { error: 17 }), 400],
    ["an error with a code of forbidden characters", oauthError('say "no"'), 400],
    ["an error with a code of several lines", oauthError("no\nno"), 400],
    ["an error with an endless code", oauthError("x".repeat(65)), 400],
    ["an OAuth error with status 200", oauthError("invalid_client", { status: 200 }), 200],
    ["a 401 that says nothing", text(401, ""), 401],
  ])("is %s", async (_, answer, status) => {
    const failure = await failureOf(answered(answer));
    expect(failure).toMatchObject({ kind: "unavailable", oauthError: undefined, retryAfterMs: undefined });
    expect(failure.message).toBe(`the token endpoint answered with HTTP ${status}, but not as RFC 6749 says`);
  });

  it.each<[string, Answer, string]>([
    ["a refused connection", unreachable("ECONNREFUSED"), "ECONNREFUSED"],
    ["a broken connection", unreachable("UND_ERR_SOCKET"), "UND_ERR_SOCKET"],
    ["a time-out", rejects(new DOMException("too slow", "TimeoutError")), "timed out"],
    ["an abort by the fetch itself", rejects(new DOMException("s3cr3t", "AbortError")), "no answer"],
    ["an error without a code", rejects(new Error("s3cr3t")), "no answer"],
    ["something that is no error", rejects("s3cr3t"), "no answer"],
    ["nothing at all", rejects(undefined), "no answer"],
  ])("is none at all: %s", async (_, answer, reason) => {
    const failure = await failureOf(answered(answer));
    expect(failure).toMatchObject({ kind: "unavailable", oauthError: undefined, retryAfterMs: undefined });
    expect(failure.message).toBe(`the token endpoint cannot be reached (${reason})`);
  });

  it.each([301, 302, 303, 307, 308])("is a redirect with HTTP %d, which is not followed", async (status) => {
    const { server, endpoint } = setUp();
    server.answerToken(redirect(status, "https://evil.test/token"));
    const failure = await failureOf(endpoint.request(requirement));
    expect(failure.kind).toBe("unavailable");
    expect(failure.message).toContain(`HTTP ${status}`);
    expect(new Set(server.requests.map(({ url }) => new URL(url).host))).toEqual(new Set(["login.test"]));
    expect(server.tokenRequests).toHaveLength(1);
  });
});

describe("an answer of the token endpoint that is too large", () => {
  it.each([200, 400])("is cut off, with HTTP %d", async (status) => {
    const failure = await failureOf(answered(json(status, { error: "invalid_client", padding: "x".repeat(65_536) })));
    expect(failure).toMatchObject({ kind: "unavailable", oauthError: undefined });
    expect(failure.message).toBe("the token endpoint's answer is too large");
  });
});

describe("the time-out of a token request", () => {
  it.each<[string, Answer, string]>([
    ["a server that does not answer", never(), "cannot be reached (timed out)"],
    ["a server that does not finish its answer", stalls(), "timed out"],
    // oauth4webapi keeps to itself why it could not read an error.
    ["a server that does not finish its error", stalls(400), "HTTP 400"],
  ])("ends the wait for %s", async (_, answer, reason) => {
    const { server, endpoint, clock } = setUp({ timeoutMs: 2500 });
    ruleTimeouts(clock);
    server.answerToken(answer);
    const failure = failureOf(endpoint.request(requirement));
    await server.seen(2);
    await clock.run(2499);
    expect(server.tokenRequests[0]?.signal?.aborted).toBe(false);
    await clock.run(1);
    const { kind, message } = await failure;
    expect(kind).toBe("unavailable");
    expect(message).toContain(reason);
  });

  it("is the one that was asked for, for discovery and for the request", async () => {
    const { endpoint, clock } = setUp({ timeoutMs: 2500 });
    const timeouts = ruleTimeouts(clock);
    await endpoint.request(requirement);
    expect(timeouts).toEqual([2500, 2500]);
  });

  it.each([1001, 1003, 0.5, 59.9, 2 ** 31, 1e12])(
    "may be any number of milliseconds, such as %d",
    async (timeoutMs) => {
      expect((await answered(token("t"), { timeoutMs })).value).toBe("t");
    },
  );
});

describe("an answer of the token endpoint that refuses", () => {
  it.each([
    "invalid_request",
    "invalid_client",
    "invalid_scope",
    "unauthorized_client",
    "invalid_target",
    "vendor specific",
  ])("says %s", async (code) => {
    for (const status of [400, 401, 403, 404]) {
      const failure = await failureOf(answered(oauthError(code, { status })));
      expect(failure).toMatchObject({ kind: "refused", oauthError: code });
      expect(failure.message).toBe(`the token endpoint refused: ${code}`);
    }
  });

  it("shows what the server has to say about it, on one line and not too long", async () => {
    const short = await failureOf(
      answered(oauthError("invalid_scope", { description: "no such\r\n\tscope: ünknown" })),
    );
    expect(short.message).toBe("the token endpoint refused: invalid_scope (no such scope: ünknown)");
    const long = await failureOf(answered(oauthError("invalid_scope", { description: "x".repeat(1000) })));
    expect(long.message).toBe(`the token endpoint refused: invalid_scope (${"x".repeat(200)})`);
  });

  it("ignores a description that is no text", async () => {
    const failure = await failureOf(answered(json(400, { error: "invalid_scope", error_description: { a: 1 } })));
    expect(failure.message).toBe("the token endpoint refused: invalid_scope");
  });

  it.each(['Basic realm="mesh"', "Basic", 'Bearer error="invalid_token", error_description="s3cr3t"'])(
    "is a 401 with the challenge %s, which means invalid_client",
    async (challenge) => {
      for (const body of ["", '{"error":"invalid_client"}']) {
        const answer = text(401, body, { "content-type": "application/json", "www-authenticate": challenge });
        const failure = await failureOf(answered(answer));
        expect(failure).toMatchObject({ kind: "refused", oauthError: "invalid_client" });
        expect(failure.message).toBe("the token endpoint refused: invalid_client");
      }
    },
  );

  it("is not a challenge with another status", async () => {
    const failure = await failureOf(answered(text(403, "", { "www-authenticate": 'Basic realm="proxy"' })));
    expect(failure).toMatchObject({ kind: "unavailable", oauthError: undefined });
  });

  it.each(["DPoP", "mac", "N_A", "urn:ietf:params:oauth:token-type:jwt"])("is a token of the type %s", async (type) => {
    const failure = await failureOf(answered(token("t", { token_type: type })));
    expect(failure).toMatchObject({ kind: "refused", oauthError: undefined });
    expect(failure.message).toContain("no bearer token");
  });

  it.each(["Bearer", "bearer", "BEARER"])("is not a token of the type %s", async (type) => {
    expect((await answered(token("t", { token_type: type }))).value).toBe("t");
  });

  it.each(["two lines\r\nx-header: 1", "tab\t", "two words", "naïve", "\u0000"])(
    "is a token that cannot travel in a header: %j",
    async (value) => {
      const failure = await failureOf(answered(token(value)));
      expect(failure.kind).toBe("refused");
      expect(failure.message).toBe("the token endpoint answered with a token that no header can carry");
    },
  );
});

describe("a token request that cannot be made", () => {
  const broken = (authenticate: Credential["authenticate"]): Credential => ({ ...clientSecret(secret), authenticate });

  it("is refused, not taken for an outage, when the credential fails while it signs", async () => {
    const credential = broken(async () => ({
      clientAuth() {
        throw Object.assign(new Error("no such key: s3cr3t"), { code: "ECONNREFUSED" });
      },
    }));
    const { server, endpoint } = setUp({ credential });
    const failure = await failureOf(endpoint.request(requirement));
    expect(failure).toMatchObject({ kind: "refused", oauthError: undefined });
    expect(failure.message).toBe("the token request could not be made; check the credential");
    expect(server.tokenRequests).toHaveLength(0);
  });

  it("is not taken for a token of another type when openid-client says that it cannot use a key", async () => {
    const credential = broken(async () => ({
      clientAuth() {
        throw Object.assign(new Error("no such algorithm"), { code: "OAUTH_UNSUPPORTED_OPERATION" });
      },
    }));
    const failure = await failureOf(setUp({ credential }).endpoint.request(requirement));
    expect(failure.message).toBe("the token request could not be made; check the credential");
  });

  it("fails with the credential's own error when that cannot be used at all", async () => {
    const problem = new TypeError("no key");
    const { endpoint } = setUp({ credential: broken(() => Promise.reject(problem)) });
    await expect(endpoint.request(requirement)).rejects.toBe(problem);
  });
});

describe("the credential of a token request", () => {
  /** Tries these secrets one after the other; says it has another one as long as there is. */
  function rotating(...secrets: string[]): Credential & { readonly refused: unknown[]; readonly contexts: unknown[] } {
    const refused: unknown[] = [];
    const contexts: unknown[] = [];
    let current = 0;
    return {
      ...clientSecret(secret),
      refused,
      contexts,
      async authenticate(context) {
        contexts.push(context);
        return await clientSecret(secrets[current] ?? "").authenticate(context);
      },
      async renew(authentication) {
        refused.push(authentication);
        current += 1;
        return current < secrets.length;
      },
    };
  }
  const secretOf = (request: { headers: Headers } | undefined): string =>
    atob((request?.headers.get("authorization") ?? "").replace("Basic ", "")).replace(/^.*:/, "");
  const challenge = text(401, "", { "www-authenticate": "Basic" });

  it("is told what the request is about", async () => {
    for (const assertionAudience of ["issuer", "token_endpoint"] as const) {
      const credential = rotating("old");
      const { endpoint } = setUp({ credential, provider: { ...standardProvider, assertionAudience } });
      await endpoint.request(requirement);
      const [issuer, tokenEndpoint] = ["https://login.test", "https://login.test/token"];
      expect(credential.contexts).toEqual([{ clientId: "order-service", issuer, tokenEndpoint, assertionAudience }]);
    }
  });

  it.each([
    ["invalid_client", oauthError("invalid_client", { status: 401 })],
    ["a challenge", challenge],
  ])("is tried again after %s if it has changed", async (_, refusal) => {
    const credential = rotating("old", "new");
    const { server, endpoint } = setUp({ credential });
    server.answerToken(refusal);
    expect((await endpoint.request(requirement)).value).toBe("token-2");
    expect(server.tokenRequests.map(secretOf)).toEqual(["old", "new"]);
    expect(server.discoveryRequests).toHaveLength(1);
    expect(credential.refused).toEqual([{ clientAuth: expect.any(Function) as unknown }]);
  });

  it("is tried again once only", async () => {
    const { server, endpoint } = setUp({ credential: rotating("old", "new", "newest") });
    server.answerToken(challenge, challenge);
    expect(await failureOf(endpoint.request(requirement))).toMatchObject({
      kind: "refused",
      oauthError: "invalid_client",
    });
    expect(server.tokenRequests.map(secretOf)).toEqual(["old", "new"]);
  });

  it("is not tried again if it has not changed", async () => {
    const { server, endpoint } = setUp({ credential: rotating("old") });
    server.answerToken(challenge);
    expect(await failureOf(endpoint.request(requirement))).toMatchObject({
      kind: "refused",
      oauthError: "invalid_client",
    });
    expect(server.tokenRequests).toHaveLength(1);
  });

  it.each<[string, Answer]>([
    ["invalid_scope", oauthError("invalid_scope")],
    ["unauthorized_client", oauthError("unauthorized_client")],
    ["an outage", html(503)],
    ["a token of another type", token("t", { token_type: "mac" })],
    ["no answer", unreachable()],
  ])("is neither renewed nor tried again after %s", async (_, answer) => {
    const credential = rotating("old", "new");
    const { server, endpoint } = setUp({ credential });
    server.answerToken(answer);
    await failureOf(endpoint.request(requirement));
    expect(server.tokenRequests).toHaveLength(1);
    expect(credential.refused).toEqual([]);
  });

  it.each(["unavailable", "refused"] as const)("says itself whether it is %s", async (kind) => {
    const authenticate = () => Promise.reject(new CredentialError(kind, "the client secret in /run/secret is empty"));
    const { server, endpoint } = setUp({ credential: { ...clientSecret(secret), authenticate } });
    const failure = await failureOf(endpoint.request(requirement));
    expect(failure).toMatchObject({ kind, message: "the client secret in /run/secret is empty" });
    expect(server.tokenRequests).toHaveLength(0);
  });

  it("may bring a fetch of its own, for its request alone", async () => {
    const own = createFakeTokenEndpoint();
    const credential = clientSecret(secret);
    const authenticate: Credential["authenticate"] = async (context) => ({
      ...(await credential.authenticate(context)),
      fetch: own.fetch,
    });
    const { server, endpoint } = setUp({ credential: { ...credential, authenticate } });
    await endpoint.request(requirement);
    expect(own.requests.map(({ url }) => url)).toEqual(["https://login.test/token"]);
    expect(server.requests.map(({ url }) => url)).toEqual(["https://login.test/.well-known/openid-configuration"]);
  });

  it("that is quoted by the server leaves the kind of failure as it is, however it was sent", async () => {
    const quoting: Answer = ({ headers, form }) =>
      oauthError("invalid_client", { description: `${headers.get("authorization")} ${form}` })(undefined as never);
    for (const method of ["client_secret_basic", "client_secret_post"] as const) {
      const failure = await failureOf(answered(quoting, { credential: clientSecret(secret, { method }) }));
      expect(failure).toMatchObject({ kind: "refused", oauthError: "invalid_client" });
      expect(failure.message).toBe("the token endpoint refused: invalid_client");
    }
  });
});

describe("the answer beside the token", () => {
  it.each([
    ["payments:write", "payments:write"],
    ["", ""],
    [undefined, undefined],
  ])("names the granted scopes: %j", async (sent, scope) => {
    const server = createFakeTokenEndpoint();
    server.answerToken(token("t", { scope: sent }));
    const { fetch, issuer } = server;
    const fixed = { issuer, clientId: "order-service", credential: clientSecret(secret), timeoutMs: 10_000, fetch };
    const endpoint = createTokenEndpoint({ ...fixed, provider: standardProvider, clock: createFakeClock() });
    expect((await endpoint.request(createTokenRequest(standardProvider, requirement))).scope).toBe(scope);
  });
});

describe("Retry-After", () => {
  it("of a failed discovery is honoured as well", async () => {
    const { server, endpoint } = setUp();
    server.answerDiscovery(html(503, { "retry-after": "90" }));
    expect(await failureOf(endpoint.request(requirement))).toMatchObject({ kind: "unavailable", retryAfterMs: 90_000 });
  });

  async function retryAfter(value: string | undefined, answer?: (headers: Record<string, string>) => Answer) {
    const headers: Record<string, string> = value === undefined ? {} : { "retry-after": value };
    return (await failureOf(answered(answer?.(headers) ?? html(503, headers)))).retryAfterMs;
  }
  const inSeconds = (delay: number): string => new Date(createFakeClock().now() + delay * 1000).toUTCString();

  it.each([
    ["1", 1000],
    ["120", 120_000],
    ["300", 300_000],
    ["301", 300_000],
    ["9".repeat(400), 300_000],
    [inSeconds(90), 90_000],
    [inSeconds(86_400), 300_000],
  ])("of %s is honoured, for five minutes at most", async (value, ms) => {
    expect(await retryAfter(value)).toBe(ms);
  });

  it.each([undefined, "", "0", "soon", "1.5", "-5", inSeconds(0), inSeconds(-3600)])(
    "of %s leaves the pause to the ordinary back-off",
    async (value) => {
      expect(await retryAfter(value)).toBeUndefined();
    },
  );

  it("counts for every answer that brings no token", async () => {
    const headers = { "retry-after": "7" };
    expect(await retryAfter("7", (sent) => html(200, sent))).toBe(7000);
    expect(await retryAfter("7", (sent) => json(429, { error: "too_many_requests" }, sent))).toBe(7000);
    expect(await retryAfter("7", (sent) => json(400, { error: "slow_down" }, sent))).toBe(7000);
    expect(await retryAfter("7", () => text(401, "", { ...headers, "www-authenticate": "Basic" }))).toBe(7000);
  });
});
