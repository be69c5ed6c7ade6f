// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { gzipSync } from "node:zlib";
import { describe, expect, it, onTestFinished } from "vitest";
import { type Exchange, maxAnswerBytes, recordExchange } from "../../../src/credentials/exchange.js";
import { settle } from "../../support/fake-clock.js";

async function exchangeOf(answer: Response): Promise<{ exchange: Exchange; response: Response }> {
  const exchange: Exchange = {};
  const send = recordExchange(async () => answer, exchange);
  const init = { headers: { accept: "application/json" }, body: new URLSearchParams({ a: "b" }), method: "POST" };
  return { exchange, response: await send("https://login.test/token", init) };
}

/** A body that never ends; says whether somebody told it to. */
function endless(): {
  readonly body: ReadableStream<Uint8Array>;
  readonly seen: { pulled: number; cancelled: boolean };
} {
  const seen = { pulled: 0, cancelled: false };
  const body = new ReadableStream<Uint8Array>({
    pull(controller) {
      seen.pulled += 1;
      controller.enqueue(new Uint8Array(1024).fill(0x20));
    },
    cancel() {
      seen.cancelled = true;
    },
  });
  return { body, seen };
}

describe("a recorded exchange", () => {
  it("has the request and the answer, and leaves both as they are", async () => {
    const answer = new Response("{}", { status: 418, headers: { "content-type": "application/json", "x-a": "1" } });
    const { exchange, response } = await exchangeOf(answer);
    expect(exchange.request).toMatchObject({ headers: { accept: "application/json" } });
    expect(String(exchange.request?.body)).toBe("a=b");
    expect(exchange.response).toBe(answer);
    expect(response.status).toBe(418);
    expect([...response.headers]).toEqual([...answer.headers]);
    expect(await response.text()).toBe("{}");
    expect(exchange.isTooLarge).toBeUndefined();
  });

  it("has the request alone if there is no answer", async () => {
    const exchange: Exchange = {};
    const send = recordExchange(() => Promise.reject(new TypeError("fetch failed")), exchange);
    await expect(send("https://login.test", { body: new URLSearchParams() })).rejects.toThrow("fetch failed");
    expect(exchange.request).toBeDefined();
    expect(exchange.response).toBeUndefined();
  });

  it("may have an answer without a body", async () => {
    const { response } = await exchangeOf(new Response(null, { status: 204 }));
    expect(response.status).toBe(204);
  });

  it("has an answer of 64 KiB, byte for byte, and none that is larger by a byte", async () => {
    const largest = new Uint8Array(maxAnswerBytes).map((_, index) => index);
    const { exchange, response } = await exchangeOf(new Response(largest));
    expect(new Uint8Array(await response.arrayBuffer())).toEqual(largest);
    expect(exchange.isTooLarge).toBeUndefined();
    const { exchange: other, response: cut } = await exchangeOf(new Response(new Uint8Array(maxAnswerBytes + 1)));
    await expect(cut.arrayBuffer()).rejects.toThrow("too large");
    expect(other.isTooLarge).toBe(true);
  });

  it("ends an answer that never ends", async () => {
    const { body, seen } = endless();
    const { exchange, response } = await exchangeOf(new Response(body));
    await expect(response.text()).rejects.toThrow("too large");
    expect(exchange.isTooLarge).toBe(true);
    expect(seen.cancelled).toBe(true);
    expect(seen.pulled).toBeLessThan(80);
  });

  it("ends an answer that is small only while it is compressed", async () => {
    const bomb = gzipSync(Buffer.alloc(10_000_000, 0x20));
    expect(bomb.length).toBeLessThan(maxAnswerBytes);
    const server = createServer((_, answer) => answer.setHeader("content-encoding", "gzip").end(bomb));
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    onTestFinished(() => void server.close());
    const exchange: Exchange = {};
    const { port } = server.address() as AddressInfo;
    const response = await recordExchange(fetch, exchange)(`http://127.0.0.1:${port}/`);
    await expect(response.text()).rejects.toThrow("too large");
    expect(exchange.isTooLarge).toBe(true);
  });

  it("reads nothing that nobody asks for", async () => {
    const { body, seen } = endless();
    const { response } = await exchangeOf(new Response(body));
    await response.body?.cancel();
    await settle();
    expect(seen.cancelled).toBe(true);
    expect(seen.pulled).toBeLessThan(5);
  });

  it("has the status of an answer that no Response can be made of", async () => {
    const exchange: Exchange = {};
    const answer = Object.defineProperty(new Response("denied"), "status", { value: 999 });
    await expect(recordExchange(async () => answer, exchange)("https://login.test")).rejects.toThrow(RangeError);
    expect(exchange.response?.status).toBe(999);
  });
});
