// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { signToken } from "../../support/issuer.js";
import { type Attack, control, stoppedBy } from "../attack.js";
import { assemble, confused, derOf, pemOf, pkcs1Of, signedAs } from "../lab/forge.js";
import { claims, ed25519, es256, es384, good, header, mint, mintUnder, partsOf, rs256 } from "../lab/mint.js";

const none = stoppedBy("algorithm-list", "CVE-2015-9235, RFC 8725 §2.1");
const confusion = stoppedBy("algorithm-list", "CVE-2016-5431, RFC 8725 §2.1");
const other = stoppedBy("algorithm-list", "RFC 8725 §3.1");
const mismatch: typeof other = (name, forge, more) =>
  // A key that would fit might have been published since.
  stoppedBy("key-algorithm", "RFC 8725 §3.1")(name, forge, { outbound: 1, ...more });
const [, , signature] = partsOf(good);
const unsigned = (alg: unknown, third = ""): string => assemble(header({ alg }), claims(), third);

const jwkText = JSON.stringify(rs256.publicJwk);
const modulus = rs256.publicJwk.n ?? "";

export const algorithms: readonly Attack[] = [
  control("a token is signed with ES256", "RFC 7518 §3.4", () => good),
  control("a token is signed with ES384", "RFC 7518 §3.4", () => mintUnder({}, es384)),
  control("a token is signed with RS256", "RFC 7518 §3.3", () => mintUnder({}, rs256)),
  control("a token is signed with Ed25519", "RFC 9864 §2.2", () => mintUnder({}, ed25519)),

  none("alg is none and the signature is empty", () => unsigned("none")),
  none("alg is None", () => unsigned("None")),
  none("alg is NONE", () => unsigned("NONE")),
  none("alg is nOnE", () => unsigned("nOnE")),
  none("alg is none with a blank behind it", () => unsigned("none ")),
  none("alg is none with a NUL behind it", () => unsigned("none\u0000")),
  none("alg is none, in letters that only look like it", () => unsigned("n\u03bfne")),
  none("alg is none, and the signature of another token stands behind it", () => unsigned("none", signature)),
  none("alg is missing", () => unsigned(undefined, signature)),
  none("alg is the empty string", () => unsigned("", signature)),
  none("alg is null", () => unsigned(null, signature)),
  none("alg is a list with a good one in it", () => mint(claims(), header({ alg: ["ES256"] }))),
  none("alg is an object that says it is ES256", () => mint(claims(), header({ alg: { toString: "ES256" } }))),
  none("alg is a number", () => unsigned(0, signature)),
  none("alg is true", () => unsigned(true, signature)),
  none("alg is ES256 in lower case", () => mintUnder({ alg: "es256" })),
  none("alg is ES256 with a blank behind it", () => mintUnder({ alg: "ES256 " })),
  none("alg is the name of a member of every object", () => unsigned("constructor", signature)),
  none("alg is __proto__", () => unsigned("__proto__", signature)),

  confusion("the secret of HS256 is the RSA key as PEM", () => confused(pemOf(rs256), rs256)),
  confusion("the secret of HS256 is the PEM without its last newline", () => confused(pemOf(rs256).trimEnd(), rs256)),
  confusion("the secret of HS256 is the PEM with CR LF", () => confused(pemOf(rs256).replaceAll("\n", "\r\n"), rs256)),
  confusion("the secret of HS256 is the base64 inside of the PEM", () =>
    confused(derOf(rs256).toString("base64"), rs256),
  ),
  confusion("the secret of HS256 is the RSA key as PKCS #1", () => confused(pkcs1Of(rs256), rs256)),
  confusion("the secret of HS256 is the RSA key in DER", () => confused(derOf(rs256), rs256)),
  confusion("the secret of HS256 is the JWK as JSON", () => confused(jwkText, rs256)),
  confusion("the secret of HS256 is the modulus in base64url", () => confused(modulus, rs256)),
  confusion("the secret of HS256 is the modulus in bytes", () => confused(Buffer.from(modulus, "base64url"), rs256)),
  confusion("the secret of HS256 is the EC key as PEM", () => confused(pemOf(es256), es256), {
    reference: "CVE-2024-54150",
  }),
  confusion(
    "the secret of HS256 is the Ed25519 key in bytes",
    () => confused(Buffer.from(ed25519.publicJwk.x ?? "", "base64url"), ed25519),
    { reference: "CVE-2022-29217" },
  ),
  confusion("the secret of HS256 is the key id", () => confused(rs256.kid, rs256)),
  confusion("the secret of HS256 is empty", () => confused("", rs256)),
  confusion("the secret of HS384 is the RSA key as PEM", () => confused(pemOf(rs256), rs256, "HS384")),
  confusion("the secret of HS512 is the RSA key as PEM", () => confused(pemOf(rs256), rs256, "HS512")),

  other("alg is RSA-OAEP, which signs nothing", () => mintUnder({ alg: "RSA-OAEP" }, rs256)),
  other("alg is dir, of JWE", () => unsigned("dir", signature), { reference: "RFC 7518 §4.5" }),
  other(
    "alg is PBES2, with a count that keeps the server busy",
    () => assemble(header({ alg: "PBES2-HS512+A256KW", p2s: "c2FsdA", p2c: 2_147_483_647 }), claims(), signature),
    {
      reference: "CVE-2022-36083, CVE-2023-50966",
    },
  ),
  other("alg is RS1, with SHA-1", () => signedAs(header({ alg: "RS1" }, rs256), rs256, "PKCS1", "sha1"), {
    reference: "RFC 8725 §3.2",
  }),
  other("alg is ES256K, which the server does not list", () => mintUnder({ alg: "ES256K" }), {
    reference: "RFC 8812 §3.2",
  }),
  other("alg is Ed448, which the server does not list", () => mintUnder({ alg: "Ed448" }, ed25519), {
    reference: "RFC 9864 §2.2",
  }),
  other("alg is ES384, which this server has turned off", () => mintUnder({}, es384), {
    world: { algorithms: ["ES256"] },
  }),

  mismatch("ES384 is claimed for a key on P-256", () => mintUnder({ alg: "ES384" })),
  mismatch("ES256 is claimed for a key on P-384", () => mintUnder({ alg: "ES256" }, es384)),
  mismatch(
    "PS256 is used with a key published for RS256",
    () => signedAs(header({ alg: "PS256" }, rs256), rs256, "PSS"),
    {
      reference: "RFC 7517 §4.4",
    },
  ),
  mismatch(
    "RS512 is used with a key published for RS256",
    () => signedAs(header({ alg: "RS512" }, rs256), rs256, "PKCS1", "sha512"),
    { reference: "RFC 7517 §4.4" },
  ),
  mismatch("RS256 is claimed for an EC key", () => mintUnder({ alg: "RS256" })),
  mismatch("ES256 is claimed for an RSA key", () => mint(claims(), header({ alg: "ES256" }, rs256), rs256)),
  mismatch(
    "EdDSA is used with a key published for Ed25519",
    () => signToken(ed25519, header({ alg: "EdDSA" }, ed25519), claims()),
    { reference: "RFC 9864 §2.2" },
  ),
  mismatch("the key is published for encryption", () => good, {
    reference: "RFC 7517 §4.2",
    world: { keys: [{ ...es256.publicJwk, use: "enc" }] },
  }),
  mismatch("the key is published for other operations", () => good, {
    reference: "RFC 7517 §4.3",
    world: { keys: [{ ...es256.publicJwk, key_ops: ["sign"] }] },
  }),
];
