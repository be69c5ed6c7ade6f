// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { createHash } from "node:crypto";
import { deflateRawSync } from "node:zlib";
import { encodePart, signToken } from "../../support/issuer.js";
import { type Attack, control, stoppedBy } from "../attack.js";
import { assemble, derOf, jweOf } from "../lab/forge.js";
import {
  attackerEs256,
  attackerUrl,
  claims,
  es256,
  good,
  header,
  mint,
  mintUnder,
  partsOf,
  rs256,
} from "../lab/mint.js";

const embedded = stoppedBy("header-keys", "CVE-2018-0114, RFC 8725 §3.10");
const pointed = stoppedBy("header-keys", "RFC 8725 §3.10");
const critical = stoppedBy("critical", "RFC 7515 §4.1.11");
const type = stoppedBy("token-type", "RFC 8725 §3.11, RFC 9068 §4");
const byAttacker = (changes: Record<string, unknown>): string => mint(claims(), header(changes), attackerEs256);
const der = derOf(attackerEs256);
const keysUrl = `${attackerUrl}/keys`;
const typ = (value: unknown): string => mintUnder({ typ: value });
const [goodHead, , goodSignature] = partsOf(good);

export const headersInTokens: readonly Attack[] = [
  embedded("the key that verifies the token is in its header (jwk)", () =>
    byAttacker({ jwk: attackerEs256.publicJwk }),
  ),
  embedded("the key is in the header, and no key id", () =>
    byAttacker({ jwk: attackerEs256.publicJwk, kid: undefined }),
  ),
  pointed("jku leads to the keys of the attacker", () => byAttacker({ jku: keysUrl })),
  pointed("jku leads to the attacker behind the host of the issuer", () =>
    byAttacker({ jku: "https://login.example.com@attacker.example.net/keys" }),
  ),
  pointed("jku leads to the cloud's metadata", () => byAttacker({ jku: "http://169.254.169.254/latest/meta-data" }), {
    reference: "CVE-2024-21643, RFC 8725 §3.10",
  }),
  pointed("x5u leads to the certificate of the attacker", () => byAttacker({ x5u: keysUrl })),
  pointed("x5u leads to a file", () => byAttacker({ x5u: "file:///etc/passwd" })),
  pointed("x5c has the key of the attacker in it", () => byAttacker({ x5c: [der.toString("base64")] })),
  pointed("x5t names the certificate of the attacker", () =>
    byAttacker({ x5t: createHash("sha1").update(der).digest("base64url"), kid: undefined }),
  ),
  pointed("iss of the attacker stands in the header", () => byAttacker({ iss: attackerUrl }), {
    reference: "RFC 7519 §5.3",
  }),
  control("a good token has header parameters that nobody asked for", "RFC 7515 §4.2", () =>
    mintUnder({ jku: keysUrl, jwk: attackerEs256.publicJwk, x5c: ["AA=="], more: [1] }),
  ),

  critical("crit names an extension that nobody knows", () => mintUnder({ crit: ["exp-in-ms"], "exp-in-ms": true })),
  critical("crit names b64, which is false", () => mintUnder({ b64: false, crit: ["b64"] }), {
    reference: "RFC 7797 §6",
  }),
  critical("crit names b64, which is true", () => mintUnder({ b64: true, crit: ["b64"] }), {
    reference: "RFC 7797 §3",
  }),
  critical("crit is empty", () => mintUnder({ crit: [] })),
  critical("crit names a registered parameter", () => mintUnder({ crit: ["alg"] })),
  critical("crit names an extension twice", () => mintUnder({ crit: ["b64", "b64"], b64: true })),
  critical("crit is a text", () => mintUnder({ crit: "b64", b64: true })),
  critical("crit is null", () => mintUnder({ crit: null })),
  critical("crit is an object", () => mintUnder({ crit: { b64: true } })),
  critical("b64 is false, and crit does not name it", () => mintUnder({ b64: false }), { reference: "RFC 7797 §6" }),
  critical("b64 is true, and crit does not name it", () => mintUnder({ b64: true }), { reference: "RFC 7797 §6" }),
  critical("b64 is a text", () => mintUnder({ b64: "false" }), { reference: "RFC 7797 §3" }),

  type("typ is missing", () => typ(undefined)),
  type("the token is an ID token, of typ JWT", () => typ("JWT")),
  type("the token is an OAuth authorization request", () => typ("oauth-authz-req+jwt"), {
    reference: "RFC 9101 §10.8",
  }),
  type("the token is a logout token", () => typ("logout+jwt"), {
    reference: "OpenID Connect Back-Channel Logout 1.0 §2.4",
  }),
  type("the token is a security event", () => typ("secevent+jwt"), { reference: "RFC 8417 §2.3" }),
  type("the token is a DPoP proof", () => typ("dpop+jwt"), { reference: "RFC 9449 §4.2" }),
  type("the token is an introspection answer", () => typ("token-introspection+jwt"), { reference: "RFC 9701 §5" }),
  type("the token authenticates a client", () => typ("client-authentication+jwt"), { reference: "RFC 7523 §3" }),
  type("the token is a credential with selective disclosure", () => typ("dc+sd-jwt"), { reference: "RFC 9901 §4" }),
  type("typ says application twice", () => typ("application/application/at+jwt")),
  type("typ has a parameter", () => typ("at+jwt; charset=utf-8")),
  type("typ has a blank before it", () => typ(" at+jwt")),
  type("typ is a list with a good one in it", () => typ(["at+jwt"])),
  type("typ is null", () => typ(null)),
  type("typ is empty", () => typ("")),
  type("typ has a letter that only looks like ours", () => typ("at+\u212awt")),
  control("typ is written as AT+JWT", "RFC 7515 §4.1.9", () => typ("AT+JWT")),
  control("typ is written as application/at+jwt", "RFC 9068 §2.1", () => typ("application/at+jwt")),

  stoppedBy("jwt-shape", "RFC 7519 §5.2")("the token is signed around another signed token", () =>
    signToken(es256, header({ cty: "JWT" }), good),
  ),
  stoppedBy("jwt-shape", "RFC 7515 §7.2")("the token is in the JSON serialization", () =>
    encodePart({ protected: goodHead, payload: partsOf(good)[1], signature: goodSignature }),
  ),
  stoppedBy("jwt-shape", "RFC 7515 §7.2")(
    "the token is JSON in the place of the first part",
    () => `${encodePart({ ...header(), payload: claims() })}..${goodSignature}`,
  ),
  stoppedBy("jwt-shape", "RFC 7515 App. F")("the payload is detached", () => `${goodHead}..${goodSignature}`),
  stoppedBy("jwt-shape", "RFC 7515 §7.1")("the signature and its dot are missing", () =>
    good.slice(0, good.lastIndexOf(".")),
  ),
  stoppedBy("jwt-shape", "RFC 7515 §7.1")("a fourth part follows", () => `${good}.${goodSignature}`),
  stoppedBy("jwt-shape", "RFC 7515 §7.1")("a dot follows", () => `${good}.`),
  stoppedBy("jwt-shape", "RFC 7515 §7.1")("a dot goes before", () => `.${good}`),
  stoppedBy("jwt-shape", "RFC 7515 §7.1")("the token is three dots", () => "..."),
  stoppedBy("jwt-shape", "RFC 6749 §1.4")("the token is opaque", () => "2YotnFZFEjr1zCsicMWpAA2YotnFZFEjr1zCsicMWpAA"),
  stoppedBy("jwt-shape", "RFC 9901 §4")(
    "disclosures follow the token",
    () => `${good}~WyJzYWx0Iiwic2NvcGUiLCJ2YXVsdDphZG1pbiJd~`,
  ),
  stoppedBy("jwt-shape", "RFC 8725 §2.4, CVE-2024-28176")("the payload is compressed, as zip says", () =>
    signToken(es256, header({ zip: "DEF" }), deflateRawSync(JSON.stringify(claims()))),
  ),
  stoppedBy("jwt-shape", "CVE-2026-29000, RFC 7516 §7.1")(
    "a token that nobody signed is encrypted to a published key",
    () => jweOf(assemble(header({ alg: "none" }), claims()), rs256),
  ),
];
