// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { describe, expect, it } from "vitest";
import type { IntrospectorOptions } from "../../../../src/verification/introspection/introspection-options.js";
import { setUp } from "./harness.js";

describe("the options of introspection", () => {
  it.each<[string, Partial<Record<keyof IntrospectorOptions, unknown>>, RegExp]>([
    ["no client id", { clientId: undefined }, /clientId is missing/],
    ["a client id that is none", { clientId: "two words" }, /clientId/],
    ["no credential", { credential: undefined }, /credential is missing/],
    ["a negative time", { activeSeconds: -1 }, /activeSeconds is -1/],
    ["more than an hour", { activeSeconds: 3601 }, /activeSeconds is 3601; give a number of seconds from 0 to 3600/],
    ["a time that is no number", { inactiveSeconds: Number.NaN }, /inactiveSeconds is NaN/],
    ["an endless time", { inactiveSeconds: Infinity }, /inactiveSeconds is Infinity/],
    ["no request at a time", { maxConcurrent: 0 }, /maxConcurrent is 0; give a whole number above 0/],
    ["half a request at a time", { maxConcurrent: 0.5 }, /maxConcurrent is 0.5/],
    ["no token", { maxTokens: 0 }, /maxTokens is 0/],
    ["any number of tokens", { maxTokens: Infinity }, /maxTokens is Infinity/],
    ["an endpoint that is no URL", { endpoint: "/introspect" }, /endpoint "\/introspect" is no https URL/],
    ["an endpoint of another kind", { endpoint: "ftp://login.test/" }, /is no https URL/],
    ["an endpoint without TLS", { endpoint: "http://login.test/introspect" }, /is no https URL/],
    ["an endpoint on loopback, of an issuer elsewhere", { endpoint: "http://127.0.0.1/introspect" }, /is no https URL/],
  ])("refuse %s", (_, options, message) => {
    expect(() => setUp(options as Partial<IntrospectorOptions>)).toThrow(TypeError);
    expect(() => setUp(options as Partial<IntrospectorOptions>)).toThrow(message);
  });

  it.each(["user:s3cr3t@", "s3cr3t@", ":s3cr3t@"])("refuse an endpoint with %s in it, and do not show it", (part) => {
    const create = () => setUp({ endpoint: `https://${part}login.test/introspect` });
    expect(create).toThrow(/credentials in it/);
    expect(create).not.toThrow(/s3cr3t/);
  });

  it("may be at their limits", () => {
    for (const seconds of [0, 0.5, 3600]) setUp({ activeSeconds: seconds, inactiveSeconds: seconds });
    setUp({ maxConcurrent: 1, maxTokens: 1 });
  });
});
