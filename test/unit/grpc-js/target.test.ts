// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { describe, expect, it } from "vitest";
import { isLoopbackTarget, originOfTarget } from "../../../src/grpc-js/target.js";

describe("isLoopbackTarget", () => {
  it.each([
    "localhost",
    "localhost:1",
    "LOCALHOST:1",
    "api.localhost:1",
    "127.0.0.1",
    "127.0.0.1:1",
    "127.8.9.10:1",
    "[::1]",
    "[::1]:1",
    "dns:localhost:1",
    "dns:///localhost:1",
    "dns:///127.0.0.1:1",
    "dns:///[::1]:1",
    "ipv4:127.0.0.1:1",
    "ipv4:127.0.0.1:1,127.0.0.2:2",
    "ipv6:[::1]:1",
    "ipv6:[::1]:1,[::1]:2",
    "unix:/x",
    "unix:///x",
    "unix:relative/x",
  ])("knows that %s is this machine", (target) => {
    expect(isLoopbackTarget(target)).toBe(true);
  });

  it.each([
    "",
    "payment-service.internal:443",
    "10.0.0.1:1",
    "127.0.0.1.example.com:1",
    "localhost.evil.com:1",
    "localhost.evil.com",
    "notlocalhost:1",
    "[::2]:1",
    "[::1].evil.com:1",
    "0.0.0.0:1",
    "dns:10.0.0.1:80",
    "dns:///payment-service.internal:443",
    // Another name server answers, whatever it likes.
    "dns://8.8.8.8/localhost:1",
    "dns://8.8.8.8/api.localhost:1",
    "dns://localhost/payment-service.internal:443",
    "ipv4:10.0.0.1:1",
    "ipv4:127.0.0.1:1,10.0.0.1:1",
    "ipv4:10.0.0.1:1,127.0.0.1:1",
    "ipv4:127.0.0.1:1,",
    "ipv6:[::1]:1,[2001:db8::1]:1",
    // Resolvers that decide by themselves where a name leads.
    "xds:///localhost",
    "xds:///api.localhost",
    "passthrough:///10.0.0.1:1",
    "passthrough:///localhost:1",
    "etcd:localhost:1",
    "http://localhost:1",
    "http://evil.com/.localhost:1",
    "evil.com/.localhost:1",
    "evil.com@localhost:1",
    "evil.com#.localhost",
    "evil.com\n.localhost:1",
    // grpc-js has no such resolver: it takes this for a host name.
    "unix-abstract:80",
    "unixlocalhost.evil.com:1",
    "localhost:port",
  ])("does not take %j for this machine", (target) => {
    expect(isLoopbackTarget(target)).toBe(false);
  });
});

describe("originOfTarget", () => {
  it.each([
    ["payment-service.internal:8443", "https://payment-service.internal:8443"],
    ["Payment-Service.internal:443", "https://payment-service.internal"],
    ["payment-service.internal", "https://payment-service.internal"],
    ["dns:payment-service.internal:8443", "https://payment-service.internal:8443"],
    ["dns:///payment-service.internal:8443", "https://payment-service.internal:8443"],
    ["dns://8.8.8.8/payment-service.internal:8443", "https://payment-service.internal:8443"],
    ["ipv4:10.0.0.1:8443", "https://10.0.0.1:8443"],
    ["[::1]:8443", "https://[::1]:8443"],
    ["ipv6:[::1]:8443", "https://[::1]:8443"],
    ["[::1]", "https://[::1]"],
  ])("is the one that %s names", (target, origin) => {
    expect(originOfTarget(target, "https")).toBe(origin);
  });

  it("is that of plain http on gRPC's port, where no other one is given", () => {
    expect(originOfTarget("localhost", "http")).toBe("http://localhost:443");
    expect(originOfTarget("localhost:80", "http")).toBe("http://localhost");
    expect(originOfTarget("[::1]", "http")).toBe("http://[::1]:443");
  });

  it.each([
    "",
    "unix:/x",
    "unix:///x",
    "ipv4:10.0.0.1:1,10.0.0.2:1",
    "xds:///payment-service",
    "passthrough:///10.0.0.1:1",
    "https://payment-service.internal",
    "payment-service.internal:port",
    "payment-service.internal:99999",
    "user@payment-service.internal:443",
    "payment-service.internal/path",
  ])("is none for %j", (target) => {
    expect(originOfTarget(target, "https")).toBeUndefined();
  });
});
