// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { describe, expect, it } from "vitest";
import { clientSecret } from "../../../../src/credentials/client-secret.js";
import type { Credential } from "../../../../src/credentials/credential.js";
import { CredentialError } from "../../../../src/credentials/credential-error.js";
import { settle } from "../../../support/fake-clock.js";
import {
  type Answer,
  html,
  json,
  never,
  oauthError,
  redirect,
  rejects,
  stalls,
  text,
  unreachable,
  whenOpened,
} from "../../../support/fake-token-endpoint.js";
import { ruleTimeouts } from "../../discovery/rule-timeouts.js";
import { isImmediate, secret, setUp, token, tokens } from "./harness.js";

const claims = { sub: "order-service" };
const challenge = text(401, "", { "www-authenticate": "Basic" });
const isJson = { "content-type": "application/json" };

describe("an answer that is none", () => {
  it.each<[string, Answer, string]>([
    ["HTTP 500", json(500, { active: true }), "answered with HTTP 500"],
    ["HTTP 503", html(503), "answered with HTTP 503"],
    ["too many requests", text(429, ""), "answered with HTTP 429"],
    ["HTTP 408", text(408, ""), "answered with HTTP 408"],
    ["the page of a firewall", html(200), "answered with HTTP 200, but not as RFC 7662 says"],
    ["the page of a firewall that forbids", html(403), "answered with HTTP 403, but not as RFC 7662 says"],
    ["nothing", text(200, "", isJson), "answered with HTTP 200, but not as RFC 7662 says"],
    ["nothing with HTTP 204", text(204, ""), "answered with HTTP 204, but not as RFC 7662 says"],
    ["an active token with HTTP 201", json(201, { active: true }), "answered with HTTP 201, but not as RFC 7662 says"],
    ["an active token with HTTP 401", json(401, { active: true }), "answered with HTTP 401, but not as RFC 7662 says"],
    ["a list", json(200, [{ active: true }]), "answered with HTTP 200, but not as RFC 7662 says"],
    ["null", json(200, null), "answered with HTTP 200, but not as RFC 7662 says"],
    ["true", json(200, true), "answered with HTTP 200, but not as RFC 7662 says"],
    ["JSON that was cut off", text(200, '{"active":true', isJson), "answered with HTTP 200, but not as RFC 7662 says"],
    ["a page that is not there", text(404, ""), "answered with HTTP 404, but not as RFC 7662 says"],
    ["an answer that is too large", json(200, { active: true, a: "x".repeat(65_536) }), "'s answer is too large"],
    ["a connection that breaks", unreachable("UND_ERR_SOCKET"), "cannot be reached (UND_ERR_SOCKET)"],
    ["a time-out", rejects(new DOMException("too slow", "TimeoutError")), "cannot be reached (timed out)"],
    ["something that is no error", rejects("s3cr3t"), "cannot be reached (no answer)"],
    ["nothing at all", rejects(undefined), "cannot be reached (no answer)"],
    ["a refused credential", oauthError("invalid_client", { status: 401 }), "refused: invalid_client"],
    ["a challenge", challenge, "refused: invalid_client"],
    ["a client that may not introspect", oauthError("unauthorized_client"), "refused: unauthorized_client"],
    ["an error of its own", oauthError("access_denied"), "refused, with an error that may quote the request"],
    ["a description", oauthError("invalid_request", { description: "no" }), "refused: invalid_request"],
  ])("is an outage, not a bad token: %s", async (_, answer, cause) => {
    const { server, refusal, events } = setUp();
    server.answer(answer);
    const { cause: shown, ...rest } = await refusal();
    expect(rest).toEqual({ reason: "AUTHORIZATION_SERVER_UNAVAILABLE", retryAfterMs: expect.any(Number) as number });
    expect(shown.replace("the introspection endpoint", "").trim()).toBe(cause);
    expect(rest.retryAfterMs).toBeGreaterThanOrEqual(1000);
    expect(events.map(({ outcome }) => outcome)).toEqual(["unavailable"]);
  });

  it.each([301, 302, 303, 307, 308])("is a redirect with HTTP %d, which is not followed", async (status) => {
    const { server, refusal } = setUp();
    server.answer(redirect(status, "https://evil.test/introspect"));
    expect(await refusal()).toMatchObject({ reason: "AUTHORIZATION_SERVER_UNAVAILABLE" });
    expect(server.requests.map(({ url }) => new URL(url).host)).toEqual(["login.test", "login.test"]);
  });

  it.each<[string, Answer]>([
    ["an outage", html(503)],
    ["no answer", unreachable()],
    ["the metadata of another issuer", json(200, { issuer: "https://evil.test" })],
    ["metadata without the endpoint", json(200, { issuer: "https://login.test" })],
  ])("is one to discovery: %s", async (_, answer) => {
    const { server, refusal, events } = setUp();
    server.answerDiscovery(answer);
    expect(await refusal()).toMatchObject({ reason: "AUTHORIZATION_SERVER_UNAVAILABLE", retryAfterMs: 1000 });
    expect(await refusal("another")).toMatchObject({ reason: "AUTHORIZATION_SERVER_UNAVAILABLE" });
    expect(server.requests).toHaveLength(1);
    expect(events).toHaveLength(1);
  });
});

describe("after a failure", () => {
  it("a flood of tokens is no flood of requests", async () => {
    const { server, refusal, introspector, clock } = setUp();
    server.answer(html(503));
    await refusal("first");
    for (const each of tokens(1000)) {
      expect(introspector.introspect(each)).toEqual({
        reason: "AUTHORIZATION_SERVER_UNAVAILABLE",
        cause: "the introspection endpoint answered with HTTP 503",
        retryAfterMs: 1000,
      });
    }
    expect(server.introspections).toHaveLength(1);
    clock.advance(1000);
    const probe = whenOpened(html(503));
    server.answer(probe);
    const verdicts = tokens(1000).map((each) => introspector.introspect(each));
    await settle();
    expect(server.introspections).toHaveLength(2);
    expect(isImmediate(introspector.introspect("another"))).toBe(true);
    expect(await verdicts[999]).toMatchObject({ reason: "AUTHORIZATION_SERVER_UNAVAILABLE" });
    probe.open();
    await Promise.all(verdicts);
    clock.advance(1999);
    expect(isImmediate(introspector.introspect("x"))).toBe(true);
    clock.advance(1);
    expect(await refusal("y")).toMatchObject({ reason: "TOKEN_INVALID" });
    expect(isImmediate(introspector.introspect("z"))).toBe(false);
  });

  it("those that wait for their turn are not asked about", async () => {
    const { server, introspector, ask } = setUp({ maxConcurrent: 2 });
    await ask("first");
    const slow = whenOpened(html(503));
    server.answer(slow, slow);
    const verdicts = tokens(500).map((each) => introspector.introspect(each));
    await settle();
    slow.open();
    for (const verdict of await Promise.all(verdicts)) {
      expect(verdict).toMatchObject({ reason: "AUTHORIZATION_SERVER_UNAVAILABLE" });
    }
    expect(server.introspections).toHaveLength(3);
  });

  it("tokens that were active go on to be, until their time is over; those that were not go on to be refused", async () => {
    const { server, active, refusal, ask, clock } = setUp();
    server.active.set(token, claims);
    await active();
    await refusal("bad");
    server.answer(...tokens(20).map(() => html(503)));
    await ask("another");
    for (let second = 1; second < 30; second += 1) {
      clock.advance(1000);
      expect((await active()).claims).toMatchObject(claims);
      expect(await refusal("bad")).toMatchObject({ reason: "TOKEN_INVALID" });
      await ask("another");
    }
    clock.advance(30_999);
    await active();
    server.answer(html(503));
    clock.advance(1);
    expect(await refusal()).toMatchObject({ reason: "AUTHORIZATION_SERVER_UNAVAILABLE" });
    expect(server.introspections.length).toBeLessThan(10);
  });

  it.each([
    ["2", 2000],
    ["120", 120_000],
    ["86400", 300_000],
    ["Thu, 01 Jan 2026 00:01:30 GMT", 90_000],
    ["Fri, 01 Jan 2027 00:00:00 GMT", 300_000],
    ["0", 1000],
    ["soon", 1000],
  ])("the endpoint is left alone for as long as its Retry-After says: %s", async (value, expected) => {
    for (const answer of [text(429, "", { "retry-after": value }), html(503, { "retry-after": value })]) {
      const { server, refusal, introspector, clock } = setUp();
      server.answer(answer);
      expect(await refusal()).toMatchObject({ retryAfterMs: expected });
      clock.advance(expected - 1);
      expect(isImmediate(introspector.introspect("another"))).toBe(true);
      clock.advance(1);
      expect(await refusal("another")).toMatchObject({ reason: "TOKEN_INVALID" });
    }
  });

  it("what is known of bad tokens is not pushed out by those that nobody could be asked about", async () => {
    const { server, refusal, introspector } = setUp({ maxTokens: 1 });
    await refusal("bad");
    server.answer(html(503));
    await refusal("another");
    expect(introspector.introspect("bad")).toMatchObject({ reason: "TOKEN_INVALID" });
  });

  it("of discovery, its Retry-After counts as well", async () => {
    const { server, refusal } = setUp();
    server.answerDiscovery(html(503, { "retry-after": "90" }));
    expect(await refusal()).toMatchObject({ retryAfterMs: 90_000 });
  });
});

describe("a token that the endpoint does not take", () => {
  it.each([400, 403, 413, 414, 422, 431])("with HTTP %d costs no other token its answer", async (status) => {
    const { server, active, refusal, clock } = setUp();
    server.active.set(token, claims);
    for (const answer of [html(status), text(status, ""), oauthError("invalid_request", { status })]) {
      server.answer(answer);
      expect(await refusal("odd")).toMatchObject({ reason: "AUTHORIZATION_SERVER_UNAVAILABLE", retryAfterMs: 5000 });
      expect((await active()).claims).toMatchObject(claims);
      const before = server.introspections.length;
      clock.advance(4999);
      await refusal("odd");
      expect(server.introspections).toHaveLength(before);
      clock.advance(60_000);
    }
  });

  it("is asked about again after 5 s, or when Retry-After says", async () => {
    const { server, refusal, clock } = setUp();
    server.answer(html(400), html(400, { "retry-after": "9" }));
    await refusal();
    clock.advance(5000);
    expect(await refusal()).toMatchObject({ retryAfterMs: 9000 });
    clock.advance(8999);
    expect(await refusal()).toMatchObject({ reason: "AUTHORIZATION_SERVER_UNAVAILABLE" });
    clock.advance(1);
    expect(await refusal()).toMatchObject({ reason: "TOKEN_INVALID" });
  });

  it("shows that the endpoint is well again", async () => {
    const { server, refusal, introspector, clock } = setUp();
    server.answer(html(503), html(400));
    await refusal();
    clock.advance(1000);
    await refusal("odd");
    expect(isImmediate(introspector.introspect("another"))).toBe(false);
  });

  it("because it is of another kind is a bad one (RFC 7009 §2.2.1)", async () => {
    const { server, refusal, events, clock } = setUp();
    server.answer(oauthError("unsupported_token_type", { status: 400 }));
    expect(await refusal()).toEqual({
      reason: "TOKEN_INVALID",
      cause: "the authorization server says that the token is not active",
    });
    clock.advance(29_999);
    await refusal();
    expect(events.map(({ outcome }) => outcome)).toEqual(["inactive"]);
  });

  it.each(["invalid_client", "unauthorized_client"])(
    "is another matter than %s, which all are refused for",
    async (code) => {
      const { server, refusal, introspector } = setUp();
      server.answer(oauthError(code, { status: 400 }));
      await refusal();
      expect(isImmediate(introspector.introspect("another"))).toBe(true);
    },
  );
});

describe("the credential", () => {
  /** Tries these secrets one after the other; says it has another one as long as there is. */
  function rotating(...secrets: string[]): Credential & { readonly contexts: unknown[] } {
    const contexts: unknown[] = [];
    let current = 0;
    return {
      ...clientSecret(secret),
      contexts,
      async authenticate(context) {
        contexts.push(context);
        return await clientSecret(secrets[current] ?? "").authenticate(context);
      },
      async renew() {
        current += 1;
        return current < secrets.length;
      },
    };
  }
  const secretOf = (request: { headers: Headers }): string =>
    atob((request.headers.get("authorization") ?? "").replace("Basic ", "")).replace(/^.*:/, "");

  it.each<[string, Answer]>([
    ["invalid_client", oauthError("invalid_client", { status: 401 })],
    ["a challenge", challenge],
  ])("is tried again after %s if it has changed", async (_, answer) => {
    const { server, active, events } = setUp({ credential: rotating("old", "new", "newest") });
    server.active.set(token, claims);
    server.answer(answer);
    expect((await active()).claims).toMatchObject(claims);
    expect(server.introspections.map(secretOf)).toEqual(["old", "new"]);
    expect(events.map(({ outcome }) => outcome)).toEqual(["active"]);
  });

  it("that is refused twice is an outage, and not tried until that is over", async () => {
    const { server, refusal, clock } = setUp({ credential: rotating("old", "new", "newest") });
    server.answer(challenge, challenge);
    const outage = {
      reason: "AUTHORIZATION_SERVER_UNAVAILABLE",
      cause: "the introspection endpoint refused: invalid_client",
    };
    expect(await refusal()).toMatchObject(outage);
    expect(await refusal("another")).toMatchObject(outage);
    expect(server.introspections.map(secretOf)).toEqual(["old", "new"]);
    clock.advance(1000);
    expect(await refusal()).toMatchObject({ reason: "TOKEN_INVALID" });
  });

  it("that is refused and has not changed is not tried again", async () => {
    const { server, refusal } = setUp({ credential: rotating("old") });
    server.answer(challenge);
    expect(await refusal()).toMatchObject({ reason: "AUTHORIZATION_SERVER_UNAVAILABLE" });
    expect(server.introspections).toHaveLength(1);
  });

  it("is told what the request is about", async () => {
    const credential = rotating("old");
    const { ask } = setUp({ credential });
    await ask();
    const [issuer, tokenEndpoint] = ["https://login.test", "https://login.test/token"];
    expect(credential.contexts).toEqual([
      { clientId: "payment-service", issuer, tokenEndpoint, assertionAudience: "issuer" },
    ]);
  });

  it.each<[string, unknown, string]>([
    [
      "cannot be had now",
      new CredentialError("unavailable", "the client secret in /run/secret is empty"),
      "the client secret in /run/secret is empty",
    ],
    [
      "cannot be had at all",
      new CredentialError("refused", "the client secret in /run/secret is empty"),
      "the client secret in /run/secret is empty",
    ],
    ["fails", new TypeError("s3cr3t"), "the introspection request could not be made; check the credential"],
    ["fails with nothing", undefined, "the introspection request could not be made; check the credential"],
  ])("that %s is an outage", async (_, error, cause) => {
    const authenticate = () => Promise.reject(error);
    const { server, refusal, events } = setUp({ credential: { ...clientSecret(secret), authenticate } });
    expect(await refusal()).toEqual({ reason: "AUTHORIZATION_SERVER_UNAVAILABLE", cause, retryAfterMs: 1000 });
    expect(server.introspections).toHaveLength(0);
    expect(events.map(({ outcome }) => outcome)).toEqual(["unavailable"]);
  });

  it("that fails while it signs is an outage", async () => {
    const authenticate: Credential["authenticate"] = async () => ({
      clientAuth() {
        throw Object.assign(new Error("s3cr3t"), { code: "ECONNREFUSED" });
      },
    });
    const { refusal } = setUp({ credential: { ...clientSecret(secret), authenticate } });
    expect(await refusal()).toMatchObject({
      cause: "the introspection request could not be made; check the credential",
    });
  });
});

describe("the time-out", () => {
  const tookTooLong = {
    reason: "AUTHORIZATION_SERVER_UNAVAILABLE",
    cause: "introspection took longer than 2500 ms",
    retryAfterMs: 1000,
  };

  it.each<[string, Answer]>([
    ["a server that does not answer", never()],
    ["a server that does not finish its answer", stalls()],
    ["a server that does not finish its error", stalls(400)],
  ])("ends the wait for %s, and the request", async (_, answer) => {
    const { server, introspector, clock, events } = setUp({ timeoutMs: 2500 });
    ruleTimeouts(clock);
    server.answer(answer);
    const verdict = introspector.introspect(token);
    await server.seen(2);
    await clock.run(2499);
    expect(events).toEqual([]);
    await clock.run(1);
    expect(await verdict).toEqual(tookTooLong);
    expect(server.introspections[0]?.signal?.aborted).toBe(true);
    expect(events).toEqual([
      { kind: "introspection", issuer: server.issuer, outcome: "unavailable", durationMs: 2500 },
    ]);
    expect(clock.pending).toBe(0);
  });

  it("ends the wait for discovery and the answer together", async () => {
    const { server, introspector, clock } = setUp({ timeoutMs: 2500 });
    ruleTimeouts(clock);
    const discovery = whenOpened(json(200, { issuer: server.issuer, introspection_endpoint: server.url }));
    server.answerDiscovery(discovery);
    server.answer(never());
    const verdict = introspector.introspect(token);
    await clock.run(2000);
    discovery.open();
    await clock.run(499);
    expect(server.introspections).toHaveLength(1);
    await clock.run(1);
    expect(await verdict).toEqual(tookTooLong);
    // The request goes on: nobody asks about the same token meanwhile.
    expect(await introspector.introspect(token)).toEqual(tookTooLong);
    expect(server.introspections).toHaveLength(1);
  });

  it("ends the wait for a turn, which goes to somebody else", async () => {
    const { server, introspector, ask, clock } = setUp({ timeoutMs: 2500, maxConcurrent: 1 });
    await ask("first");
    const slow = whenOpened(json(200, { active: false }));
    server.answer(slow);
    const running = introspector.introspect("running");
    await clock.run(1000);
    const waiting = introspector.introspect("waiting");
    await clock.run(1500);
    expect(await running).toEqual(tookTooLong);
    const later = introspector.introspect("later");
    await clock.run(1000);
    expect(await waiting).toEqual(tookTooLong);
    slow.open();
    expect(await later).toMatchObject({ reason: "TOKEN_INVALID" });
    expect(server.introspections.map(({ form }) => form.get("token"))).toEqual(["first", "running", "later"]);
    // Who gave up has left nothing behind, and the answer that came too late is not lost.
    expect(await introspector.introspect("waiting")).toMatchObject({ reason: "TOKEN_INVALID" });
    expect(introspector.introspect("running")).toMatchObject({ reason: "TOKEN_INVALID" });
    expect(clock.pending).toBe(0);
  });
});

describe("the listener", () => {
  it("is told of each request, and of nothing else", async () => {
    const { server, ask, clock, events, introspector } = setUp();
    const { issuer } = server;
    server.active.set(token, claims);
    const slow = whenOpened(json(200, { active: true }));
    server.answer(slow);
    const verdict = introspector.introspect(token);
    await server.seen(2);
    clock.advance(70);
    slow.open();
    await verdict;
    await ask();
    await ask("bad");
    server.answer(html(503));
    await ask("another");
    await ask("not asked about");
    await ask("two words");
    expect(events).toEqual([
      { kind: "introspection", issuer, outcome: "active", durationMs: 70 },
      { kind: "introspection", issuer, outcome: "inactive", durationMs: 0 },
      { kind: "introspection", issuer, outcome: "unavailable", durationMs: 0 },
    ]);
  });

  it("counts time by the clock that is not set back", async () => {
    const { server, clock, events, introspector } = setUp();
    const slow = whenOpened(json(200, { active: true }));
    server.answer(slow);
    const verdict = introspector.introspect(token);
    await server.seen(2);
    clock.advance(70);
    clock.jump(-3_600_000);
    slow.open();
    await verdict;
    expect(events[0]).toMatchObject({ durationMs: 70 });
  });

  it("costs no call if it throws", async () => {
    const warnings: unknown[] = [];
    const listen = (warning: unknown): void => void warnings.push(warning);
    process.on("warning", listen);
    const { server, active, refusal } = setUp({
      onEvent() {
        throw new Error("listener");
      },
    });
    server.active.set(token, claims);
    await active();
    await refusal("bad");
    await settle();
    process.off("warning", listen);
    expect(warnings).toHaveLength(2);
  });

  it("need not be there", async () => {
    const { active, server } = setUp({ onEvent: undefined });
    server.active.set(token, claims);
    await active();
  });
});
