// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import type { Field } from "../../support/http2-frames.js";
import { type Attack, control, type ForgedRequest, stoppedBy } from "../attack.js";
import { good, mint } from "../lab/mint.js";
import { onConnect, onGrpcJs, onHttp1, onHttp2 } from "../lab/ways.js";

const missing = stoppedBy("token-demanded", "RFC 6750 §3.1", "CREDENTIALS_MISSING");
const scheme = stoppedBy("scheme", "RFC 9110 §11.6.2", "CREDENTIALS_MISSING");
const characters = stoppedBy("bearer-characters", "RFC 6750 §2.1");
const several = stoppedBy("one-header-line", "RFC 9110 §5.3, CWE-444");
const elsewhere = stoppedBy("header-only", "RFC 6750 §2.1, RFC 9700 §4.3.2", "CREDENTIALS_MISSING");
const other = mint();

/** Sends a value as it is. */
const value =
  (...values: string[]) =>
  (): ForgedRequest => ({
    fields: values.map((each): Field => ["authorization", each]),
  });
/** Sends the token in another header. */
const field =
  (name: string, content = `Bearer ${good}`) =>
  (): ForgedRequest => ({ fields: [[name, content]] });
const queried = (name: string) => (): ForgedRequest => ({ path: (path) => `${path}?${name}=${good}`, secrets: [good] });

export const authorization: readonly Attack[] = [
  missing("there is no authorization header", () => ({})),
  missing("the header is empty", value("")),
  missing("no public RPC is called, but one beside it on the same server", () => ({
    fields: [["x-service", "test.v1.Lobby"]],
  })),
  missing("the caller says that it was checked already", () => ({
    fields: [
      ["x-authenticated", "true"],
      ["x-client-id", "teller"],
      ["x-principal", "teller"],
      ["x-meshauth-admission", "1"],
    ],
  })),
  missing("the caller claims to be a proxy on this machine", () => ({
    fields: [
      ["x-forwarded-for", "127.0.0.1"],
      ["forwarded", "for=127.0.0.1;proto=https"],
      ["x-real-ip", "::1"],
    ],
  })),
  missing("the caller names another path in a header", () => ({
    fields: [
      ["x-original-url", "/test.v1.Lobby/Read"],
      ["x-rewrite-url", "/test.v1.Lobby/Read"],
      ["x-envoy-original-path", "/test.v1.Lobby/Read"],
    ],
  })),
  missing("the caller names another method in a header", () => ({ fields: [["x-http-method-override", "OPTIONS"]] })),
  missing("the caller sends a client certificate in a header", () => ({
    fields: [
      ["x-forwarded-client-cert", "Hash=1;Subject=CN=teller"],
      ["x-ssl-client-verify", "SUCCESS"],
    ],
  })),

  scheme("the scheme is Basic", value("Basic dGVsbGVyOnRlbGxlci1zZWNyZXQtMQ==")),
  scheme(
    "the scheme is Basic, with the token as password",
    value(`Basic ${Buffer.from(`teller:${good}`).toString("base64")}`),
  ),
  stoppedBy("dpop-scheme", "RFC 9449 §7.1")(
    "the scheme is DPoP, and the token is bound to nothing",
    value(`DPoP ${good}`),
  ),
  scheme("the scheme is Negotiate", value("Negotiate YIIJvwYGKwYBBQUCoIIJszCC")),
  scheme("the scheme is Digest", value('Digest username="teller", response="6629fae49393a05397450978507c4ef1"')),
  scheme("the scheme is Token", value(`Token ${good}`)),
  scheme("there is no scheme, only the token", value(good)),
  scheme("the scheme ends in a colon", value(`Bearer: ${good}`)),
  scheme("the scheme ends in an equals sign", value(`Bearer=${good}`)),
  scheme("the scheme goes straight into the token", value(`Bearer${good}`)),
  scheme("the scheme is twice as long", value(`BearerBearer ${good}`)),
  scheme("the scheme has a letter that only looks like ours", value(`Be\u00e0rer ${good}`), { on: onConnect }),
  scheme("another scheme goes first", value(`Basic dGVsbGVyOnRlbGxlci1zZWNyZXQtMQ==, Bearer ${good}`)),
  scheme("a comma goes first", value(`, Bearer ${good}`)),

  characters("the header says Bearer, and nothing else", value("Bearer")),
  characters("two blanks stand before the token", value(`Bearer  ${good}`)),
  characters("the scheme stands there twice", value(`Bearer Bearer ${good}`)),
  characters("two tokens are joined by a comma", value(`Bearer ${good}, Bearer ${other}`)),
  characters("two tokens are joined by a comma alone", value(`Bearer ${good},${other}`)),
  characters("the same token stands there twice", value(`Bearer ${good}, Bearer ${good}`)),
  characters("a comma follows the token", value(`Bearer ${good},`)),
  characters("parameters follow the token", value(`Bearer ${good} realm="vault"`)),
  characters("the token is a parameter", value(`Bearer token="${good}"`)),
  characters("the token is in brackets", value(`Bearer [${good}]`)),
  stoppedBy("scheme", "RFC 6750 §2.1", "CREDENTIALS_MISSING")(
    "a tab stands before the token",
    value(`Bearer\t${good}`),
    { on: onConnect },
  ),

  several("a bad token stands in a second header", value(`Bearer ${good}`, "Bearer other-token-of-somebody"), {
    on: onConnect,
  }),
  several("the good token stands in the second header", value("Bearer other-token-of-somebody", `Bearer ${good}`), {
    on: onConnect,
  }),
  several("the same token stands in two headers", value(`Bearer ${good}`, `Bearer ${good}`), { on: onConnect }),
  stoppedBy("scheme", "RFC 9110 §5.3", "CREDENTIALS_MISSING")(
    "a Basic header goes before",
    value("Basic dGVsbGVyOnRlbGxlci1zZWNyZXQtMQ==", `Bearer ${good}`),
    { on: onConnect },
  ),
  stoppedBy("scheme", "RFC 9110 §5.3", "CREDENTIALS_MISSING")(
    "an empty header goes before",
    value("", `Bearer ${good}`),
    {
      on: onConnect,
    },
  ),
  several("an empty header follows", value(`Bearer ${good}`, ""), { on: onConnect }),
  control(
    "a bad token stands in a second header, which grpc-js does not show",
    "RFC 9110 §5.3",
    value(`Bearer ${good}`, "Bearer x"),
    {
      on: onGrpcJs,
    },
  ),
  stoppedBy("signature", "RFC 9110 §5.3")(
    "the good token stands in the second header, which grpc-js does not show",
    value(`Bearer ${good.slice(0, -8)}AAAAAAAA`, `Bearer ${good}`),
    {
      on: onGrpcJs,
    },
  ),

  elsewhere("the token is in the query as access_token", queried("access_token"), {
    on: onConnect,
    reference: "RFC 6750 §2.3, RFC 9700 §4.3.2",
  }),
  elsewhere("the token is in the query as authorization", queried("authorization"), { on: onConnect }),
  elsewhere("the token is in the query as token", queried("token"), { on: onConnect }),
  elsewhere("the token is in a cookie", field("cookie", `access_token=${good}`)),
  elsewhere("the token is in a cookie named authorization", field("cookie", `authorization=Bearer ${good}`)),
  elsewhere("the token is in x-forwarded-authorization", field("x-forwarded-authorization")),
  elsewhere("the token is in proxy-authorization", field("proxy-authorization")),
  elsewhere("the token is in x-authorization", field("x-authorization")),
  elsewhere("the token is in x-access-token", field("x-access-token", good)),
  elsewhere("the token is in x-amzn-oidc-accesstoken", field("x-amzn-oidc-accesstoken", good)),
  elsewhere("the token is in grpc-metadata-authorization", field("grpc-metadata-authorization")),
  elsewhere(
    "the token is in authorization-bin",
    field("authorization-bin", Buffer.from(`Bearer ${good}`).toString("base64")),
  ),
  elsewhere("the token is in sec-websocket-protocol", field("sec-websocket-protocol", `bearer, ${good}`)),
  elsewhere("the token is in trailer-authorization", field("trailer-authorization")),

  control("the scheme is in lower case", "RFC 9110 §11.1", value(`bearer ${good}`)),
  control("the scheme is in upper case", "RFC 9110 §11.1", value(`BEARER ${good}`)),
  control("the scheme is in both", "RFC 9110 §11.1", value(`bEaReR ${good}`)),
  control("the header's name is in upper case", "RFC 9110 §5.1", field("AUTHORIZATION"), { on: onHttp1 }),
  control("blanks follow the token, which HTTP/1.1 takes away", "RFC 9110 §5.5", value(`Bearer ${good}  `), {
    on: onHttp1,
  }),
  missing("blanks follow the token over HTTP/2, where node drops such a header", value(`Bearer ${good}  `), {
    on: onHttp2,
    reference: "RFC 9113 §8.2.1",
  }),
  control(
    "a public RPC is called with a token that is none",
    "RFC 6750 §3.1",
    value("Bearer not-a-token-at-all-but-long"),
    { service: "Lobby" },
  ),
  control("a public RPC is called without a token", "RFC 6750 §3.1", () => ({}), { service: "Lobby" }),
];
