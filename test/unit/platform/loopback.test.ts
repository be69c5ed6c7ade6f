// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { describe, expect, it } from "vitest";
import { isLoopback } from "../../../src/platform/loopback.js";

// The plain cases are in test/unit/loopback.test.ts; here is how hosts look once a URL was parsed.
describe("isLoopback, of the host in a URL", () => {
  it.each([
    "http://127.1",
    "http://0x7f000001/",
    "http://2130706433/",
    "http://[0:0:0:0:0:0:0:1]:8080/",
    "http://LocalHost:3000/path",
    "http://issuer.localhost/",
    "http://user@localhost/",
  ])("knows %s", (url) => {
    expect(isLoopback(new URL(url).hostname)).toBe(true);
  });

  it.each([
    "http://localhost@example.com/",
    "http://127.0.0.1@example.com/",
    "http://example.com/localhost",
    "http://example.com/?127.0.0.1",
    "http://[::ffff:8.8.8.8]/",
    "http://[::]/",
    "http://0.0.0.0/",
    "http://10.0.0.1/",
    "http://1.127.0.0.1.example.com/",
    "http://localhost.evil.example/",
    "http://evillocalhost/",
  ])("does not take %s for this machine", (url) => {
    expect(isLoopback(new URL(url).hostname)).toBe(false);
  });

  it.each(["1127.0.0.1", "127.0.0.11111", "127.0.0", "x127.0.0.1", "127.0.0.1x"])(
    "takes no %s for an address",
    (host) => {
      expect(isLoopback(host)).toBe(false);
    },
  );
});
