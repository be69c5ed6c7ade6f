// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { createContextKey, createContextValues } from "@connectrpc/connect";
import { describe, expect, it } from "vitest";
import {
  ConnectTransport,
  linesOf,
  noteRequest,
  readAuthorization,
  requestOf,
} from "../../../src/interceptors/raw-request.js";

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
  it("takes the authorization header out of a request, before anybody copies it", () => {
    const request = {
      headers: { authorization: "Bearer a", te: "trailers" },
      rawHeaders: ["authorization", "Bearer a"],
    };
    const noted = requestOf(noteRequest(request, createContextValues()));
    expect({ ...request.headers }).toEqual({ te: "trailers" });
    expect(readAuthorization(noted, new Headers())).toBe("Bearer a");
    const wrapped = { raw: { headers: { authorization: "Bearer b" } } };
    expect(readAuthorization(requestOf(noteRequest(wrapped, createContextValues())), new Headers())).toBe("Bearer b");
    expect(wrapped.raw.headers.authorization).toBeUndefined();
  });

  it("leaves a header that is no text where it is", () => {
    const headers = { authorization: ["Bearer a"] };
    const noted = requestOf(noteRequest({ headers }, createContextValues()));
    expect(headers.authorization).toEqual(["Bearer a"]);
    expect(readAuthorization(noted, first)).toBe("Bearer a");
  });

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

describe("linesOf", () => {
  it("reads the values of one header, line by line, whatever the case of its name", () => {
    const rawHeaders = ["DPoP", "a", "x-dpop", "b", "dpop", "c", "dpo", "d", "dpoq", "e", "DPOP"];
    expect(linesOf({ rawHeaders }, "dpop")).toEqual(["a", "c"]);
    expect(linesOf({}, "dpop")).toEqual([]);
  });
});

describe("ConnectTransport", () => {
  const context = (changes = {}) => ({
    requestHeader: new Headers({ dpop: "proof" }),
    url: "https://payments.internal/api/payment.v1.PaymentService/Charge?connect=v1&message=%7B%7D",
    requestMethod: "GET",
    ...changes,
  });

  it("knows the method and the path of a request", () => {
    const transport = new ConnectTransport(undefined, context());
    expect([transport.httpMethod, transport.path]).toEqual(["GET", "/api/payment.v1.PaymentService/Charge"]);
    expect(new ConnectTransport(undefined, context({ url: "/a/B?c" })).path).toBe("/a/B");
  });

  it("knows nothing of the connection where no request was noted", () => {
    const { peer, certificateThumbprint, dpopProofs } = new ConnectTransport(undefined, context());
    expect([peer, certificateThumbprint, dpopProofs]).toEqual([undefined, undefined, ["proof"]]);
    expect(new ConnectTransport(undefined, context({ requestHeader: new Headers() })).dpopProofs).toEqual([]);
  });

  it.each([
    ["10.0.0.7", 53_312, "10.0.0.7:53312"],
    ["::1", 53_312, "[::1]:53312"],
    [undefined, undefined, undefined],
    ["10.0.0.7", undefined, undefined],
  ])("names the other end: %s, %s", (remoteAddress, remotePort, peer) => {
    const socket = { remoteAddress, remotePort };
    expect(new ConnectTransport({ socket }, context()).peer).toBe(peer);
    expect(new ConnectTransport({ stream: { session: { socket } } }, context()).peer).toBe(peer);
    expect(new ConnectTransport({ stream: { session: undefined }, socket }, context()).peer).toBe(peer);
  });

  it("knows no certificate of a connection without TLS, or of a client without one", () => {
    expect(new ConnectTransport({ socket: {} }, context()).certificateThumbprint).toBeUndefined();
    const socket = { getPeerX509Certificate: () => undefined };
    expect(new ConnectTransport({ socket }, context()).certificateThumbprint).toBeUndefined();
  });

  it("reads all proofs that were sent", () => {
    const rawHeaders = ["dpop", "a", "DPoP", "b"];
    expect(new ConnectTransport({ rawHeaders }, context()).dpopProofs).toEqual(["a", "b"]);
    expect(new ConnectTransport({ rawHeaders: [] }, context()).dpopProofs).toEqual([]);
  });
});
