// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { clientCredentialsGrant, customFetch } from "openid-client";
import { describe, expect, it, vi } from "vitest";
import { configureRequest, discover } from "../../../src/discovery/discovery.js";
import { DiscoveryError, isTransientStatus, networkReason } from "../../../src/discovery/discovery-failure.js";
import { createFakeClock } from "../../support/fake-clock.js";
import {
  type Answer,
  createFakeTokenEndpoint,
  html,
  json,
  metadata,
  never,
  redirect,
  rejects,
  stalls,
  text,
  unreachable,
} from "../../support/fake-token-endpoint.js";
import { ruleTimeouts } from "./rule-timeouts.js";

const issuer = "https://login.test";

/** Discovers `issuer` at a server that gives this answer. */
async function discoverFrom(answer: Answer, asked: string = issuer) {
  const server = createFakeTokenEndpoint({ issuer: asked });
  server.answerDiscovery(answer);
  return await discover({ issuer: asked, fetch: server.fetch });
}

async function failureOf(discovery: Promise<unknown>): Promise<DiscoveryError> {
  const error = await discovery.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(DiscoveryError);
  return error as DiscoveryError;
}

describe("discover", () => {
  it("asks for the metadata below the issuer, and returns it", async () => {
    const server = createFakeTokenEndpoint({ issuer: "https://login.test/realms/mesh" });
    const found = await discover({ issuer: server.issuer, fetch: server.fetch });
    expect(found.issuer).toBe("https://login.test/realms/mesh");
    expect(found.token_endpoint).toBe("https://login.test/realms/mesh/token");
    expect(server.requests.map(({ method, url }) => `${method} ${url}`)).toEqual([
      "GET https://login.test/realms/mesh/.well-known/openid-configuration",
    ]);
    expect(server.requests[0]?.headers.get("accept")).toBe("application/json");
  });

  it("keeps members that it does not know", async () => {
    const found = await discoverFrom(metadata(issuer, { jwks_uri: "https://login.test/keys", extra: [1] }));
    expect(found).toMatchObject({ jwks_uri: "https://login.test/keys", extra: [1] });
  });

  it("uses plain http on loopback", async () => {
    const found = await discoverFrom(metadata("http://localhost:8080"), "http://localhost:8080");
    expect(found.issuer).toBe("http://localhost:8080");
  });

  it("uses the global fetch if it is given none", async () => {
    const server = createFakeTokenEndpoint();
    vi.stubGlobal("fetch", server.fetch);
    try {
      await discover({ issuer });
    } finally {
      vi.unstubAllGlobals();
    }
    expect(server.requests).toHaveLength(1);
  });

  it("sends nothing to an issuer that cannot be used", async () => {
    const server = createFakeTokenEndpoint();
    await expect(discover({ issuer: "http://login.test", fetch: server.fetch })).rejects.toThrow(TypeError);
    expect(server.requests).toEqual([]);
  });

  it("accepts an issuer with a slash at its end, written so on both sides", async () => {
    const found = await discoverFrom(metadata("https://login.test/"), "https://login.test/");
    expect(found.issuer).toBe("https://login.test/");
  });

  it.each([
    ["https://login.test", "https://login.test/"],
    ["https://login.test/", "https://login.test"],
    ["https://login.test", "https://LOGIN.test"],
    ["https://login.test", "https://login.test:443"],
    ["https://login.test/a", "https://login.test/b/../a"],
    ["https://login.test/~a", "https://login.test/%7ea"],
  ])("refuses, asked for %s, a server that calls itself %s", async (asked, calledItself) => {
    const error = await failureOf(discoverFrom(metadata(calledItself), asked));
    expect(error.kind).toBe("refused");
    expect(error.message).toContain(asked);
  });

  it("names the issuer to configure if only its spelling differs", async () => {
    const error = await failureOf(discoverFrom(metadata("https://login.test/")));
    expect(error.message).toContain("calls itself https://login.test/; configure exactly that issuer");
  });

  it.each(["https://evil.test", "https://login.test.evil.test", "https://login.test/other", "http://login.test"])(
    "refuses the metadata of another issuer: %s",
    async (other) => {
      const error = await failureOf(discoverFrom(metadata(other)));
      expect(error).toMatchObject({ kind: "refused", name: "DiscoveryError", code: "ERR_MESHAUTH_DISCOVERY" });
      expect(error.message).toContain("describes another issuer");
    },
  );

  it("compares the issuer itself where openid-client does not: at a metadata address, and at Entra", async () => {
    const address = "https://login.test/.well-known/openid-configuration";
    const fetchMetadata: typeof fetch = async () => Response.json({ issuer });
    expect(await failureOf(discover({ issuer: address, fetch: fetchMetadata }))).toMatchObject({ kind: "refused" });
    const entra = "https://login.microsoftonline.com/common/v2.0";
    const template = metadata("https://login.microsoftonline.com/{tenantid}/v2.0");
    expect(await failureOf(discoverFrom(template, entra))).toMatchObject({ kind: "refused" });
  });

  it.each([
    ["an issuer that is a number", json(200, { issuer: 1 })],
    ["no issuer", json(200, {})],
    ["an empty issuer", json(200, { issuer: "" })],
    ["a list", json(200, [])],
    ["null", json(200, null)],
  ])("refuses metadata that is %s", async (_, answer) => {
    const error = await failureOf(discoverFrom(answer));
    expect(error.kind).toBe("refused");
    expect(error.message).toContain(`discovery at ${issuer} was answered with no metadata`);
  });

  it.each([400, 401, 403, 404, 410, 204, 201])("takes HTTP %d for a refusal", async (status) => {
    const error = await failureOf(discoverFrom(text(status, "")));
    expect(error).toMatchObject({ kind: "refused" });
    expect(error.message).toContain(`HTTP ${status}`);
  });

  it.each([408, 425, 429, 500, 502, 503, 504, 599])("takes HTTP %d for something that may pass", async (status) => {
    const error = await failureOf(discoverFrom(html(status)));
    expect(error).toMatchObject({ kind: "unreachable" });
    expect(error.message).toContain(`HTTP ${status}`);
  });

  it.each([
    ["the page of a firewall", html(200)],
    ["an empty answer", text(200, "")],
    ["an empty answer that claims to be JSON", text(200, "", { "content-type": "application/json" })],
    ["JSON that was cut off", text(200, `{"issuer":"${issuer}`, { "content-type": "application/json" })],
  ])("takes %s for something that may pass", async (_, answer) => {
    const error = await failureOf(discoverFrom(answer));
    expect(error.kind).toBe("unreachable");
    expect(error.message).toContain("was answered with no metadata");
  });

  it.each([
    ["a refused connection", unreachable("ECONNREFUSED"), "ECONNREFUSED"],
    ["an unknown host", unreachable("ENOTFOUND"), "ENOTFOUND"],
    ["an error without a code", rejects(new Error("s3cr3t")), "no answer"],
    ["something that is no error", rejects("s3cr3t"), "no answer"],
    ["an aborted request", rejects(new DOMException("s3cr3t", "AbortError")), "no answer"],
  ])("takes %s for something that may pass", async (_, answer, reason) => {
    const error = await failureOf(discoverFrom(answer));
    expect(error).toMatchObject({ kind: "unreachable" });
    expect(error.message).toBe(`${issuer} cannot be reached (${reason})`);
  });

  it.each([301, 302, 303, 307, 308])("does not follow a redirect with HTTP %d", async (status) => {
    const server = createFakeTokenEndpoint();
    server.answerDiscovery(redirect(status, "https://evil.test/.well-known/openid-configuration"));
    const error = await failureOf(discover({ issuer, fetch: server.fetch }));
    expect(error).toMatchObject({ kind: "refused" });
    expect(server.requests.map(({ url }) => new URL(url).host)).toEqual(["login.test"]);
  });

  it("passes on when the server wants to be asked again, by the clock that it is given", async () => {
    const clock = createFakeClock(Date.UTC(2040, 0, 1));
    const server = createFakeTokenEndpoint();
    const inAMinute = new Date(clock.now() + 60_000).toUTCString();
    server.answerDiscovery(html(503, { "retry-after": inAMinute }), html(429, { "retry-after": "7" }), html(503));
    const ask = () => failureOf(discover({ issuer, fetch: server.fetch, clock }));
    expect((await ask()).retryAfterMs).toBe(60_000);
    expect((await ask()).retryAfterMs).toBe(7000);
    expect((await ask()).retryAfterMs).toBeUndefined();
  });

  it("reads a date by the machine's clock if it is given none", async () => {
    vi.useFakeTimers({ now: Date.UTC(2040, 0, 1), toFake: ["Date"] });
    try {
      const answer = html(503, { "retry-after": new Date(Date.UTC(2040, 0, 1, 0, 1)).toUTCString() });
      expect((await failureOf(discoverFrom(answer))).retryAfterMs).toBe(60_000);
    } finally {
      vi.useRealTimers();
    }
  });

  it("takes the page of a firewall for something that may pass, but not the page that nothing is there", async () => {
    for (const status of [400, 401, 403]) {
      expect(await failureOf(discoverFrom(html(status)))).toMatchObject({ kind: "unreachable" });
      expect(await failureOf(discoverFrom(json(status, {})))).toMatchObject({ kind: "refused" });
    }
    expect(await failureOf(discoverFrom(html(404)))).toMatchObject({ kind: "refused" });
  });

  it("keeps no cause in its errors", async () => {
    for (const answer of [html(503), html(200), unreachable(), metadata("https://evil.test")]) {
      expect("cause" in (await failureOf(discoverFrom(answer)))).toBe(false);
    }
  });
});

describe("the time-out of discovery", () => {
  it.each([
    ["a server that does not answer", never()],
    ["a server that does not finish its answer", stalls()],
  ])("ends the wait for %s", async (_, answer) => {
    const clock = createFakeClock();
    ruleTimeouts(clock);
    const server = createFakeTokenEndpoint();
    server.answerDiscovery(answer);
    const failure = failureOf(discover({ issuer, fetch: server.fetch, timeoutMs: 2500 }));
    await server.seen(1);
    await clock.run(2499);
    expect(server.requests[0]?.signal?.aborted).toBe(false);
    await clock.run(1);
    const { kind, message } = await failure;
    expect(kind).toBe("unreachable");
    expect(message).toBe(`${issuer} cannot be reached (timed out)`);
  });

  it("says that it timed out", async () => {
    const timeout = new DOMException("The operation was aborted due to timeout", "TimeoutError");
    const error = await failureOf(discoverFrom(rejects(timeout)));
    expect(error.message).toBe(`${issuer} cannot be reached (timed out)`);
  });

  it("is ten seconds by default", async () => {
    const timeouts = ruleTimeouts(createFakeClock());
    await discover({ issuer, fetch: createFakeTokenEndpoint().fetch });
    expect(timeouts).toEqual([10_000]);
  });

  // 1.001 * 1000 is not a whole number, and AbortSignal.timeout() throws for fractions.
  it.each([
    [1001, 1002],
    [0.5, 1],
    [2500, 2500],
    [59_999, 59_999],
  ])("works with %d ms, which openid-client and AbortSignal.timeout() alone do not all", async (timeoutMs, ruled) => {
    const timeouts = ruleTimeouts(createFakeClock());
    await discover({ issuer, fetch: createFakeTokenEndpoint().fetch, timeoutMs });
    expect(timeouts).toEqual([ruled]);
  });

  it.each([2 ** 31, 1e12, Number.MAX_VALUE])("is never longer than a timer can be: %d ms", async (timeoutMs) => {
    const timeouts = ruleTimeouts(createFakeClock());
    await discover({ issuer, fetch: createFakeTokenEndpoint().fetch, timeoutMs });
    expect(timeouts).toEqual([2_147_483_000]);
  });
});

describe("configureRequest", () => {
  const request = {
    clientId: "order-service",
    authentication: () => {},
    timeoutMs: 1500,
    fetch: createFakeTokenEndpoint().fetch,
  };

  it("configures client, time-out and fetch", async () => {
    const metadata = { client_name: "orders" };
    const configuration = await configureRequest({ ...request, server: { issuer }, metadata });
    expect(configuration.clientMetadata()).toMatchObject({ client_id: "order-service", client_name: "orders" });
    expect(configuration.timeout).toBe(1.5);
    expect(configuration[customFetch]).toBe(request.fetch);
  });

  it("allows plain http for an issuer on loopback, and only there", async () => {
    const at = async (origin: string) => {
      const server = { issuer: origin, token_endpoint: "http://localhost/token" };
      return clientCredentialsGrant(
        await configureRequest({ ...request, server, fetch: async () => new Response(null, { status: 500 }) }),
      );
    };
    await expect(at("https://login.test")).rejects.toMatchObject({ code: "OAUTH_HTTP_REQUEST_FORBIDDEN" });
    await expect(at("http://localhost")).rejects.toMatchObject({ code: "OAUTH_RESPONSE_IS_NOT_CONFORM" });
  });
});

describe("isTransientStatus", () => {
  it.each([408, 425, 429, 500, 503, 599])("says yes to %d", (status) => {
    expect(isTransientStatus(status)).toBe(true);
  });

  it.each([200, 302, 400, 401, 403, 404, 407, 409, 424, 426, 428, 430, 499])("says no to %d", (status) => {
    expect(isTransientStatus(status)).toBe(false);
  });
});

describe("networkReason", () => {
  const withCode = (code: unknown, cause?: unknown): Error => Object.assign(new Error("hidden", { cause }), { code });

  it("names the code of the error or of the first of its causes that has one", () => {
    expect(networkReason(withCode("ECONNRESET"))).toBe("ECONNRESET");
    expect(networkReason(new TypeError("hidden", { cause: withCode("ENOTFOUND", withCode("OTHER")) }))).toBe(
      "ENOTFOUND",
    );
  });

  it("looks behind the codes of openid-client", () => {
    expect(networkReason(withCode("OAUTH_SOMETHING", withCode("ECONNRESET")))).toBe("ECONNRESET");
    expect(networkReason(withCode("OAUTH_SOMETHING"))).toBe("no answer");
    for (const odd of ["s3cr3t", "", "E", "E".repeat(42), "EOPEN s3cr3t", "ÉCONN"]) {
      expect(networkReason(withCode(odd, withCode("ECONNRESET")))).toBe("ECONNRESET");
    }
  });

  it("recognises a time-out, whoever reports it", () => {
    expect(networkReason(withCode("OAUTH_TIMEOUT", withCode("ECONNRESET")))).toBe("timed out");
    expect(networkReason(new DOMException("hidden", "TimeoutError"))).toBe("timed out");
    expect(networkReason(new Error("hidden", { cause: new DOMException("hidden", "TimeoutError") }))).toBe("timed out");
  });

  it.each([undefined, null, "hidden", { code: "hidden" }, new Error("hidden"), withCode(20), withCode(undefined, "x")])(
    "quotes nothing else: %s",
    (error) => {
      expect(networkReason(error)).toBe("no answer");
    },
  );
});
