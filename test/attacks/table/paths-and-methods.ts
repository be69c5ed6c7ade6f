// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { type Attack, control, type ForgedRequest, stoppedBy } from "../attack.js";
import { good } from "../lab/mint.js";
import { onConnect, onGrpcJs, onHttp1, onHttp2, type Way } from "../lab/ways.js";

const router = stoppedBy("exact-path", "CVE-2026-33186, CWE-22", "not routed");
const ruled = stoppedBy("rule-by-method", "CVE-2026-33186, CWE-22", "CREDENTIALS_MISSING");
const http = stoppedBy("http-server", "RFC 9113 §8.3.1", "not HTTP");
const at = (path: (path: string) => string) => (): ForgedRequest => ({ path });
const post = (way: Way): boolean => !way.get;

export const pathsAndMethods: readonly Attack[] = [
  router(
    "the path begins with two slashes",
    at((path) => `/${path}`),
  ),
  router(
    "two slashes stand before the RPC",
    at((path) => path.replace(/\/(\w+)$/, "//$1")),
  ),
  router(
    "a slash follows the path",
    at((path) => `${path}/`),
  ),
  router(
    "the RPC is percent-encoded",
    at((path) =>
      path.replace(/\/(\w)(\w+)$/, (_, first: string, rest: string) => `/%${first.charCodeAt(0).toString(16)}${rest}`),
    ),
  ),
  router(
    "the slash is percent-encoded",
    at((path) => path.replace(/\/(\w+)$/, "%2F$1")),
  ),
  router(
    "the path is percent-encoded twice",
    at((path) => path.replace(/\/(\w+)$/, "%252F$1")),
  ),
  router(
    "the path is in lower case",
    at((path) => path.toLowerCase()),
  ),
  router(
    "the RPC is in upper case",
    at((path) => path.replace(/\w+$/, (name) => name.toUpperCase())),
  ),
  router(
    "the service has no package",
    at((path) => path.replace("test.v1.", "")),
  ),
  router(
    "the service has another package before its own",
    at((path) => path.replace("/", "/evil.")),
  ),
  router(
    "the RPC has a blank behind it, percent-encoded",
    at((path) => `${path}%20`),
  ),
  router(
    "the RPC has a NUL behind it, percent-encoded",
    at((path) => `${path}%00`),
  ),
  router(
    "the RPC has a parameter behind it",
    at((path) => `${path};v=1`),
  ),
  router(
    "the RPC has an extension",
    at((path) => `${path}.json`),
  ),
  router(
    "the path is a single slash",
    at(() => "/"),
  ),
  router(
    "the path has a prefix",
    at((path) => `/api${path}`),
  ),
  router(
    "the RPC is there twice",
    at((path) => `${path}${path}`),
  ),
  router(
    "the RPC is one of a public service, behind the service's name",
    at((path) => `${path}/test.v1.Lobby/Read`),
  ),
  router("a token does not open a path that there is not", () => ({
    fields: [["authorization", `Bearer ${good}`]],
    path: (path) => `/${path}`,
  })),
  router(
    "the path goes up from a public service",
    at((path) => `/test.v1.Lobby/..${path}`),
  ),
  router(
    "the path goes up from a public service's RPC",
    at((path) => `/test.v1.Lobby/Read/../..${path}`),
  ),
  router(
    "the path goes up from a public service, with encoded dots",
    at((path) => `/test.v1.Lobby/%2e%2e${path}`),
  ),
  router(
    "the path goes nowhere before the RPC",
    at((path) => path.replace(/\/(\w+)$/, "/./$1")),
  ),
  router(
    "a backslash stands in the place of a slash",
    at((path) => path.replace(/\/(\w+)$/, "\\$1")),
  ),
  router(
    "a fragment follows the path",
    at((path) => `${path}#x`),
  ),
  router(
    "a query follows the path, which no path of gRPC has",
    at((path) => `${path}?x=1`),
    { on: onGrpcJs },
  ),
  ruled(
    "a query follows the path",
    at((path) => `${path}?x=1`),
    { on: onConnect },
  ),
  ruled(
    "a query names a public RPC",
    at((path) => `${path}?path=/test.v1.Lobby/Read`),
    { on: onConnect, reference: "CVE-2025-54576" },
  ),
  router(
    "the path is a whole URL",
    at((path) => `http://vault${path}`),
    { on: onHttp1 },
  ),
  http(
    "the path is a whole URL, over HTTP/2",
    at((path) => `http://vault${path}`),
    { on: onHttp2 },
  ),
  router(
    "the path is a whole URL of another host",
    at((path) => `http://127.0.0.1:9${path}`),
    { on: onHttp1 },
  ),
  router(
    "the path is an asterisk",
    at(() => "*"),
    { on: onHttp1 },
  ),
  http(
    "the path has no slash before it",
    at((path) => path.slice(1)),
    { on: onHttp2 },
  ),
  http(
    "the path has no slash before it, over HTTP/1.1",
    at((path) => path.slice(1)),
    { on: onHttp1, reference: "CVE-2026-33186" },
  ),
  http(
    "the path is empty",
    at(() => ""),
    { on: onHttp2 },
  ),
  http(
    "a blank is in the path",
    at((path) => path.replace(/\/(\w+)$/, "/ $1")),
    { on: onHttp1 },
  ),
  http(
    "a newline is in the path",
    at((path) => path.replace(/\/(\w+)$/, "/\n$1")),
    { on: onHttp1 },
  ),

  router("the HTTP method is PUT", () => ({ method: "PUT" }), {
    on: (way) => onConnect(way) && post(way),
    reference: "RFC 9110 §9",
  }),
  router("the HTTP method is DELETE", () => ({ method: "DELETE" }), {
    on: (way) => onConnect(way) && post(way),
    reference: "RFC 9110 §9",
  }),
  router("the HTTP method is PATCH", () => ({ method: "PATCH" }), {
    on: (way) => onConnect(way) && post(way),
    reference: "RFC 9110 §9",
  }),
  router("the HTTP method is OPTIONS, as in a CORS preflight", () => ({ method: "OPTIONS" }), {
    on: (way) => onConnect(way) && post(way),
    reference: "Fetch §4.9",
  }),
  router("the HTTP method is one that nobody knows", () => ({ method: "BREW" }), {
    on: (way) => onConnect(way) && onHttp2(way),
    reference: "RFC 9110 §9",
  }),
  router("the content type is that of a form, which needs no preflight", () => ({ contentType: "text/plain" }), {
    on: (way) => onConnect(way) && post(way),
    reference: "CWE-352",
  }),
  router(
    "the content type is that of another protocol's stream",
    () => ({ contentType: "application/connect+proto" }),
    {
      on: (way) => way.server === "connect-node" && way.rpc === "Read" && post(way),
      reference: "Connect protocol, Unary-Request",
    },
  ),
  control("the authority is another host", "RFC 9113 §8.3.1", () => ({
    fields: [
      ["authorization", `Bearer ${good}`],
      ["x-forwarded-host", "evil.example.net"],
    ],
  })),
];
