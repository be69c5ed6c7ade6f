// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { afterEach, describe, expect, it, vi } from "vitest";
import { clientSecret } from "../../../src/credentials/client-secret.js";
import { standardProvider } from "../../../src/providers/provider.js";
import { AccessToken } from "../../../src/tokens/access-token.js";
import { TokenError } from "../../../src/tokens/token-error.js";
import { createTokenSource, type TokenSource, type TokenSourceOptions } from "../../../src/tokens/token-source.js";
import { createFakeClock, settle } from "../../support/fake-clock.js";
import { createFakeTokenEndpoint, html, never, oauthError, token } from "../../support/fake-token-endpoint.js";
import { ruleTimeouts } from "../discovery/rule-timeouts.js";
import { watch } from "./slot-harness.js";

const payments = { audience: "payments", scopes: ["payments:write", "payments:read"] };
const good = { issuer: "https://login.test", clientId: "order-service", credential: clientSecret("s3cr3t") };

function setUp(options: Partial<TokenSourceOptions> = {}) {
  const server = createFakeTokenEndpoint();
  const clock = createFakeClock();
  const quiet = { onEvent: () => {} };
  const source = createTokenSource({ ...good, ...quiet, fetch: server.fetch, clock, random: () => 0, ...options });
  return { server, clock, source };
}

async function errorOf(result: ReturnType<TokenSource["get"]>): Promise<TokenError> {
  const error = await Promise.resolve(result).then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(TokenError);
  return error as TokenError;
}

describe("a token source", () => {
  it("asks for a token when one is needed first, and hands it out without a promise from then on", async () => {
    const { server, source } = setUp();
    expect(server.requests).toEqual([]);
    const first = source.get(payments);
    expect(first).toBeInstanceOf(Promise);
    const issued = await first;
    expect(issued.value).toBe("token-1");
    expect(source.get(payments)).toBe(issued);
    expect(server.tokenRequests).toHaveLength(1);
  });

  it("makes one request for calls at the same time, though each brings a requirement of its own", async () => {
    const { server, source } = setUp();
    const calls = Array.from({ length: 1000 }, () => source.get({ ...payments, scopes: [...payments.scopes] }));
    const [first, ...others] = await Promise.all(calls);
    expect(others.every((other) => other === first)).toBe(true);
    expect(server.tokenRequests).toHaveLength(1);
  });

  it("has one token for an audience and a set of scopes, in whatever order these are", async () => {
    const { server, source } = setUp();
    const issued = await source.get(payments);
    expect(source.get({ audience: "payments", scopes: ["payments:read", "payments:write"] })).toBe(issued);
    expect(server.tokenRequests[0]?.form.get("scope")).toBe("payments:read payments:write");
    expect(payments.scopes).toEqual(["payments:write", "payments:read"]);
  });

  it.each([
    ["another audience", { audience: "inventory", scopes: ["payments:write", "payments:read"] }],
    ["fewer scopes", { audience: "payments", scopes: ["payments:write"] }],
    ["no scopes", { audience: "payments", scopes: [] }],
    ["scopes that look alike when quoted", { audience: "payments", scopes: ['payments:read","payments:write'] }],
    ["an audience that looks like the scopes", { audience: 'payments","payments:read', scopes: ["payments:write"] }],
    ["another case", { audience: "payments", scopes: ["Payments:write", "payments:read"] }],
  ])("has another token for %s", async (_, other) => {
    const { server, source } = setUp();
    const issued = await source.get(payments);
    expect(await source.get(other)).not.toBe(issued);
    expect(source.get(payments)).toBe(issued);
    expect(server.tokenRequests).toHaveLength(2);
    expect(server.tokenRequests[1]?.form.get("resource")).toBe(other.audience);
  });

  it("drops a refused token for every requirement that means the same", async () => {
    const { server, source } = setUp();
    const issued = await source.get(payments);
    const twin = { audience: "payments", scopes: ["payments:read", "payments:write"] };
    expect(source.refused(twin, issued)).toBe(true);
    const renewed = await source.get(payments);
    expect(renewed.value).toBe("token-2");
    expect(source.get(twin)).toBe(renewed);
    expect(server.tokenRequests).toHaveLength(2);
  });

  it("does not drop the token of another slot", async () => {
    const { source } = setUp();
    const issued = await source.get(payments);
    expect(source.refused({ audience: "payments", scopes: [] }, issued)).toBe(true);
    expect(source.get(payments)).toBe(issued);
  });

  it("does not let one slot's failures stop another slot", async () => {
    const { server, source } = setUp({ random: () => 0.5 });
    server.answerToken(html(503));
    await errorOf(source.get(payments));
    const issued = await source.get({ audience: "inventory", scopes: [] });
    expect(issued.value).toBe("token-2");
    await errorOf(source.get(payments));
    expect(server.tokenRequests).toHaveLength(2);
  });

  it("fails with an error that names everything", async () => {
    const { server, source, clock } = setUp();
    server.answerToken(html(503), oauthError("invalid_scope"));
    expect(await errorOf(source.get(payments))).toMatchObject({
      kind: "unavailable",
      attempt: 1,
      oauthError: undefined,
    });
    clock.advance(1);
    expect(await errorOf(source.get(payments))).toMatchObject({
      kind: "refused",
      attempt: 2,
      oauthError: "invalid_scope",
      issuer: "https://login.test",
      clientId: "order-service",
      audience: "payments",
      scopes: ["payments:write", "payments:read"],
    });
  });

  it("passes the caller's signal and deadline on to the wait, not to the request", async () => {
    const { server, source, clock } = setUp();
    server.answerToken(never());
    const controller = new AbortController();
    const aborted = watch(source.get(payments, { signal: controller.signal }));
    const hurried = watch(source.get(payments, { deadline: clock.now() + 50 }));
    const patient = watch(source.get(payments));
    await server.seen(2);
    controller.abort();
    await clock.run(50);
    expect(aborted.outcome.error?.kind).toBe("cancelled");
    expect(hurried.outcome.error?.kind).toBe("cancelled");
    expect(patient.outcome.state).toBe("pending");
    expect(server.tokenRequests[0]?.signal?.aborted).toBe(false);
  });

  it("refreshes behind its callers before the token expires", async () => {
    const { server, source, clock } = setUp();
    const issued = await source.get(payments);
    clock.advance(240_000);
    expect(source.get(payments)).toBe(issued);
    await server.seen(3);
    await settle();
    expect((source.get(payments) as AccessToken).value).toBe("token-2");
  });
});

describe("the options of a token source", () => {
  afterEach(() => {
    vi.unstubAllGlobals();
    vi.useRealTimers();
  });

  it("take the refresh in seconds before the expiry", async () => {
    const { server, source, clock } = setUp({ refreshBeforeSeconds: 100 });
    await source.get(payments);
    clock.advance(199_999);
    await source.get(payments);
    await settle();
    expect(server.tokenRequests).toHaveLength(1);
    clock.advance(1);
    await source.get(payments);
    await server.seen(3);
  });

  it("accept a refresh 0 s before the expiry, which waits for the expiry", async () => {
    const { server, source, clock } = setUp({ refreshBeforeSeconds: 0 });
    const issued = await source.get(payments);
    clock.advance(299_999);
    expect(source.get(payments)).toBe(issued);
    clock.advance(1);
    expect(await source.get(payments)).not.toBe(issued);
    expect(server.tokenRequests).toHaveLength(2);
  });

  it("take the provider, which by default follows RFC 8707", async () => {
    const auth0 = { ...standardProvider, audienceParameter: "audience" as const };
    for (const [options, parameter] of [[{}, "resource"] as const, [{ provider: auth0 }, "audience"] as const]) {
      const { server, source } = setUp(options);
      await source.get(payments);
      expect(server.tokenRequests[0]?.form.get(parameter)).toBe("payments");
    }
  });

  it("take what the authorization server calls the audiences, and name those of the protos in errors", async () => {
    const { server, source } = setUp({ audiences: { payments: "api://payments" } });
    server.answerToken(oauthError("invalid_target"));
    expect((await errorOf(source.get(payments))).audience).toBe("payments");
    expect(server.tokenRequests[0]?.form.get("resource")).toBe("api://payments");
    await source.get({ audience: "inventory", scopes: [] });
    expect(server.tokenRequests[1]?.form.get("resource")).toBe("inventory");
  });

  it("bound the number of tokens: whichever was asked for least recently goes, wherever it is", async () => {
    for (const order of ["012", "120", "201"]) {
      const { server, source, clock } = setUp({ maxTokens: 3 });
      const requirements = [0, 1, 2].map((index) => ({ audience: `audience-${index}`, scopes: [] }));
      for (const requirement of requirements) await source.get(requirement);
      for (const index of order) {
        clock.advance(1);
        await source.get(requirements[Number(index)] ?? payments);
      }
      clock.advance(1);
      await source.get(payments);
      const kept = [...order].slice(1).map((index) => source.get(requirements[Number(index)] ?? payments));
      expect(kept.every((issued) => issued instanceof AccessToken)).toBe(true);
      expect(server.tokenRequests).toHaveLength(4);
      expect((await source.get(requirements[Number(order[0])] ?? payments)).value).toBe("token-5");
    }
  });

  it("take the time-out, which is ten seconds by default", async () => {
    for (const [options, timeout] of [[{}, 10_000] as const, [{ timeoutMs: 1500 }, 1500] as const]) {
      const { source, clock } = setUp(options);
      const timeouts = ruleTimeouts(clock);
      await source.get(payments);
      expect(timeouts).toEqual([timeout, timeout]);
    }
  });

  it("default to the global fetch of the moment, the machine's clock and Math.random", async () => {
    vi.useFakeTimers({ now: Date.UTC(2026, 0, 1), toFake: ["Date"] });
    const random = vi.spyOn(Math, "random").mockReturnValue(0.5);
    const source = createTokenSource({ ...good, onEvent: () => {} });
    const server = createFakeTokenEndpoint();
    vi.stubGlobal("fetch", server.fetch);
    const issued = await source.get(payments);
    expect(issued.obtainedAt).toBe(Date.UTC(2026, 0, 1));
    expect(random).toHaveBeenCalled();
    expect(server.tokenRequests).toHaveLength(1);
    vi.setSystemTime(issued.expiresAt - 52_501); // lead 60 s, less half of the jitter of 15 s
    await source.get(payments);
    await settle();
    expect(server.tokenRequests).toHaveLength(1);
    vi.setSystemTime(issued.expiresAt - 52_500);
    await source.get(payments);
    await server.seen(3);
  });

  it.each<[string, Record<string, unknown>, string]>([
    ["an issuer with plain http", { issuer: "http://login.test" }, "loopback only"],
    ["an issuer that is no URL", { issuer: "login.test" }, "is not a URL"],
    ["no issuer", { issuer: undefined }, "is not a URL"],
    ["an empty client id", { clientId: "" }, "clientId is empty"],
    ["a client id with blank space", { clientId: "order service" }, "clientId"],
    ["no client id", { clientId: undefined }, "clientId is missing"],
    ["no credential", { credential: undefined }, "credential is missing"],
    ["a negative refreshBeforeSeconds", { refreshBeforeSeconds: -1 }, "refreshBeforeSeconds is -1"],
    ["an infinite refreshBeforeSeconds", { refreshBeforeSeconds: Infinity }, "refreshBeforeSeconds is Infinity"],
    ["a refreshBeforeSeconds that is no number", { refreshBeforeSeconds: Number.NaN }, "refreshBeforeSeconds is NaN"],
    ["a timeoutMs of 0", { timeoutMs: 0 }, "timeoutMs is 0"],
    ["a negative timeoutMs", { timeoutMs: -1 }, "timeoutMs is -1"],
    ["an infinite timeoutMs", { timeoutMs: Infinity }, "timeoutMs is Infinity"],
    ["a timeoutMs that is no number", { timeoutMs: Number.NaN }, "timeoutMs is NaN"],
    ["a provider that is none", { provider: { ...standardProvider, audienceParameter: "aud" } }, "audienceParameter"],
    ["an audience that is mapped to nothing", { audiences: { payments: "" } }, 'audiences maps "payments"'],
    ["a maxTokens of 0", { maxTokens: 0 }, "maxTokens is 0"],
  ])("are checked at once: %s", (_, wrong, message) => {
    const create = (): TokenSource => createTokenSource({ ...good, ...wrong } as TokenSourceOptions);
    expect(create).toThrow(TypeError);
    expect(create).toThrow(message);
  });

  it("are accepted in their smallest form", () => {
    expect(() => createTokenSource({ ...good, timeoutMs: 0.1, refreshBeforeSeconds: 0 })).not.toThrow();
  });
});

describe("a token that the server hands out twice", () => {
  it("is two objects, so that a refusal of the first does not drop the second", async () => {
    const { server, source } = setUp();
    server.answerToken(token("same"), token("same"));
    const first = await source.get(payments);
    source.refused(payments, first);
    const second = await source.get(payments);
    expect(second).toBeInstanceOf(AccessToken);
    expect(second.value).toBe(first.value);
    expect(source.refused(payments, first)).toBe(true);
    expect(source.get(payments)).toBe(second);
  });
});
