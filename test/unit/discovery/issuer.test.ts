// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { describe, expect, it } from "vitest";
import { isConfidential, parseIssuer } from "../../../src/discovery/discovery.js";

function messageOf(issuer: string): string {
  try {
    parseIssuer(issuer);
  } catch (error) {
    expect(error).toBeInstanceOf(TypeError);
    return (error as TypeError).message;
  }
  throw new Error(`${issuer} was accepted`);
}

describe("parseIssuer", () => {
  it.each([
    "https://login.example.com",
    "https://login.example.com/",
    "https://login.example.com:8443/realms/mesh",
    "https://10.0.0.1",
    "http://localhost:8080/realms/mesh",
    "http://127.0.0.1:8080",
    "http://[::1]:8080",
    "http://idp.localhost",
  ])("accepts %s", (issuer) => {
    expect(parseIssuer(issuer).href).toBe(new URL(issuer).href);
  });

  it.each([
    "http://login.example.com",
    "http://10.0.0.1",
    "http://localhost.example.com",
    "http://[::ffff:10.0.0.1]",
    "HTTP://login.example.com",
  ])("refuses plain http beyond loopback: %s", (issuer) => {
    expect(messageOf(issuer)).toContain("loopback only");
  });

  it.each([
    "",
    "login.example.com",
    "//login.example.com",
    "ftp://login.example.com",
    "file:///etc/issuer",
    "javascript:0",
    "https://",
    "https://login.example.com:99999",
    undefined as unknown as string,
  ])("refuses what is no URL of a web server: %j", (issuer) => {
    expect(messageOf(issuer)).toContain("is not a URL");
  });

  it.each([
    "https://login.example.com/?realm=mesh",
    "https://login.example.com/#mesh",
    "https://order-service@login.example.com/",
    "https://:s3cr3t@login.example.com/",
    "http://localhost:8080/?realm=mesh",
    "http://login.example.com/?realm=mesh",
  ])("refuses a query, a fragment and credentials: %s", (issuer) => {
    expect(messageOf(issuer)).toContain("a query, a fragment or credentials");
  });

  it.each(["https", "http", "ftp"])("shows no credentials of an %s issuer in its error", (scheme) => {
    expect(messageOf(`${scheme}://order-service:s3cr3t@login.example.com/`)).not.toContain("s3cr3t");
  });
});

describe("isConfidential", () => {
  it.each([
    ["https://login.example.com/token", true],
    ["http://localhost/token", true],
    ["http://login.example.com/token", false],
    ["ftp://localhost/token", false],
  ])("says of %s: %s", (url, expected) => {
    expect(isConfidential(new URL(url))).toBe(expected);
  });
});
