// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { describe, expect, it } from "vitest";
import { isLoopback } from "../../src/platform/loopback.js";

describe("isLoopback", () => {
  it.each(["localhost", "LOCALHOST", "api.localhost", "127.0.0.1", "127.255.0.9", "[::1]", "::1"])("knows %s", (host) => {
    expect(isLoopback(host)).toBe(true);
  });

  it.each(["localhost.example.com", "notlocalhost", "128.0.0.1", "127.0.0.1.example.com", "[::2]", "", "0.0.0.0"])(
    "does not take %s for this machine",
    (host) => {
      expect(isLoopback(host)).toBe(false);
    },
  );
});
