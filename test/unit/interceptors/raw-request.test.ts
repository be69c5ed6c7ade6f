// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { createContextKey, createContextValues } from "@connectrpc/connect";
import { describe, expect, it } from "vitest";
import { noteRequest, readAuthorization, requestOf } from "../../../src/interceptors/raw-request.js";

const first = new Headers({ authorization: "Bearer a" });

describe("readAuthorization", () => {
  it.each([
    ["node's request", { rawHeaders: ["Authorization", "Bearer a", "host", "x", "authorization", "Bearer b"] }],
    ["Fastify's request", { raw: { rawHeaders: ["AUTHORIZATION", "Bearer a", "authorization", "Bearer b"] } }],
  ])("joins several values that %s carries", (_, request) => {
    const values = noteRequest(request, createContextValues());
    expect(readAuthorization(requestOf(values), first)).toBe("Bearer a, Bearer b");
  });

  it.each([
    ["one value", { rawHeaders: ["authorization", "Bearer a", "x-authorization", "Bearer b"] }],
    ["a value that looks like a name", { rawHeaders: ["x", "authorization", "authorization", "Bearer a"] }],
    ["no value", { rawHeaders: ["host", "x"] }],
    ["no raw headers", {}],
    ["a wrapped request without raw headers", { raw: {} }],
  ])("reads the header of a request with %s", (_, request) => {
    const values = noteRequest(request, createContextValues());
    expect(readAuthorization(requestOf(values), first)).toBe("Bearer a");
    expect(readAuthorization(requestOf(values), new Headers())).toBeNull();
  });

  it("reads the header where nothing was noted", () => {
    expect(readAuthorization(requestOf(createContextValues()), first)).toBe("Bearer a");
  });
});

describe("noteRequest", () => {
  const twice = { rawHeaders: ["authorization", "a", "authorization", "b"] };

  it("lets the values of a request through", () => {
    const key = createContextKey(0);
    const values = createContextValues().set(key, 7);
    const noted = noteRequest(twice, values);
    expect(noted.get(key)).toBe(7);
    expect(noted.set(key, 8)).toBe(noted);
    expect(values.get(key)).toBe(8);
    expect(noted.delete(key)).toBe(noted);
    expect(values.get(key)).toBe(0);
  });

  it("leaves nothing behind in values that requests share", () => {
    const shared = createContextValues();
    noteRequest(twice, shared);
    expect(readAuthorization(requestOf(shared), first)).toBe("Bearer a");
    expect(readAuthorization(requestOf(noteRequest({ rawHeaders: [] }, shared)), first)).toBe("Bearer a");
  });
});
