// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { describe, expect, it } from "vitest";
import { clientSecret } from "../../../../src/credentials/client-secret.js";
import type { Credential } from "../../../../src/credentials/credential.js";
import { settle } from "../../../support/fake-clock.js";
import { type Answer, html, json, metadata, unreachable, whenOpened } from "../../../support/fake-token-endpoint.js";
import { isImmediate, secret, setUp, token, tokens } from "./harness.js";

const claims = { sub: "order-service", scope: "payments:write" };

describe("an introspection request", () => {
  it("is a POST of the token and its kind, by the authenticated client", async () => {
    const { server, refusal } = setUp();
    await refusal();
    const [request] = server.introspections;
    expect(server.introspections).toHaveLength(1);
    expect(request?.method).toBe("POST");
    expect(request?.url).toBe("https://login.test/introspect");
    expect(request?.headers.get("accept")).toBe("application/json");
    expect(request?.headers.get("content-type")).toMatch(/^application\/x-www-form-urlencoded/);
    expect(Object.fromEntries(request?.form ?? [])).toEqual({ token, token_type_hint: "access_token" });
    const [clientId, sent = ""] = atob(request?.headers.get("authorization")?.replace("Basic ", "") ?? "").split(":");
    expect([clientId, decodeURIComponent(sent.replaceAll("+", " "))]).toEqual(["payment%2Dservice", secret]);
  });

  it("goes to the configured endpoint if there is one, whatever the metadata say", async () => {
    const url = "https://admin.test/oauth2/introspect";
    const { server, refusal } = setUp({
      server: { url, metadata: { introspection_endpoint: undefined } },
      endpoint: url,
    });
    expect(await refusal()).toMatchObject({ reason: "TOKEN_INVALID" });
    expect(server.requests.map((request) => request.url)).toEqual([
      "https://login.test/.well-known/openid-configuration",
      url,
    ]);
  });

  const alias = "https://mtls.login.test/introspect";
  const byCertificate: Credential = { ...clientSecret(secret), method: "tls_client_auth" };

  it("goes to the alias for client certificates if the client authenticates by one (RFC 8705 §5)", async () => {
    for (const [credential, target] of [
      [byCertificate, alias],
      [clientSecret(secret), "https://login.test/introspect"],
    ] as const) {
      const { server, ask } = setUp({
        credential,
        server: { metadata: { mtls_endpoint_aliases: { introspection_endpoint: alias } } },
      });
      await ask();
      expect(server.requests.at(-1)?.url).toBe(target);
    }
  });

  it.each(["two tokens", "line\r\nbreak", "naïve", "\u0000", "", "a=b", "=", "\ud800", "<script>"])(
    "is not made for what cannot be a bearer token: %j",
    async (value) => {
      const { server, introspector } = setUp();
      expect(introspector.introspect(value)).toEqual({
        reason: "TOKEN_INVALID",
        cause: "the token has characters that no bearer token has",
      });
      await settle();
      expect(server.requests).toHaveLength(0);
    },
  );
});

describe("an answer", () => {
  it("that the token is active has what it says of the token, as it says it", async () => {
    const { server, active, clock } = setUp();
    const said = { ...claims, aud: ["a", 1], exp: clock.now() / 1000 + 3600, nested: { a: [null] }, iss: "elsewhere" };
    server.active.set(token, said);
    expect((await active()).claims).toEqual({ active: true, ...said });
  });

  it("that the token is not active refuses it, whatever else it says", async () => {
    for (const more of [{}, claims, { active: false, exp: 1 }]) {
      const { server, refusal } = setUp();
      server.answer(json(200, { ...more, active: false }));
      expect(await refusal()).toEqual({
        reason: "TOKEN_INVALID",
        cause: "the authorization server says that the token is not active",
      });
    }
  });

  it.each(["true", "True", 1, 0, null, undefined, "", [], [true], {}, { active: true }, "false"])(
    "with the active %j is no answer: neither a good nor a bad token",
    async (value) => {
      const { server, refusal } = setUp();
      server.answer(json(200, { ...claims, active: value }));
      expect(await refusal()).toEqual({
        reason: "AUTHORIZATION_SERVER_UNAVAILABLE",
        cause: "the introspection endpoint answered with HTTP 200, but not as RFC 7662 says",
        retryAfterMs: 1000,
      });
    },
  );

  it("counts by its own member active, and by no other of that name", async () => {
    const { server, refusal } = setUp();
    const body = '{"__proto__":{"active":true},"ACTIVE":true,"active ":true}';
    server.answer(() => new Response(body, { headers: { "content-type": "application/json" } }));
    expect(await refusal()).toMatchObject({ reason: "AUTHORIZATION_SERVER_UNAVAILABLE" });
  });

  it.each(["application/json", "application/json;charset=utf-8", "Application/JSON ; charset=UTF-8"])(
    "is JSON by the name of %s",
    async (type) => {
      const { server, active } = setUp();
      server.answer(json(200, { active: true }, { "content-type": type }));
      expect((await active()).claims).toEqual({ active: true });
    },
  );

  it.each([
    "text/html",
    "text/plain",
    "application/jsonp",
    "application/jwk-set+json",
    "application/token-introspection+jwt",
    "text/html, application/json",
    "",
  ])("is no JSON by the name of %j, even if it is some", async (type) => {
    const { server, refusal } = setUp();
    server.answer(json(200, { active: true, ...claims }, { "content-type": type }));
    expect(await refusal()).toMatchObject({ reason: "AUTHORIZATION_SERVER_UNAVAILABLE" });
  });

  it("as a JWT (RFC 9701) is refused: nobody verifies its signature", async () => {
    const { server, clock, refusal } = setUp();
    const encode = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString("base64url");
    const now = Math.floor(Date.now() / 1000);
    const payload = { iss: server.issuer, aud: "payment-service", iat: now, token_introspection: { active: true } };
    const jwt = `${encode({ alg: "RS256", typ: "token-introspection+jwt" })}.${encode(payload)}.${encode("forged")}`;
    const type = { "content-type": "application/token-introspection+jwt" };
    server.answer(() => new Response(jwt, { headers: type }));
    expect(await refusal()).toEqual({
      reason: "AUTHORIZATION_SERVER_UNAVAILABLE",
      cause: "the introspection endpoint answered with HTTP 200, but not as RFC 7662 says",
      retryAfterMs: 1000,
    });
    expect(clock.pending).toBe(0);
  });
});

describe("an active token", () => {
  it("is asked about once in 60 s", async () => {
    const { server, active, introspector, clock } = setUp();
    server.active.set(token, claims);
    const first = await active();
    expect(first.usableUntil).toBe(clock.now() + 60_000);
    clock.advance(59_999);
    expect(introspector.introspect(token)).toBe(first);
    expect(server.introspections).toHaveLength(1);
    clock.advance(1);
    expect(isImmediate(introspector.introspect(token))).toBe(false);
    await settle();
    expect(server.introspections).toHaveLength(2);
  });

  it("that is revoked is refused from the next answer on", async () => {
    const { server, active, refusal, clock } = setUp({ activeSeconds: 10 });
    server.active.set(token, claims);
    await active();
    server.active.delete(token);
    clock.advance(9999);
    await active();
    clock.advance(1);
    expect(await refusal()).toMatchObject({ reason: "TOKEN_INVALID" });
    server.active.set(token, claims);
    expect(await refusal()).toMatchObject({ reason: "TOKEN_INVALID" });
  });

  it.each<[unknown, number]>([
    [30, 30],
    [60, 60],
    [61, 60],
    [1e300, 60],
    [0.25, 0.25],
  ])("that expires in %j s is trusted for %d s", async (seconds, expected) => {
    const { server, active, clock } = setUp();
    server.active.set(token, { exp: clock.now() / 1000 + (seconds as number) });
    expect((await active()).usableUntil).toBe(clock.now() + expected * 1000);
    clock.advance(expected * 1000 - 1);
    await active();
    expect(server.introspections).toHaveLength(1);
    clock.advance(1);
    await active();
    expect(server.introspections).toHaveLength(2);
  });

  it.each([undefined, null, "1767225630", [1], {}, true])(
    "without an exp that is a number, %j, is trusted for 60 s",
    async (exp) => {
      const { server, active, clock } = setUp();
      server.active.set(token, { exp });
      expect((await active()).usableUntil).toBe(clock.now() + 60_000);
    },
  );

  it.each(["1e400", "-1e400"])("with an exp beyond all numbers, %s, is trusted for 60 s", async (exp) => {
    const { server, active, clock } = setUp();
    const body = `{"active":true,"exp":${exp}}`;
    server.answer(() => new Response(body, { headers: { "content-type": "application/json" } }));
    expect((await active()).usableUntil).toBe(clock.now() + 60_000);
  });

  it("that has expired by our clock is remembered like one that is not active: whoever checks exp decides", async () => {
    const { server, active, clock } = setUp();
    const exp = clock.now() / 1000 - 2;
    server.active.set(token, { exp });
    expect((await active()).usableUntil).toBe(exp * 1000);
    clock.advance(29_999);
    await active();
    expect(server.introspections).toHaveLength(1);
    clock.advance(1);
    await active();
    expect(server.introspections).toHaveLength(2);
  });

  it("is trusted from when it was asked about, not from when the answer came", async () => {
    const { server, introspector, clock } = setUp();
    server.active.set(token, claims);
    await introspector.introspect("another");
    const askedAt = clock.now();
    const slow = whenOpened(json(200, { active: true }));
    server.answer(slow);
    const verdict = introspector.introspect(token);
    await server.seen(3);
    clock.advance(5000);
    slow.open();
    expect(await verdict).toMatchObject({ usableUntil: askedAt + 60_000 });
    clock.advance(54_999);
    expect(isImmediate(introspector.introspect(token))).toBe(true);
    clock.advance(1);
    expect(isImmediate(introspector.introspect(token))).toBe(false);
  });

  it("is not trusted for longer when the clock is set back", async () => {
    const { server, active, clock } = setUp();
    server.active.set(token, claims);
    await active();
    clock.advance(50_000);
    clock.jump(-40_000);
    clock.advance(10_000);
    await active();
    expect(server.introspections).toHaveLength(2);
  });

  it("is asked about on each call with activeSeconds 0", async () => {
    const { server, active } = setUp({ activeSeconds: 0 });
    server.active.set(token, claims);
    await active();
    await active();
    expect(server.introspections).toHaveLength(2);
  });

  it("is not pushed out by a flood of others", async () => {
    const { server, active, ask, introspector } = setUp({ maxTokens: 3 });
    server.active.set(token, claims);
    await active();
    for (const made of tokens(50)) await ask(made);
    expect(isImmediate(introspector.introspect(token))).toBe(true);
    expect(isImmediate(introspector.introspect("token-49"))).toBe(true);
    expect(isImmediate(introspector.introspect("token-0"))).toBe(false);
  });
});

describe("a token that is not active", () => {
  it("is asked about once in 30 s", async () => {
    const { server, active, refusal, clock } = setUp();
    await refusal();
    clock.advance(29_999);
    await refusal();
    expect(server.introspections).toHaveLength(1);
    clock.advance(1);
    server.active.set(token, claims);
    expect((await active()).claims).toMatchObject(claims);
  });

  it("is remembered for as long as inactiveSeconds says", async () => {
    const { server, refusal, clock } = setUp({ inactiveSeconds: 5 });
    await refusal();
    clock.advance(5000);
    await refusal();
    expect(server.introspections).toHaveLength(2);
  });
});

describe("tokens", () => {
  it("are told apart by all of their characters", async () => {
    const long = "x".repeat(4000);
    const { server, active, refusal } = setUp();
    server.active.set(`${long}a`, claims);
    await active(`${long}a`);
    for (const other of [`${long}b`, long, `${long}aa`, `y${long.slice(1)}a`, `${long}A`]) await refusal(other);
    expect(server.introspections).toHaveLength(6);
  });
});

describe("requests at the same time", () => {
  it("about one token are one", async () => {
    const { server, introspector } = setUp();
    const slow = whenOpened(json(200, { active: true, ...claims }));
    server.answer(slow);
    const verdicts = Array.from({ length: 100 }, () => introspector.introspect(token));
    await server.seen(2);
    slow.open();
    const [first, ...others] = await Promise.all(verdicts);
    expect(first).toMatchObject({ claims });
    for (const other of others) expect(other).toBe(first);
    expect(server.introspections).toHaveLength(1);
    expect(server.discoveryRequests).toHaveLength(1);
  });

  it("are 32 at most; others wait in order", async () => {
    const { server, introspector, ask } = setUp();
    await ask("first");
    const answers = tokens(40).map(() => whenOpened(json(200, { active: false })));
    server.answer(...answers);
    const verdicts = tokens(40).map((each) => introspector.introspect(each));
    await settle();
    expect(server.introspections).toHaveLength(33);
    answers[0]?.open();
    answers[1]?.open();
    await settle();
    expect(server.introspections.slice(33).map(({ form }) => form.get("token"))).toEqual(["token-32", "token-33"]);
    for (const answer of answers) answer.open();
    expect(await Promise.all(verdicts)).toHaveLength(40);
  });

  it("beyond 1,000 that wait are refused at once, as an outage", async () => {
    const { server, introspector, ask } = setUp({ maxConcurrent: 2 });
    await ask("first");
    const slow = whenOpened(json(200, { active: false }));
    server.answer(slow, slow);
    const verdicts = tokens(1002).map((each) => introspector.introspect(each));
    expect(verdicts.every((verdict) => !isImmediate(verdict))).toBe(true);
    expect(introspector.introspect("one-too-many")).toEqual({
      reason: "AUTHORIZATION_SERVER_UNAVAILABLE",
      cause: "too many tokens wait to be introspected",
      retryAfterMs: 1000,
    });
    // Nobody who asks about the same token takes a place.
    expect(introspector.introspect("token-1001")).toBe(verdicts[1001]);
    slow.open();
    for (const verdict of await Promise.all(verdicts)) expect(verdict).toMatchObject({ reason: "TOKEN_INVALID" });
    expect(server.introspections).toHaveLength(1003);
    expect(isImmediate(introspector.introspect("one-too-many"))).toBe(false);
  });
});

describe("load()", () => {
  it("fetches the metadata, once, so that no call need wait for that", async () => {
    const { server, introspector, ask } = setUp();
    await introspector.load();
    await introspector.load();
    await ask();
    expect(server.requests.map(({ method }) => method)).toEqual(["GET", "POST"]);
  });

  it.each<[string, Answer, "refused" | "unreachable", RegExp]>([
    ["an outage", html(503), "unreachable", /HTTP 503/],
    ["no answer", unreachable(), "unreachable", /ECONNREFUSED/],
    ["another issuer", metadata("https://evil.test"), "refused", /describes another issuer/],
    ["no endpoint", metadata("https://login.test"), "refused", /names no introspection_endpoint/],
    [
      "an endpoint that is no URL",
      metadata("https://login.test", { introspection_endpoint: "/introspect" }),
      "refused",
      /names no introspection_endpoint/,
    ],
    [
      "an endpoint without TLS",
      metadata("https://login.test", { introspection_endpoint: "http://login.test/introspect" }),
      "refused",
      /has its introspection_endpoint without TLS/,
    ],
    [
      "an endpoint on loopback",
      metadata("https://login.test", { introspection_endpoint: "http://127.0.0.1/introspect" }),
      "refused",
      /has its introspection_endpoint without TLS/,
    ],
  ])("fails for %s, and works the next time", async (_, answer, kind, message) => {
    const { server, introspector, ask } = setUp();
    server.answerDiscovery(answer);
    const error = await introspector.load().catch((reason: unknown) => reason);
    expect(error).toMatchObject({ name: "DiscoveryError", kind });
    expect((error as Error).message).toMatch(message);
    await introspector.load();
    expect(await ask()).toMatchObject({ reason: "TOKEN_INVALID" });
  });

  it("works on loopback without TLS", async () => {
    const { introspector, refusal } = setUp({ server: { issuer: "http://127.0.0.1:8080" } });
    await introspector.load();
    expect(await refusal()).toMatchObject({ reason: "TOKEN_INVALID" });
  });
});
