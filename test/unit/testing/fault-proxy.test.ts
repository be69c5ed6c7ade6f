// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { inspect } from "node:util";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import { createTestClock, type FaultProxy, type FaultProxyOptions, startFaultProxy } from "../../../src/testing.js";
import { startUpstream, type Upstream } from "./upstream.js";

/** Starts a proxy that ends with the test. */
async function startProxy(upstream?: Upstream, options: FaultProxyOptions = {}): Promise<FaultProxy> {
  const proxy = await startFaultProxy({ ...options, ...(upstream && { target: upstream.url }) });
  onTestFinished(() => proxy.close());
  return proxy;
}

function post(proxy: FaultProxy, form: Record<string, string> = {}, init: RequestInit = {}): Promise<Response> {
  return fetch(`${proxy.url}/token`, { method: "POST", body: new URLSearchParams(form), redirect: "manual", ...init });
}

describe("a fault proxy without faults", () => {
  it("passes on method, path, query, headers and body, with the client's own Host header", async () => {
    const upstream = await startUpstream();
    const proxy = await startProxy(upstream);
    await fetch(`${proxy.url}/a/b?c=d`, {
      method: "PUT",
      headers: { authorization: "Basic abc", "x-custom": "1" },
      body: "hello",
    });
    expect(upstream.requests).toEqual([
      {
        method: "PUT",
        url: "/a/b?c=d",
        body: "hello",
        headers: expect.objectContaining({
          host: new URL(proxy.url).host,
          authorization: "Basic abc",
          "x-custom": "1",
          "content-length": "5",
        }),
      },
    ]);
  });

  it("passes on status, headers and body of the answer", async () => {
    const upstream = await startUpstream((response) => {
      response.writeHead(401, [
        ["www-authenticate", "Basic"],
        ["set-cookie", "a=1"],
        ["set-cookie", "b=2"],
        ["content-type", "text/plain"],
      ]);
      response.write("who ");
      response.end("are you?");
    });
    const response = await post(await startProxy(upstream));
    expect(response.status).toBe(401);
    expect(response.headers.get("www-authenticate")).toBe("Basic");
    expect(response.headers.getSetCookie()).toEqual(["a=1", "b=2"]);
    expect(await response.text()).toBe("who are you?");
  });

  it("does not ask for a compressed answer, which it could not rewrite", async () => {
    const upstream = await startUpstream();
    await post(await startProxy(upstream));
    expect(upstream.requests[0]?.headers["accept-encoding"]).toBeUndefined();
  });

  it("can be started before the server, and sent to another one", async () => {
    const proxy = await startProxy();
    proxy.forwardTo((await startUpstream((response) => response.end("one"))).url);
    expect(await (await post(proxy)).text()).toBe("one");
    proxy.forwardTo((await startUpstream((response) => response.end("two"))).url);
    expect(await (await post(proxy)).text()).toBe("two");
  });

  it("answers 502 and says why when there is no server to ask", async () => {
    const proxy = await startProxy();
    const response = await post(proxy);
    expect([response.status, await response.text()]).toEqual([
      502,
      "fault proxy: there is no server to forward to; call forwardTo()\n",
    ]);
    proxy.forwardTo("http://127.0.0.1:1");
    expect((await post(proxy)).status).toBe(502);
    expect(proxy.requests.map(({ status, problem }) => [status, problem])).toEqual([
      [502, "there is no server to forward to; call forwardTo()"],
      [502, expect.stringMatching(/^http:\/\/127\.0\.0\.1:1 cannot be reached \(\w+\)$/)],
    ]);
  });

  it("answers 502 when the server breaks off", async () => {
    const upstream = await startUpstream((response) => {
      response.setHeader("content-length", 100);
      response.write("some", () => response.destroy());
    });
    const proxy = await startProxy(upstream);
    expect((await post(proxy)).status).toBe(502);
    expect(proxy.requests[0]?.problem).toBe(`${upstream.url} cannot be reached (ECONNRESET)`);
  });

  it.each(["https://127.0.0.1", "http://127.0.0.1/realms/a", "http://127.0.0.1?a=b", "127.0.0.1:8080", ""])(
    "refuses to forward to %j",
    async (url) => {
      const proxy = await startProxy();
      expect(() => proxy.forwardTo(url)).toThrow(TypeError);
      await expect(startFaultProxy({ target: url })).rejects.toThrow(TypeError);
    },
  );
});

describe("a plain client behind a fault proxy sees", () => {
  it("a delay: the real answer, late", async () => {
    const clock = createTestClock();
    const upstream = await startUpstream();
    const proxy = await startProxy(upstream, { clock });
    proxy.next({ kind: "delay", ms: 1000 });
    let arrived = false;
    const response = post(proxy).finally(() => {
      arrived = true;
    });
    await vi.waitFor(() => expect(clock.pending).toBe(1), { interval: 5 });
    expect(upstream.requests).toHaveLength(1);
    await clock.advance(999);
    expect([arrived, proxy.requests[0]?.status]).toEqual([false, undefined]);
    await clock.advance(1);
    expect(await (await response).json()).toMatchObject({ access_token: "token-1" });
    expect(proxy.requests[0]).toMatchObject({ fault: "delay", status: 200 });
  });

  it("a hang: nothing, and the server no request", async () => {
    const upstream = await startUpstream();
    const proxy = await startProxy(upstream);
    proxy.next({ kind: "hang" });
    const patience = new AbortController();
    const response = post(proxy, {}, { signal: patience.signal });
    await vi.waitFor(() => expect(proxy.requests).toHaveLength(1), { interval: 5 });
    patience.abort();
    await expect(response).rejects.toThrow("aborted");
    expect(proxy.requests[0]).toMatchObject({ fault: "hang", status: undefined });
    expect(upstream.requests).toEqual([]);
  });

  it("a reset: ECONNRESET", async () => {
    const proxy = await startProxy(await startUpstream());
    proxy.next({ kind: "reset" });
    await expect(post(proxy)).rejects.toMatchObject({ cause: { code: "ECONNRESET" } });
    expect(proxy.requests[0]).toMatchObject({ fault: "reset", status: undefined });
  });

  it("a disconnect: an answer that breaks off in its middle", async () => {
    const proxy = await startProxy(await startUpstream());
    proxy.next({ kind: "disconnect" });
    const response = await post(proxy);
    expect(response.status).toBe(200);
    await expect(response.text()).rejects.toThrow("terminated");
  });

  it("a status: with its headers and a body", async () => {
    const upstream = await startUpstream();
    const proxy = await startProxy(upstream);
    proxy.next({ kind: "status", status: 500 });
    proxy.next({ kind: "status", status: 503, headers: { "X-Request-Id": "7" }, body: "down for maintenance" });
    proxy.next({ kind: "status", status: 400, body: { error: "invalid_scope" } });
    proxy.next({ kind: "status", status: 400, headers: { "Content-Type": "application/problem+json" }, body: {} });
    const seen = [];
    for (let i = 0; i < 4; i += 1) {
      const response = await post(proxy);
      const { status, headers } = response;
      seen.push([status, headers.get("content-type"), headers.get("x-request-id"), await response.text()]);
    }
    expect(seen).toEqual([
      [500, null, null, ""],
      [503, "text/plain", "7", "down for maintenance"],
      [400, "application/json", null, '{"error":"invalid_scope"}'],
      [400, "application/problem+json", null, "{}"],
    ]);
    expect(upstream.requests).toEqual([]);
  });

  it("a Retry-After: as seconds or as a date", async () => {
    const proxy = await startProxy(await startUpstream());
    proxy.next({ kind: "status", status: 429, retryAfter: 120 });
    proxy.next({ kind: "status", status: 429, retryAfter: new Date(Date.UTC(2026, 0, 1, 0, 2)) });
    expect((await post(proxy)).headers.get("retry-after")).toBe("120");
    expect((await post(proxy)).headers.get("retry-after")).toBe("Thu, 01 Jan 2026 00:02:00 GMT");
  });

  it("the page of a firewall", async () => {
    const proxy = await startProxy(await startUpstream());
    proxy.next({ kind: "html" });
    proxy.next({ kind: "html", status: 200 });
    const response = await post(proxy);
    expect([response.status, response.headers.get("content-type")]).toEqual([403, "text/html; charset=utf-8"]);
    expect(await response.text()).toMatch(/^<!doctype html>/);
    expect((await post(proxy)).status).toBe(200);
  });

  it("an empty answer", async () => {
    const proxy = await startProxy(await startUpstream());
    proxy.next({ kind: "empty" });
    proxy.next({ kind: "empty", status: 204 });
    const response = await post(proxy);
    expect([response.status, response.headers.get("content-type"), await response.text()]).toEqual([200, null, ""]);
    expect((await post(proxy)).status).toBe(204);
  });

  it("a truncated answer: whole for HTTP, cut for JSON", async () => {
    const proxy = await startProxy(await startUpstream());
    const whole = await (await post(proxy)).text();
    proxy.next({ kind: "truncate" });
    proxy.next({ kind: "truncate", keepBytes: 10 });
    proxy.next({ kind: "truncate", keepBytes: 10_000 });
    const response = await post(proxy);
    expect(response.headers.get("content-type")).toBe("application/json");
    expect(await response.text()).toBe(whole.slice(0, Math.floor(whole.length / 2)).replace("token-1", "token-2"));
    expect(await (await post(proxy)).text()).toBe(whole.slice(0, 10));
    expect(await (await post(proxy)).text()).toBe(whole.replace("token-1", "token-4"));
  });

  it.each<[string, Record<string, unknown>, Record<string, unknown>]>([
    ["without expires_in", { expires_in: undefined }, { access_token: "token-1", token_type: "Bearer" }],
    ["with an expires_in of 0", { expires_in: 0 }, { expires_in: 0 }],
    ["with a negative expires_in", { expires_in: -1 }, { expires_in: -1 }],
    ["with an expires_in that is a text", { expires_in: "300" }, { expires_in: "300" }],
    ["with an expires_in of 1e12", { expires_in: 1e12 }, { expires_in: 1e12 }],
    ["with another token_type", { token_type: "DPoP" }, { token_type: "DPoP" }],
    ["with less scope", { scope: "a" }, { scope: "a" }],
    ["with an opaque access token", { access_token: "opaque" }, { access_token: "opaque" }],
  ])("an answer that is rewritten %s", async (_, change, expected) => {
    const proxy = await startProxy(await startUpstream());
    proxy.next({ kind: "rewrite", change });
    const answer = await (await post(proxy)).json();
    expect(answer).toEqual({
      ...(Object.hasOwn(change, "expires_in") ? {} : { expires_in: 300 }),
      access_token: "token-1",
      token_type: "Bearer",
      ...expected,
    });
  });

  it("an answer that a function rewrites", async () => {
    const proxy = await startProxy(await startUpstream());
    proxy.next({ kind: "rewrite", change: ({ access_token: token }) => [token] });
    expect(await (await post(proxy)).text()).toBe('["token-1"]');
  });

  it("a redirect: with status 307 unless told otherwise", async () => {
    const upstream = await startUpstream();
    const proxy = await startProxy(upstream);
    const location = "http://127.0.0.1:9/elsewhere";
    proxy.next({ kind: "redirect", location });
    proxy.next({ kind: "redirect", location, status: 302 });
    for (const status of [307, 302]) {
      const response = await post(proxy);
      expect([response.status, response.headers.get("location")]).toEqual([status, location]);
    }
    expect(upstream.requests).toEqual([]);
  });

  it("a drip: the head at once, the body piece by piece", async () => {
    const clock = createTestClock();
    const proxy = await startProxy(await startUpstream((response) => response.end("abcdefg")), { clock });
    proxy.next({ kind: "drip", everyMs: 100, bytes: 3 });
    const reader = (await post(proxy)).body?.getReader();
    const pieces: string[] = [];
    for (let i = 0; i < 3; i += 1) {
      await vi.waitFor(() => expect(clock.pending).toBe(1), { interval: 5 });
      await clock.advance(100);
      pieces.push(new TextDecoder().decode((await reader?.read())?.value));
    }
    expect(pieces).toEqual(["abc", "def", "g"]);
    expect((await reader?.read())?.done).toBe(true);
    expect(clock.pending).toBe(0);
  });
});

describe("a fault that changes the real answer", () => {
  it.each([
    ["rewritten", { kind: "rewrite", change: {} }],
    ["replayed with its lifetime counted down", { kind: "replay" }],
  ] as const)("makes the proxy answer 502 if what is to be %s is no JSON object", async (_, fault) => {
    const upstream = await startUpstream((response) => response.end("token-1, and no JSON"));
    const proxy = await startProxy(upstream);
    await post(proxy);
    proxy.next(fault);
    const response = await post(proxy);
    const problem = "the real answer (HTTP 200) is no JSON object";
    expect([response.status, await response.text()]).toEqual([502, `fault proxy: ${problem}\n`]);
    expect(proxy.requests[1]).toMatchObject({ status: 502, problem });
  });

  it("makes the proxy answer 502 if its function throws, and quotes nothing of that", async () => {
    const proxy = await startProxy(await startUpstream());
    proxy.next({
      kind: "rewrite",
      change: ({ access_token: token }) => {
        throw new RangeError(`bad ${token}`);
      },
    });
    expect(await (await post(proxy)).text()).toBe(
      "fault proxy: the function that rewrites the answer threw (RangeError)\n",
    );
  });

  it("makes the proxy answer 502 if what it describes cannot be sent", async () => {
    const proxy = await startProxy(await startUpstream());
    proxy.next({ kind: "status", status: 400, body: 1n });
    expect((await post(proxy)).status).toBe(502);
    expect(proxy.requests[0]?.problem).toBe("the fault could not be carried out");
  });
});

describe("a replay", () => {
  const question = { grant_type: "client_credentials", scope: "a", resource: "https://one" };

  it("repeats the last real answer, with its expires_in counted down", async () => {
    const clock = createTestClock();
    const upstream = await startUpstream();
    const proxy = await startProxy(upstream, { clock });
    await post(proxy, question);
    await post(proxy, question);
    await clock.advance(10_999);
    proxy.always({ kind: "replay" });
    expect(await (await post(proxy, question)).json()).toMatchObject({ access_token: "token-2", expires_in: 290 });
    await clock.advance(1_000_000);
    expect(await (await post(proxy, question)).json()).toMatchObject({ access_token: "token-2", expires_in: 0 });
    expect(upstream.requests).toHaveLength(2);
  });

  it("repeats it as it was, if told so", async () => {
    const clock = createTestClock();
    const proxy = await startProxy(await startUpstream(), { clock });
    await post(proxy, question);
    await clock.advance(10_000);
    proxy.next({ kind: "replay", countDown: false });
    expect(await (await post(proxy, question)).json()).toMatchObject({ access_token: "token-1", expires_in: 300 });
  });

  it("leaves an answer without expires_in as it is", async () => {
    const proxy = await startProxy(await startUpstream((response) => response.end('{"access_token": "a"}')));
    await post(proxy);
    proxy.next({ kind: "replay" });
    expect(await (await post(proxy)).text()).toBe('{"access_token": "a"}');
  });

  it("is the real answer as long as there was none to the same question", async () => {
    const proxy = await startProxy(await startUpstream());
    proxy.always({ kind: "replay" });
    const tokenFor = async (form: Record<string, string>): Promise<unknown> => {
      const { access_token: token } = (await (await post(proxy, form)).json()) as Record<string, unknown>;
      return token;
    };
    expect(await tokenFor(question)).toBe("token-1");
    expect(await tokenFor({ ...question, resource: "https://two" })).toBe("token-2");
    expect(await tokenFor({ ...question, client_assertion: "never the same" })).toBe("token-1");
  });

  it("does not repeat a failure", async () => {
    const proxy = await startProxy(
      await startUpstream((response, count) => {
        response.statusCode = count === 1 ? 503 : 200;
        response.end(`{"count":${count}}`);
      }),
    );
    proxy.always({ kind: "replay" });
    expect(await (await post(proxy)).text()).toBe('{"count":1}');
    expect(await (await post(proxy)).text()).toBe('{"count":2}');
    expect(await (await post(proxy)).text()).toBe('{"count":2}');
  });
});

describe("the log of a fault proxy", () => {
  it("tells method, path, time, fault and status of every request, in order", async () => {
    const clock = createTestClock();
    const proxy = await startProxy(await startUpstream(), { clock });
    proxy.next({ kind: "status", status: 503 }, { path: "/token" });
    await fetch(`${proxy.url}/.well-known/openid-configuration?x=y`);
    await clock.advance(5);
    await post(proxy);
    const { now } = clock;
    const rest = { fields: [], form: {}, problem: undefined };
    expect(proxy.requests).toEqual([
      { ...rest, method: "GET", path: "/.well-known/openid-configuration", at: now() - 5, fault: "pass", status: 200 },
      { ...rest, method: "POST", path: "/token", at: now(), fault: "status", status: 503 },
    ]);
  });

  it("tells the names of all fields, and the values of those that are known to be no secret", async () => {
    const proxy = await startProxy(await startUpstream());
    const body = new URLSearchParams([
      ["grant_type", "client_credentials"],
      ["resource", "https://one"],
      ["resource", "https://two"],
      ["scope", "a b"],
      ["client_id", "order-service"],
      ["client_secret", "hidden-1"],
      ["x_extension", "hidden-2"],
    ]);
    await fetch(`${proxy.url}/token`, { method: "POST", body });
    expect(proxy.requests[0]).toMatchObject({
      fields: ["grant_type", "resource", "resource", "scope", "client_id", "client_secret", "x_extension"],
      form: {
        grant_type: "client_credentials",
        resource: "https://one https://two",
        scope: "a b",
        client_id: "order-service",
      },
    });
  });

  it("shows no secret and no token, wherever it was sent", async () => {
    const upstream = await startUpstream((response) => response.end('{"access_token":"hidden-0"}'));
    const proxy = await startProxy(upstream);
    const names = ["client_secret", "client_assertion", "token", "assertion", "password", "code", "refresh_token"];
    const form = Object.fromEntries(names.map((name, i) => [name, `hidden-${i}`]));
    proxy.next({ kind: "replay" });
    proxy.next({ kind: "rewrite", change: { access_token: "hidden-8" } });
    for (let i = 0; i < 3; i += 1) await post(proxy, form, { headers: { authorization: "Basic hidden-9" } });
    await fetch(`${proxy.url}/token?client_secret=hidden-10`, {
      method: "POST",
      body: '{"client_secret":"hidden-11"}',
    });
    expect(upstream.requests).toHaveLength(4);
    const shown = inspect(proxy, { depth: Infinity, showHidden: true, getters: true }) + JSON.stringify(proxy);
    expect(shown).toContain("client_assertion");
    expect(shown).not.toContain("hidden");
  });

  it("reads no fields out of a body that is no form", async () => {
    const proxy = await startProxy(await startUpstream());
    await fetch(`${proxy.url}/token`, { method: "POST", body: "grant_type=password" });
    expect(proxy.requests[0]).toMatchObject({ fields: [], form: {} });
  });
});

describe("a fault proxy leaves nothing behind", () => {
  it.each([
    ["a delay", { kind: "delay", ms: 1000 }],
    ["a drip", { kind: "drip", everyMs: 1000 }],
  ] as const)("when the client gives up on %s", async (_, fault) => {
    const clock = createTestClock();
    const proxy = await startProxy(await startUpstream(), { clock });
    proxy.next(fault);
    const patience = new AbortController();
    const outcome = post(proxy, {}, { signal: patience.signal })
      .then((response) => response.text())
      .catch((error: Error) => error.name);
    await vi.waitFor(() => expect(clock.pending).toBe(1), { interval: 5 });
    patience.abort();
    expect(await outcome).toBe("AbortError");
    await vi.waitFor(() => expect(clock.pending).toBe(0), { interval: 5 });
    expect((await post(proxy)).status).toBe(200);
  });

  it("when the client gives up on the server: that request ends as well", async () => {
    const upstream = await startUpstream(() => {});
    const proxy = await startProxy(upstream);
    const patience = new AbortController();
    const response = post(proxy, {}, { signal: patience.signal });
    await vi.waitFor(() => expect(upstream.requests).toHaveLength(1), { interval: 5 });
    patience.abort();
    await expect(response).rejects.toThrow();
    await vi.waitFor(async () => expect(await upstream.connections()).toBe(0), { interval: 5 });
    expect(proxy.requests[0]).toMatchObject({ status: undefined, problem: undefined });
  });

  it("when it is closed in the middle of every kind of waiting", async () => {
    const clock = createTestClock();
    const upstream = await startUpstream((response, _, { url }) => {
      if (url !== "/silent") response.end("abc");
    });
    const proxy = await startProxy(upstream, { clock });
    proxy.always({ kind: "hang" }, { path: "/hang" });
    proxy.always({ kind: "delay", ms: 1000 }, { path: "/delay" });
    proxy.always({ kind: "drip", everyMs: 1000 }, { path: "/drip" });
    const paths = ["/hang", "/delay", "/drip", "/silent"];
    const failures = paths.map((path) =>
      fetch(`${proxy.url}${path}`)
        .then((response) => response.text())
        .catch((error: Error) => error.constructor.name),
    );
    await vi.waitFor(() => expect([upstream.requests.length, clock.pending]).toEqual([3, 2]), { interval: 5 });
    await proxy.close();
    expect(await Promise.all(failures)).toEqual(paths.map(() => "TypeError"));
    expect(clock.pending).toBe(0);
    await vi.waitFor(async () => expect(await upstream.connections()).toBe(0), { interval: 5 });
    await expect(fetch(proxy.url)).rejects.toThrow();
    await proxy.close();
  });
});
