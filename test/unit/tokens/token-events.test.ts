// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { SignJWT } from "jose";
import { describe, expect, it, onTestFinished } from "vitest";
import { clientSecret, createTokenSource, providers, type TokenEvent, type TokenSource } from "../../../src/index.js";
import { createFakeClock, type FakeClock } from "../../support/fake-clock.js";
import {
  createFakeTokenEndpoint,
  type FakeTokenEndpoint,
  metadata,
  oauthError,
  text,
  token,
} from "../../support/fake-token-endpoint.js";

const payments = { audience: "payments", scopes: ["payments:write"] };
const subject = { clientId: "order-service", issuer: "https://login.test", ...payments };

interface Setup {
  readonly source: TokenSource;
  readonly server: FakeTokenEndpoint;
  readonly clock: FakeClock;
  readonly events: TokenEvent[];
}

function setUp(options: Partial<Parameters<typeof createTokenSource>[0]> = {}): Setup {
  const server = createFakeTokenEndpoint();
  const clock = createFakeClock();
  const events: TokenEvent[] = [];
  const source = createTokenSource({
    issuer: server.issuer,
    clientId: "order-service",
    credential: clientSecret("s3cr3t-s3cr3t"),
    fetch: server.fetch,
    clock,
    random: () => 0,
    onEvent: (event) => events.push(event),
    ...options,
  });
  return { source, server, clock, events };
}

async function jwt(claims: Record<string, unknown>): Promise<string> {
  return await new SignJWT({ aud: "payments", scope: "payments:write", client_id: "order-service", ...claims })
    .setProtectedHeader({ alg: "HS256", typ: "at+jwt" })
    .sign(new Uint8Array(32));
}

function ofKind<K extends TokenEvent["kind"]>(
  events: readonly TokenEvent[],
  kind: K,
): Extract<TokenEvent, { kind: K }>[] {
  return events.filter((event) => event.kind === kind) as Extract<TokenEvent, { kind: K }>[];
}

describe("events of a token source", () => {
  it("tell of an issued token, how long it lives and how many callers waited for it", async () => {
    const { source, server, events } = setUp();
    server.answerToken(token(await jwt({})));
    await Promise.all(Array.from({ length: 3 }, () => source.get(payments)));
    expect(events).toEqual([
      {
        ...subject,
        kind: "request",
        outcome: "issued",
        oauthError: undefined,
        durationMs: 0,
        previousFailures: 0,
        waiters: 3,
        lifetimeMs: 300_000,
        refreshLagMs: undefined,
      },
    ]);
  });

  it("tell of a refresh behind the callers that nobody waited for, and how late it was", async () => {
    const { source, server, clock, events } = setUp();
    server.answerToken(token(await jwt({ n: 1 })));
    await source.get(payments);
    server.answerToken(token(await jwt({ n: 2 })));
    clock.advance(245_000); // due since 5 s
    await source.get(payments);
    await expect.poll(() => ofKind(events, "request")).toHaveLength(2);
    expect(events[1]).toMatchObject({ outcome: "issued", waiters: 0, refreshLagMs: 5000 });
  });

  it("tell of requests that failed, one after the other", async () => {
    const { source, server, clock, events } = setUp({ random: () => 0.5 });
    server.answerToken(text(503, ""));
    await expect(source.get(payments)).rejects.toThrow();
    clock.advance(60_000);
    server.answerToken(oauthError("invalid_scope"));
    await expect(source.get(payments)).rejects.toThrow();
    expect(events).toMatchObject([
      { kind: "request", outcome: "unavailable", oauthError: undefined, previousFailures: 0, lifetimeMs: undefined },
      { kind: "request", outcome: "refused", oauthError: "invalid_scope", previousFailures: 1 },
    ]);
  });

  it("tell when a token is handed out whose refresh is overdue, and how long it is still valid", async () => {
    const { source, server, clock, events } = setUp({ random: () => 0.9 });
    server.answerToken(token(await jwt({})));
    await source.get(payments);
    server.answerToken(text(503, ""));
    clock.advance(280_000);
    await source.get(payments);
    await source.get(payments);
    expect(ofKind(events, "stale")).toEqual([
      { ...subject, kind: "stale", remainingMs: 20_000 },
      { ...subject, kind: "stale", remainingMs: 20_000 },
    ]);
  });

  it("tell of tokens that a server refused, and whether the call is tried again", async () => {
    const { source, server, events } = setUp({ random: () => 0.5 });
    server.answerToken(token(await jwt({ n: 1 })));
    const first = await source.get(payments);
    server.answerToken(token(await jwt({ n: 2 })));
    expect(source.refused(payments, first)).toBe(true);
    const second = await source.get(payments);
    expect(source.refused(payments, second)).toBe(false);
    expect(ofKind(events, "refused").map(({ retried }) => retried)).toEqual([true, false]);
  });

  it("tell once of a token that servers will refuse, and what to change", async () => {
    const { source, server, clock, events } = setUp();
    server.answerToken(token(await jwt({ aud: "account", n: 1 })));
    await source.get(payments);
    clock.advance(400_000);
    server.answerToken(token(await jwt({ aud: "account", n: 2 })));
    await source.get(payments);
    expect(ofKind(events, "warning")).toEqual([
      { ...subject, kind: "warning", message: expect.stringMatching(/account.*payments/) },
    ]);
  });

  it("turn warnings into process warnings if nobody listens", async () => {
    const warnings: Error[] = [];
    const listen = (warning: Error): void => void warnings.push(warning);
    process.on("warning", listen);
    onTestFinished(() => void process.off("warning", listen));
    const { server, clock } = setUp();
    const source = createTokenSource({
      issuer: server.issuer,
      clientId: "order-service",
      credential: clientSecret("s3cr3t-s3cr3t"),
      fetch: server.fetch,
      clock,
    });
    server.answerToken(token(await jwt({ aud: "account" })));
    await source.get(payments);
    await expect
      .poll(() => warnings.map((warning) => (warning as NodeJS.ErrnoException).code))
      .toContain("MESHAUTH_TOKEN");
  });

  it("know of no lag of a refresh that a refusal caused: it was not due", async () => {
    const { source, server, clock, events } = setUp({ random: () => 0.5 });
    server.answerToken(token(await jwt({ n: 1 })));
    const first = await source.get(payments);
    server.answerToken(token(await jwt({ n: 2 })));
    clock.advance(10_000);
    source.refused(payments, first);
    await source.get(payments);
    expect(ofKind(events, "request").map(({ refreshLagMs }) => refreshLagMs)).toEqual([undefined, undefined]);
  });

  it.each<[string, () => unknown]>([
    [
      "throws an error",
      () => {
        throw new Error("listener");
      },
    ],
    [
      "throws nothing at all",
      () => {
        throw undefined;
      },
    ],
    ["returns a promise that rejects", () => Promise.reject(new Error("listener"))],
  ])("cost no call if a listener %s", async (_, onEvent) => {
    const { source, server } = setUp({ onEvent });
    server.answerToken(token(await jwt({})));
    await expect(source.get(payments)).resolves.toBeDefined();
  });

  it("have no token and no secret in them", async () => {
    const { source, server, events } = setUp();
    const value = await jwt({ aud: "account" });
    server.answerToken(token(value));
    const issued = await source.get(payments);
    source.refused(payments, issued);
    const text = JSON.stringify(events);
    for (const part of [...value.split("."), "s3cr3t"]) expect(text).not.toContain(part);
  });
});

describe("a scope that a server misses", () => {
  it("makes the token due for a refresh behind the callers, as seldom as refusals", async () => {
    const { source, server, clock } = setUp({ random: () => 0.5 });
    server.answerToken(token(await jwt({ n: 1 })));
    const first = await source.get(payments);
    server.answerToken(token(await jwt({ n: 2 })));
    source.scopeMissed(payments, first);
    expect(source.get(payments)).toBe(first);
    await expect.poll(() => source.get(payments)).not.toBe(first);
    const second = await source.get(payments);
    source.scopeMissed(payments, second);
    expect(source.get(payments)).toBe(second);
    expect(server.tokenRequests).toHaveLength(2);
    clock.advance(2000);
    source.scopeMissed(payments, second);
    await source.get(payments);
    await expect.poll(() => server.tokenRequests).toHaveLength(3);
  });

  it("does not concern a token that was replaced meanwhile", async () => {
    const { source, server } = setUp({ random: () => 0.5 });
    server.answerToken(token(await jwt({ n: 1 })));
    const first = await source.get(payments);
    server.answerToken(token(await jwt({ n: 2 })));
    source.refused(payments, first);
    const second = await source.get(payments);
    source.scopeMissed(payments, first);
    expect(source.get(payments)).toBe(second);
    expect(server.tokenRequests).toHaveLength(2);
  });
});

describe("an authorization server that is not told the audience", () => {
  it("is asked for each audience on its own: one token does not go to both", async () => {
    const { source, server } = setUp({ provider: providers.keycloak });
    const first = await source.get({ audience: "payments", scopes: [] });
    expect(await source.get({ audience: "inventory", scopes: [] })).not.toBe(first);
    expect(server.tokenRequests).toHaveLength(2);
  });
});

describe("the number of tokens that are kept", () => {
  const requirement = (audience: string) => ({ audience, scopes: [] });

  it("is bounded: the one that was asked for least recently goes", async () => {
    const { source, server, clock } = setUp({ maxTokens: 2 });
    const [one, two, three] = [requirement("one"), requirement("two"), requirement("three")];
    const first = await source.get(one);
    clock.advance(1);
    await source.get(two);
    clock.advance(1);
    expect(source.get(one)).toBe(first);
    clock.advance(1);
    await source.get(three);
    expect(source.get(one)).toBe(first);
    expect(server.tokenRequests).toHaveLength(3);
    clock.advance(1);
    expect(source.get(two)).toBeInstanceOf(Promise);
    await expect.poll(() => server.tokenRequests).toHaveLength(4);
  });

  it("does not split one token in two: a forgotten requirement finds the slot that replaced its own", async () => {
    const { source, server, clock } = setUp({ maxTokens: 1 });
    const [one, sameAsOne, two] = [requirement("one"), requirement("one"), requirement("two")];
    await source.get(one);
    clock.advance(1);
    await source.get(two);
    clock.advance(1);
    const again = await source.get(sameAsOne);
    expect(source.get(one)).toBe(again);
    expect(server.tokenRequests).toHaveLength(3);
  });

  it.each([0, -1, 1.5, Number.NaN, "2"])("cannot be %j", (maxTokens) => {
    expect(() => setUp({ maxTokens: maxTokens as number })).toThrow(TypeError);
  });
});

describe("refresh_in of an answer", () => {
  it("makes the token due then", async () => {
    const { source, server, clock } = setUp();
    server.answerToken(token(await jwt({ n: 1 }), { expires_in: 3600, refresh_in: 1800 }));
    const first = await source.get(payments);
    server.answerToken(token(await jwt({ n: 2 })));
    clock.advance(1_799_999);
    expect(source.get(payments)).toBe(first);
    expect(server.tokenRequests).toHaveLength(1);
    clock.advance(1);
    expect(source.get(payments)).toBe(first);
    await expect.poll(() => server.tokenRequests).toHaveLength(2);
  });

  it("gives way to refreshBeforeSeconds", async () => {
    const { source, server, clock } = setUp({ refreshBeforeSeconds: 60 });
    server.answerToken(token(await jwt({}), { expires_in: 3600, refresh_in: 1800 }));
    await source.get(payments);
    clock.advance(3_539_999);
    await source.get(payments);
    expect(server.tokenRequests).toHaveLength(1);
  });
});

describe("a token and the clocks", () => {
  it("is not taken for older than it is by the time that discovery took", async () => {
    const { source, server, clock } = setUp();
    server.answerDiscovery((...seen) => {
      clock.advance(5000);
      return metadata(server.issuer, { token_endpoint: server.tokenEndpoint })(...seen);
    });
    server.answerToken(token(await jwt({ n: 1 })));
    const first = await source.get(payments);
    clock.advance(299_985);
    expect(source.get(payments)).toBe(first);
  });

  it("expires in time although the wall clock was set back", async () => {
    const { source, server, clock } = setUp();
    server.answerToken(token(await jwt({ n: 1 })));
    const first = await source.get(payments);
    server.answerToken(token(await jwt({ n: 2 })));
    clock.jump(-3_600_000);
    clock.advance(300_000);
    expect(await source.get(payments)).not.toBe(first);
  });

  it("expires in time although the machine slept and no time passed for the process", async () => {
    const { source, server, clock } = setUp();
    server.answerToken(token(await jwt({ n: 1 })));
    const first = await source.get(payments);
    server.answerToken(token(await jwt({ n: 2 })));
    clock.jump(3_600_000);
    expect(await source.get(payments)).not.toBe(first);
  });
});
