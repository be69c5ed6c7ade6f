// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { describe, expect, it } from "vitest";
import { boundedFetch } from "../../../src/platform/bounded-fetch.js";

const url = "https://login.example.com";

describe("boundedFetch", () => {
  it("hands on an answer that is as long as it may be, with all that belongs to it", async () => {
    const send = boundedFetch(async () => new Response("12345", { status: 201, headers: { "x-a": "b" } }), 5);
    const response = await send(url);
    expect([response.status, response.headers.get("x-a"), await response.text()]).toEqual([201, "b", "12345"]);
  });

  it("ends an answer that is longer with an error", async () => {
    const send = boundedFetch(async () => new Response("123456"), 5);
    await expect((await send(url)).text()).rejects.toMatchObject({
      name: "AnswerTooLongError",
      code: "ANSWER_TOO_LONG",
      message: "the answer is longer than 5 bytes",
    });
  });

  it("reads no more of an endless answer than it has to", async () => {
    let sent = 0;
    let cancelled = false;
    const endless = new ReadableStream<Uint8Array>({
      pull(controller) {
        sent += 1;
        controller.enqueue(new Uint8Array(1_000));
      },
      cancel() {
        cancelled = true;
      },
    });
    const send = boundedFetch(async () => new Response(endless), 10_000);
    await expect((await send(url)).arrayBuffer()).rejects.toThrow("longer than 10000 bytes");
    expect(sent).toBeLessThan(20);
    expect(cancelled).toBe(true);
  });

  it("hands on an answer without a body", async () => {
    const answer = new Response(null, { status: 204 });
    expect(await boundedFetch(async () => answer, 5)(url)).toBe(answer);
  });

  it("passes on what is sent, and errors of sending it", async () => {
    const seen: unknown[] = [];
    const send = boundedFetch(async (...args) => {
      seen.push(args);
      throw new TypeError("fetch failed");
    }, 5);
    const init = { method: "POST" };
    await expect(send(url, init)).rejects.toThrow("fetch failed");
    expect(seen).toEqual([[url, init]]);
  });
});
