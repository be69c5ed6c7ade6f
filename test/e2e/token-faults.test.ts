// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { inspect } from "node:util";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, onTestFinished, vi } from "vitest";
import { type AuthorizationServer, startAuthorizationServer } from "../../services/authorization-server/server.js";
import { readExampleMesh } from "../../services/shared/example-mesh.js";
import { type AccessToken, type Clock, clientSecret, createTokenSource, TokenError } from "../../src/index.js";
import {
  createTestClock,
  type Fault,
  type FaultProxy,
  type ProxiedRequest,
  startFaultProxy,
  type TestClock,
} from "../../src/testing.js";

const clientId = "order-service";
const secret = "a secret with + % : and &";
const requirement = { audience: "https://payment-service.internal", scopes: ["payments:write"] };
const tokenPath = "/token";
const discoveryPath = "/.well-known/openid-configuration";

let proxy: FaultProxy;
let server: AuthorizationServer;
/** Where redirects lead to. Nobody may ever ask it anything. */
let elsewhere: FaultProxy;
/** How many requests the proxy saw before this test. */
let before: number;

beforeAll(async () => {
  elsewhere = await startFaultProxy();
  ({ proxy, server } = await startBehindProxy());
});
afterAll(async () => {
  await Promise.all([proxy.close(), server.close(), elsewhere.close()]);
});
beforeEach(() => {
  before = proxy.requests.length;
});
afterEach(() => {
  proxy.clear();
  expect(elsewhere.requests).toEqual([]);
});

async function startBehindProxy(clock?: Clock): Promise<{ proxy: FaultProxy; server: AuthorizationServer }> {
  const started = await startFaultProxy(clock && { clock });
  const clients = new Map([[clientId, { method: "client_secret_basic" as const, secret }]]);
  const behind = await startAuthorizationServer({ mesh: readExampleMesh(), port: 0, issuer: started.url, clients });
  started.forwardTo(behind.url);
  return { proxy: started, server: behind };
}

function requestsTo(path: string): ProxiedRequest[] {
  return proxy.requests.slice(before).filter((request) => request.path === path);
}

interface Client {
  readonly clock: TestClock;
  /** Asks for the token, and returns at once. */
  get(): AccessToken | Promise<AccessToken>;
  /** Asks for the token, which must fail. */
  fail(): Promise<TokenError>;
}

interface ClientOptions {
  /** By default, the proxy's URL. */
  readonly issuer?: string;
  readonly clock?: TestClock;
  /** Counts only for requests that the test lets fail. */
  readonly timeoutMs?: number;
}

function createClient({
  issuer = proxy.url,
  clock = createTestClock(Date.now()),
  timeoutMs,
}: ClientOptions = {}): Client {
  const source = createTokenSource({
    issuer,
    clientId,
    credential: clientSecret(secret),
    clock,
    random: () => 0.5,
    ...(timeoutMs !== undefined && { timeoutMs, fetch: impatient }),
  });
  const get = (): AccessToken | Promise<AccessToken> => source.get(requirement);
  return {
    clock,
    get,
    async fail() {
      const error = await Promise.resolve(get()).then(
        () => undefined,
        (failure: unknown) => failure,
      );
      if (!(error instanceof TokenError)) throw new Error(`expected a TokenError, got ${inspect(error)}`);
      expectNoSecret(error);
      return error;
    },
  };
}

/** The path that the running test lets fail. */
let struck: string | undefined;
afterEach(() => {
  struck = undefined;
});

function strike(fault: Fault, path: string): void {
  struck = path;
  proxy.always(fault, { path });
}

function recover(): void {
  struck = undefined;
  proxy.clear();
}

// On a busy machine a good answer may take as long as the short time-out.
function impatient(input: string | URL | Request, init: RequestInit = {}): Promise<Response> {
  const { pathname } = new URL(input instanceof Request ? input.url : input);
  return fetch(input, pathname === struck ? init : { ...init, signal: null });
}

// Every part of an error that anybody could print.
function expectNoSecret(error: TokenError): void {
  const shown = [
    inspect(error, { depth: Infinity, showHidden: true, getters: true }),
    JSON.stringify(error),
    String(error),
    error.stack,
  ].join("\n");
  const basic = Buffer.from(`${clientId}:${encodeURIComponent(secret)}`).toString("base64");
  for (const hidden of [secret, encodeURIComponent(secret), basic, "secret+with", "eyJ", "opaque-token"]) {
    expect(shown).not.toContain(hidden);
  }
  // Nor the middle of a token.
  expect(shown).not.toMatch(/[\w-]{40}/);
}

/** A fault, and what comes of it. */
interface Case {
  readonly name: string;
  readonly fault: (now: number) => Fault;
  readonly kind: "unavailable" | "refused";
  readonly oauthError?: string;
  /** What the error's message says. */
  readonly says: RegExp;
  readonly timeoutMs?: number;
}

/** Faults after which there is no token, at the token endpoint. */
const failures: readonly Case[] = [
  {
    name: "a delay beyond the time-out",
    fault: () => ({ kind: "delay", ms: 60_000 }),
    kind: "unavailable",
    says: /timed out/,
    timeoutMs: 250,
  },
  { name: "a hang", fault: () => ({ kind: "hang" }), kind: "unavailable", says: /timed out/, timeoutMs: 250 },
  {
    name: "a slow drip",
    fault: () => ({ kind: "drip", everyMs: 20 }),
    kind: "unavailable",
    says: /no access token/,
    timeoutMs: 250,
  },
  { name: "a reset", fault: () => ({ kind: "reset" }), kind: "unavailable", says: /ECONNRESET/ },
  { name: "an answer that breaks off", fault: () => ({ kind: "disconnect" }), kind: "unavailable", says: /HTTP 200/ },
  {
    name: "429 with Retry-After in seconds",
    fault: () => ({ kind: "status", status: 429, retryAfter: 15 }),
    kind: "unavailable",
    says: /HTTP 429/,
  },
  {
    name: "429 with Retry-After as a date",
    fault: (now) => ({ kind: "status", status: 429, retryAfter: new Date(now + 15_000) }),
    kind: "unavailable",
    says: /HTTP 429/,
  },
  { name: "500", fault: () => ({ kind: "status", status: 500 }), kind: "unavailable", says: /HTTP 500/ },
  {
    name: "503 in the words of OAuth",
    fault: () => ({ kind: "status", status: 503, body: { error: "temporarily_unavailable" } }),
    kind: "unavailable",
    says: /HTTP 503/,
  },
  {
    name: "401 invalid_client with a challenge",
    fault: () => ({
      kind: "status",
      status: 401,
      headers: { "www-authenticate": "Basic" },
      body: { error: "invalid_client", error_description: `${secret} is wrong` },
    }),
    kind: "refused",
    oauthError: "invalid_client",
    says: /refused: invalid_client$/,
  },
  {
    name: "400 invalid_scope",
    fault: () => ({ kind: "status", status: 400, body: { error: "invalid_scope", error_description: "not yours" } }),
    kind: "refused",
    oauthError: "invalid_scope",
    says: /refused: invalid_scope \(not yours\)$/,
  },
  {
    name: "an OAuth error that quotes the secret",
    fault: () => ({
      kind: "status",
      status: 400,
      body: { error: "invalid_request", error_description: `? ${secret}` },
    }),
    kind: "refused",
    oauthError: "invalid_request",
    says: /refused: invalid_request$/,
  },
  { name: "the page of a firewall", fault: () => ({ kind: "html" }), kind: "unavailable", says: /HTTP 403/ },
  {
    name: "the page of a firewall with status 200",
    fault: () => ({ kind: "html", status: 200 }),
    kind: "unavailable",
    says: /HTTP 200/,
  },
  { name: "an empty 200", fault: () => ({ kind: "empty" }), kind: "unavailable", says: /HTTP 200/ },
  { name: "truncated JSON", fault: () => ({ kind: "truncate" }), kind: "unavailable", says: /HTTP 200/ },
  {
    name: "a redirect with status 307",
    fault: () => ({ kind: "redirect", location: `${elsewhere.url}/token` }),
    kind: "unavailable",
    says: /HTTP 307/,
  },
  {
    name: "a redirect with status 302",
    fault: () => ({ kind: "redirect", location: `${elsewhere.url}/token`, status: 302 }),
    kind: "unavailable",
    says: /HTTP 302/,
  },
  { name: "an expires_in of 0", fault: () => rewrite({ expires_in: 0 }), kind: "refused", says: /expired already/ },
  { name: "a negative expires_in", fault: () => rewrite({ expires_in: -1 }), kind: "unavailable", says: /HTTP 200/ },
  {
    name: "an expires_in that is no number",
    fault: () => rewrite({ expires_in: "soon" }),
    kind: "unavailable",
    says: /HTTP 200/,
  },
  {
    name: "a token_type that is not bearer",
    fault: () => rewrite({ token_type: "DPoP" }),
    kind: "refused",
    says: /no bearer token/,
  },
  { name: "no token_type", fault: () => rewrite({ token_type: undefined }), kind: "unavailable", says: /HTTP 200/ },
  { name: "no access_token", fault: () => rewrite({ access_token: undefined }), kind: "unavailable", says: /HTTP 200/ },
  {
    name: "an access_token with a line break",
    fault: () => rewrite({ access_token: "opaque-token\r\nx: y" }),
    kind: "refused",
    says: /no header can carry/,
  },
];

function rewrite(change: Record<string, unknown>): Fault {
  return { kind: "rewrite", change };
}

describe("a client without a token, while the token endpoint answers with", () => {
  it.each(failures)("$name, fails once, leaves the server alone, and recovers", async (row) => {
    const { fault, kind, oauthError, says, ...options } = row;
    const client = createClient(options);
    strike(fault(client.clock.now()), tokenPath);
    const error = await client.fail();
    expect(error).toMatchObject({ kind, oauthError, attempt: 1, issuer: proxy.url, clientId, ...requirement });
    expect(error.message).toMatch(says);
    // The back-off: the same error, without a request.
    expect(await client.fail()).toBe(error);
    expect(requestsTo(tokenPath)).toHaveLength(1);

    recover();
    await client.clock.advance(15_001);
    expect((await client.get()).expiresAt).toBe(client.clock.now() + 300_000);
    expect(requestsTo(tokenPath)).toHaveLength(2);
    expect(requestsTo(discoveryPath)).toHaveLength(1);
  });
});

describe("a client with a valid token, while the token endpoint answers with", () => {
  it.each(failures)("$name, hands it out until it can be refreshed", async ({ fault, name: _, ...options }) => {
    const client = createClient(options);
    const token = await client.get();
    // Half a second before the margin, so that the back-off of a failed refresh is on in the margin.
    await client.clock.advance(269_500);
    strike(fault(client.clock.now()), tokenPath);
    expect(client.get()).toBe(token);
    await client.clock.advance(600);
    expect(await client.get()).toBe(token);
    expect(client.get()).toBe(token);
    expect(requestsTo(tokenPath)).toHaveLength(2);

    recover();
    await client.clock.advance(15_001);
    const refreshed = await client.get();
    expect(refreshed.value).not.toBe(token.value);
    expect(refreshed.expiresAt).toBe(client.clock.now() + 300_000);
    expect(requestsTo(tokenPath)).toHaveLength(3);
  });
});

describe("a client whose token endpoint answers oddly gets a token", () => {
  it.each<[string, Fault, number]>([
    ["that comes late, but in time", { kind: "delay", ms: 20 }, 300],
    ["with an expires_in that is a text", rewrite({ expires_in: "200" }), 200],
    ["with half a second to live", rewrite({ expires_in: 0.5 }), 0.5],
    ["with an expires_in of 1e12", rewrite({ access_token: "opaque-token", expires_in: 1e12 }), 1e12],
    ["with less scope than asked for", rewrite({ scope: "payments:read" }), 300],
    ["with a token_type in capitals", rewrite({ token_type: "BEARER" }), 300],
    ["that is opaque", rewrite({ access_token: "opaque-token" }), 300],
    [
      "that is opaque and does not say how long it lives",
      rewrite({ access_token: "opaque", expires_in: undefined }),
      300,
    ],
  ])("%s", async (_, fault, seconds) => {
    const client = createClient();
    strike(fault, tokenPath);
    const token = await client.get();
    expect(token.expiresAt).toBe(client.clock.now() + seconds * 1000);
    expect(client.get()).toBe(token);
    expect(requestsTo(tokenPath)).toHaveLength(1);
  });

  it("that says itself how long it lives, where expires_in is missing", async () => {
    const client = createClient();
    strike(rewrite({ expires_in: undefined }), tokenPath);
    const token = await client.get();
    const { exp } = JSON.parse(Buffer.from(token.value.split(".")[1] ?? "", "base64url").toString()) as { exp: number };
    expect(token.expiresAt).toBe(Math.min(exp * 1000, client.clock.now() + 300_000));
  });
});

describe("a client whose token endpoint is unwell", () => {
  it.each<[string, (now: number) => number | Date]>([
    ["seconds", () => 120],
    ["a date", (now) => new Date(now + 120_000)],
  ])("leaves it alone for as long as Retry-After says in %s", async (_, retryAfter) => {
    const client = createClient();
    // A date has no milliseconds.
    client.clock.jump(-(client.clock.now() % 1000));
    strike({ kind: "status", status: 429, retryAfter: retryAfter(client.clock.now()) }, tokenPath);
    await client.fail();
    await client.clock.advance(119_999);
    await client.fail();
    expect(requestsTo(tokenPath)).toHaveLength(1);
    await client.clock.advance(1);
    expect((await client.fail()).attempt).toBe(2);
    expect(requestsTo(tokenPath)).toHaveLength(2);
  });

  it("backs off longer with each failure, and starts over after a success", async () => {
    const client = createClient();
    proxy.next({ kind: "status", status: 503 }, { path: tokenPath, times: 4 });
    // Half of 2, 4, 8 and 16 s: that is how the randomness falls.
    for (const [i, pause] of [1000, 2000, 4000, 8000].entries()) {
      expect((await client.fail()).attempt).toBe(i + 1);
      await client.clock.advance(pause - 1);
      await client.fail();
      await client.clock.advance(1);
    }
    await client.get();
    expect(requestsTo(tokenPath).map(({ status }) => status)).toEqual([503, 503, 503, 503, 200]);

    await client.clock.advance(300_000);
    proxy.next({ kind: "reset" }, { path: tokenPath });
    expect((await client.fail()).attempt).toBe(1);
  });

  it("makes one request for a hundred callers, who all hear of its time-out", async () => {
    const client = createClient({ timeoutMs: 250 });
    strike({ kind: "hang" }, tokenPath);
    const errors = await Promise.all(Array.from({ length: 100 }, () => client.fail()));
    expect(new Set(errors).size).toBe(1);
    expect(requestsTo(tokenPath)).toHaveLength(1);
  });

  it("does not hand out the token once it has expired", async () => {
    const client = createClient();
    await client.get();
    strike({ kind: "status", status: 500 }, tokenPath);
    await client.clock.advance(299_999);
    await client.get();
    await client.clock.advance(1);
    expect((await client.fail()).kind).toBe("unavailable");
  });

  it("shows the proxy what it asks for, and the log no secret", async () => {
    const client = createClient();
    await client.get();
    expect(requestsTo(tokenPath)).toEqual([
      {
        method: "POST",
        path: tokenPath,
        at: expect.any(Number),
        fields: expect.arrayContaining(["grant_type", "resource", "scope"]),
        form: {
          grant_type: "client_credentials",
          resource: requirement.audience,
          scope: "payments:write",
        },
        fault: "pass",
        status: 200,
        problem: undefined,
      },
    ]);
  });
});

describe("a client whose authorization server hands out the same token again", () => {
  it("asks at half of what is left each time, and then gets a new one", async () => {
    const start = Date.now();
    const clock = createTestClock(start);
    const { proxy: repeating, server: behind } = await startBehindProxy(clock);
    onTestFinished(async () => {
      await Promise.all([repeating.close(), behind.close()]);
    });
    const client = createClient({ issuer: repeating.url, clock });
    const first = await client.get();
    repeating.always({ kind: "replay" }, { path: tokenPath });

    let current = first;
    // Soft at 247.5 s; asked at 248, so 52 s are left; then half of that, and half of the rest. In the last moment before,
    // a caller must not cost a request: it would show in the count.
    for (const [before, until] of [
      [247_499, 248_000],
      [273_999, 274_000],
      [286_999, 287_000],
    ] as const) {
      await clock.advance(start + before - clock.now());
      expect(client.get()).toBe(current);
      await clock.advance(start + until - clock.now());
      expect(client.get()).toBe(current);
      await vi.waitFor(() => expect(client.get()).not.toBe(current), { interval: 2 });
      current = await client.get();
      expect([current.value, current.expiresAt]).toEqual([first.value, first.expiresAt]);
    }
    expect(repeating.requests.filter(({ path }) => path === tokenPath)).toHaveLength(4);

    repeating.clear();
    await clock.advance(13_000);
    expect((await client.get()).value).not.toBe(first.value);
  });

  it("believes what the answer says about its lifetime", async () => {
    const client = createClient();
    const first = await client.get();
    await client.clock.advance(280_000);
    strike({ kind: "replay", countDown: false }, tokenPath);
    const again = await client.get();
    expect([again.value, again.expiresAt]).toEqual([first.value, client.clock.now() + 300_000]);
    expect(client.get()).toBe(again);
    expect(requestsTo(tokenPath)).toHaveLength(2);
  });
});

/** Faults of discovery, after which there is no token either. */
const discoveryFailures: readonly Case[] = [
  { name: "a hang", fault: () => ({ kind: "hang" }), kind: "unavailable", says: /timed out/, timeoutMs: 250 },
  {
    name: "a slow drip",
    fault: () => ({ kind: "drip", everyMs: 20 }),
    kind: "unavailable",
    says: /no access token/,
    timeoutMs: 250,
  },
  { name: "a reset", fault: () => ({ kind: "reset" }), kind: "unavailable", says: /ECONNRESET/ },
  {
    name: "an answer that breaks off",
    fault: () => ({ kind: "disconnect" }),
    kind: "unavailable",
    says: /no metadata/,
  },
  { name: "429", fault: () => ({ kind: "status", status: 429 }), kind: "unavailable", says: /HTTP 429/ },
  { name: "500", fault: () => ({ kind: "status", status: 500 }), kind: "unavailable", says: /HTTP 500/ },
  { name: "503", fault: () => ({ kind: "status", status: 503 }), kind: "unavailable", says: /HTTP 503/ },
  {
    name: "the page of a firewall with status 200",
    fault: () => ({ kind: "html", status: 200 }),
    kind: "unavailable",
    says: /no metadata/,
  },
  { name: "an empty 200", fault: () => ({ kind: "empty" }), kind: "unavailable", says: /no metadata/ },
  { name: "truncated JSON", fault: () => ({ kind: "truncate" }), kind: "unavailable", says: /no metadata/ },
  { name: "404", fault: () => ({ kind: "status", status: 404 }), kind: "refused", says: /HTTP 404/ },
  {
    name: "a redirect",
    fault: () => ({ kind: "redirect", location: `${elsewhere.url}${discoveryPath}` }),
    kind: "refused",
    says: /HTTP 307/,
  },
  {
    name: "the metadata of another issuer",
    fault: () => rewrite({ issuer: elsewhere.url }),
    kind: "refused",
    says: /another issuer/,
  },
  {
    name: "an issuer that differs by a slash",
    fault: () => rewrite({ issuer: `${proxy.url}/` }),
    kind: "refused",
    says: /calls itself/,
  },
  {
    name: "no token_endpoint",
    fault: () => rewrite({ token_endpoint: undefined }),
    kind: "refused",
    says: /no token_endpoint/,
  },
  {
    name: "a token_endpoint without TLS",
    fault: () => rewrite({ token_endpoint: "http://login.test/token" }),
    kind: "refused",
    says: /without TLS/,
  },
];

describe("a client whose discovery is answered with", () => {
  it.each(discoveryFailures)("$name, fails once, sends its credential nowhere, and recovers", async (row) => {
    const { fault, kind, says, ...options } = row;
    const client = createClient(options);
    strike(fault(client.clock.now()), discoveryPath);
    const error = await client.fail();
    expect(error).toMatchObject({ kind, oauthError: undefined, attempt: 1 });
    expect(error.message).toMatch(says);
    expect(await client.fail()).toBe(error);
    expect([requestsTo(discoveryPath).length, requestsTo(tokenPath).length]).toEqual([1, 0]);

    recover();
    await client.clock.advance(1001);
    expect((await client.get()).expiresAt).toBe(client.clock.now() + 300_000);
    expect([requestsTo(discoveryPath).length, requestsTo(tokenPath).length]).toEqual([2, 1]);
  });

  it.each(discoveryFailures)("$name, when it has its metadata already, does not notice", async ({ fault }) => {
    const client = createClient();
    await client.get();
    strike(fault(client.clock.now()), discoveryPath);
    await client.clock.advance(300_000);
    expect((await client.get()).expiresAt).toBe(client.clock.now() + 300_000);
    expect(requestsTo(discoveryPath)).toHaveLength(1);
  });
});
