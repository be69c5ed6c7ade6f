// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { describe, expect, it } from "vitest";
import { createFaultScript } from "../../../src/testing/fault-script.js";
import type { Fault } from "../../../src/testing.js";

const hang: Fault = { kind: "hang" };
const reset: Fault = { kind: "reset" };
const empty: Fault = { kind: "empty" };

describe("the script of a fault proxy", () => {
  it("lets requests pass that no fault is for", () => {
    const script = createFaultScript();
    expect(script.take("/token")).toEqual({ kind: "pass" });
    script.next(hang, { path: "/jwks" });
    script.always(reset, { path: /^\/admin/ });
    expect(script.take("/token")).toEqual({ kind: "pass" });
  });

  it("strikes one request with a queued fault, or as many as it says, in the order of the queue", () => {
    const script = createFaultScript();
    script.next(hang, { times: 2 });
    script.next(reset);
    expect([1, 2, 3, 4].map(() => script.take("/token").kind)).toEqual(["hang", "hang", "reset", "pass"]);
  });

  it("keeps a queued fault for the request that it is for", () => {
    const script = createFaultScript();
    script.next(hang, { path: "/token" });
    script.next(reset);
    expect(["/jwks", "/jwks", "/token"].map((path) => script.take(path).kind)).toEqual(["reset", "pass", "hang"]);
  });

  it("takes a string for the whole path and a pattern for a part of it", () => {
    const script = createFaultScript();
    script.always(hang, { path: "/token" });
    script.always(reset, { path: /openid/ });
    const paths = ["/token", "/token/introspection", "/realms/token", "/.well-known/openid-configuration"];
    expect(paths.map((path) => script.take(path).kind)).toEqual(["hang", "pass", "pass", "reset"]);
  });

  it.each([/token/g, /\/token/y])("looks for %s from the start each time", (path) => {
    const script = createFaultScript();
    script.always(hang, { path });
    expect([1, 2, 3].map(() => script.take("/token").kind)).toEqual(["hang", "hang", "hang"]);
  });

  it("strikes with queued faults first, then with the standing one that was set last", () => {
    const script = createFaultScript();
    script.always(hang);
    script.always(reset, { path: "/token" });
    script.next(empty);
    expect(["/token", "/token", "/jwks"].map((path) => script.take(path).kind)).toEqual(["empty", "reset", "hang"]);
  });

  it("can except requests from a standing fault", () => {
    const script = createFaultScript();
    script.always(hang);
    script.next({ kind: "pass" });
    expect([1, 2].map(() => script.take("/token").kind)).toEqual(["pass", "hang"]);
  });

  it("forgets everything when it is cleared", () => {
    const script = createFaultScript();
    script.always(hang);
    script.next(reset, { times: 3 });
    script.clear();
    expect(script.take("/token").kind).toBe("pass");
  });

  it.each([0, -1, 1.5, Number.NaN, Infinity])("refuses to strike %d times", (times) => {
    expect(() => createFaultScript().next(hang, { times })).toThrow(TypeError);
  });

  it.each<[string, unknown]>([
    ["no fault", undefined],
    ["an unknown kind", { kind: "explode" }],
    ["a negative delay", { kind: "delay", ms: -1 }],
    ["a delay that is no number", { kind: "delay" }],
    ["an endless delay", { kind: "delay", ms: Infinity }],
    ["a status out of range", { kind: "status", status: 99 }],
    ["a status that announces another one", { kind: "status", status: 100 }],
    ["no status", { kind: "status" }],
    ["a negative Retry-After", { kind: "status", status: 429, retryAfter: -1 }],
    ["a Retry-After of half a second", { kind: "status", status: 429, retryAfter: 0.5 }],
    ["a Retry-After that is no date", { kind: "status", status: 429, retryAfter: new Date(Number.NaN) }],
    ["a header name with a blank", { kind: "status", status: 200, headers: { "a b": "c" } }],
    ["a header value with a line break", { kind: "status", status: 200, headers: { a: "b\r\nc: d" } }],
    ["a page with a status out of range", { kind: "html", status: 600 }],
    ["an empty answer with a status out of range", { kind: "empty", status: 1 }],
    ["a cut at less than nothing", { kind: "truncate", keepBytes: -1 }],
    ["no change", { kind: "rewrite" }],
    ["a change that is a list", { kind: "rewrite", change: [] }],
    ["a redirect to a path", { kind: "redirect", location: "/elsewhere" }],
    ["a redirect with another status", { kind: "redirect", location: "http://127.0.0.1:1", status: 304 }],
    ["pieces of nothing", { kind: "drip", everyMs: 1, bytes: 0 }],
    ["pieces without a pace", { kind: "drip" }],
  ])("refuses %s when it is scripted, not when it would strike", (_, fault) => {
    const script = createFaultScript();
    expect(() => script.next(fault as Fault)).toThrow(TypeError);
    expect(() => script.always(fault as Fault)).toThrow(TypeError);
    expect(script.take("/")).toEqual({ kind: "pass" });
  });
});
