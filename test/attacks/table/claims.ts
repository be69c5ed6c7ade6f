// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { type Attack, control, stoppedBy } from "../attack.js";
import { attackerUrl, audience, claims, hallAudience, issuerUrl, mint, mintWith, otherIssuerUrl } from "../lab/mint.js";

const aud = stoppedBy("audience", "RFC 8725 §3.9, RFC 7519 §4.1.3");
const iss = stoppedBy("issuer", "RFC 8725 §3.8, RFC 7519 §4.1.1");
const sub = stoppedBy("subject", "RFC 9068 §2.2");
const client = stoppedBy("client-id", "RFC 9068 §2.2");
const use = stoppedBy("other-use", "RFC 8725 §3.11");
const bound = stoppedBy("key-binding", "RFC 7800 §3");
const withAud = (value: unknown) => () => mintWith({ aud: value });
const withIss = (value: unknown) => () => mintWith({ iss: value });
const withSub = (value: unknown) => () => mintWith({ sub: value });
const withClient = (value: unknown) => () => mintWith({ client_id: value });
const withClaim = (name: string, value: unknown) => () => mintWith({ [name]: value });

export const claimsFamily: readonly Attack[] = [
  aud("aud is missing", withAud(undefined)),
  aud("aud is that of another service on the same server", withAud(hallAudience)),
  aud("aud is a prefix of ours", withAud("https://vault")),
  aud("ours is a prefix of aud", withAud(`${audience}.example.net`)),
  aud("aud has a slash behind it", withAud(`${audience}/`)),
  aud("aud is in upper case", withAud(audience.toUpperCase())),
  aud("aud has a blank behind it", withAud(`${audience} `)),
  aud("aud names ours and another in one text", withAud(`${hallAudience} ${audience}`)),
  aud("aud is a list of others", withAud([hallAudience, "https://vault"])),
  aud("aud is an empty list", withAud([]), { reference: "CVE-2020-26160" }),
  aud("aud is a list in a list", withAud([[audience]]), { reference: "CVE-2020-26160" }),
  aud("aud is a list with ours and a number", withAud([audience, 7])),
  aud("aud is a list with null in it", withAud([null])),
  aud("aud is an object whose member is ours", withAud({ [audience]: true })),
  aud("aud is an object that could be read as a list", withAud({ 0: audience, length: 1 })),
  aud("aud is a number", withAud(0)),
  aud("aud is true", withAud(true)),
  aud("aud is null", withAud(null)),
  aud("aud is empty", withAud("")),
  aud("aud is a wildcard", withAud("*")),
  aud("ours is in azp, and not in aud", () => mintWith({ aud: hallAudience, azp: audience })),
  aud("ours is in resource, and not in aud", () => mintWith({ aud: undefined, resource: audience })),
  aud("the token is for Vault, the call for Hall", () => mintWith({ aud: audience }), { service: "Hall" }),
  control("aud is a list with ours in it", "RFC 7519 §4.1.3", withAud([hallAudience, audience])),
  control("aud names both services of the server", "RFC 7519 §4.1.3", withAud([audience, hallAudience]), {
    service: "Hall",
  }),

  iss("iss is missing", withIss(undefined)),
  iss("iss is that of the attacker", withIss(attackerUrl)),
  iss("iss has a slash behind it", withIss(`${issuerUrl}/`)),
  iss("iss is in upper case", withIss("https://LOGIN.example.com")),
  iss("iss has the default port", withIss("https://login.example.com:443")),
  iss("iss is http", withIss("http://login.example.com")),
  iss("iss has ours as user name", withIss("https://login.example.com@attacker.example.net")),
  iss("ours is a prefix of iss", withIss("https://login.example.com.attacker.example.net")),
  iss("iss has a letter that only looks like ours", withIss("https://l\u043egin.example.com")),
  iss("iss has an invisible character", withIss("https://login.example\u200b.com")),
  iss("iss is a list with ours in it", withIss([issuerUrl]), { reference: "CVE-2025-30144" }),
  iss("iss is a list with ours and the attacker's", withIss([attackerUrl, issuerUrl]), {
    reference: "CVE-2025-30144",
  }),
  iss("iss is an object", withIss({ url: issuerUrl })),
  iss("iss is null", withIss(null)),
  iss("iss is another issuer that nobody trusts here, signed by our issuer's key", withIss(otherIssuerUrl)),
  iss("iss has a fragment", withIss(`${issuerUrl}#`)),

  sub("sub is missing", withSub(undefined)),
  sub("sub is empty", withSub("")),
  sub("sub is null", withSub(null)),
  sub("sub is a number", withSub(7)),
  sub("sub is an object", withSub({ id: "teller" })),
  sub("sub is a list", withSub(["teller"])),

  client("client_id is missing", withClient(undefined)),
  client("client_id is empty", withClient("")),
  client("client_id is null", withClient(null)),
  client("client_id is a list", withClient(["teller"])),
  client("client_id is an object", withClient({ toString: "teller" })),
  client("client_id is a number", withClient(1)),
  client("client_id is missing, and azp is there", () => mintWith({ client_id: undefined, azp: "teller" })),

  use("the claims are those of an ID token: nonce", withClaim("nonce", "n-0S6"), {
    reference: "OpenID Connect Core 1.0 §2",
  }),
  use("the claims are those of an ID token: at_hash", withClaim("at_hash", "77Qm"), {
    reference: "OpenID Connect Core 1.0 §3.3.2.11",
  }),
  use("the claims are those of an ID token: c_hash", withClaim("c_hash", "77Qm"), {
    reference: "OpenID Connect Core 1.0 §3.3.2.11",
  }),
  use(
    "the claims are those of a logout token: events",
    withClaim("events", { "http://schemas.openid.net/event/backchannel-logout": {} }),
    {
      reference: "OpenID Connect Back-Channel Logout 1.0 §2.4",
    },
  ),
  use("the claim typ says that it is an ID token", withClaim("typ", "ID")),
  use("the claim typ says that it is a refresh token", withClaim("typ", "Refresh")),
  use("token_use says that it is an ID token", withClaim("token_use", "id")),
  use("token_use is a list with access in it", withClaim("token_use", ["access"])),

  bound(
    "the token is bound to a certificate, and comes without",
    withClaim("cnf", { "x5t#S256": "A4DtL2JmUMhAsvJj5tKyn64SqzmuXbMrJa0n761y5v0" }),
    {
      reference: "RFC 8705 §3",
    },
  ),
  bound(
    "the token is bound to a DPoP key, and comes as a bearer token",
    withClaim("cnf", { jkt: "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I" }),
    {
      reference: "RFC 9449 §6.1",
    },
  ),
  bound("the token is bound to a key in a way that nobody knows", withClaim("cnf", { unknown: 1 })),
  bound("cnf is empty", withClaim("cnf", {})),
  bound("cnf is null", withClaim("cnf", null)),
  bound("cnf is a text", withClaim("cnf", "no")),

  control("claims that nobody asked for are there", "RFC 7519 §4", () =>
    mint(claims({ admin: true, roles: ["vault:admin"], constructor: 1, prototype: [], jti: 7 })),
  ),
];
