// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { encodePart, signToken, type TokenPart } from "../../support/issuer.js";
import { type Attack, control, stoppedBy } from "../attack.js";
import { signEncoded } from "../lab/forge.js";
import { claims, es256, good, header, mint, partsOf, spelled, withSignature } from "../lab/mint.js";
import { onConnect, onGrpcJs, onHttp1, onHttp2 } from "../lab/ways.js";

const base64 = stoppedBy("canonical-base64url", "RFC 7515 §2, RFC 4648 §3.5");
const characters = stoppedBy("bearer-characters", "RFC 6750 §2.1");
const text = stoppedBy("strict-utf8", "RFC 7519 §7.2, RFC 3629 §3");
const object = stoppedBy("json-objects", "RFC 7519 §7.2");
const duplicate: typeof base64 = (name, forge, more) =>
  stoppedBy("duplicate-members", "RFC 7519 §4, RFC 7515 §4")(name, forge, { ...more });
const deep: typeof base64 = (name, forge, more) => stoppedBy("json-depth", "CWE-674")(name, forge, { ...more });

const [head, payload, signature] = partsOf(good);
const payloadOf = (part: TokenPart) => () => mint(part);
const headOf = (part: TokenPart) => () => signToken(es256, part, claims());
/** The claims with one more member before or behind the others. */
const before = (member: string, base = claims()): string => JSON.stringify(base).replace("{", () => `{${member},`);
const behind = (member: string, base = claims()): string => JSON.stringify(base).replace(/\}$/, () => `,${member}}`);
const nested = (depth: number): string => `${'{"a":'.repeat(depth)}1${"}".repeat(depth)}`;
const listed = (depth: number): string => `${"[".repeat(depth)}${"]".repeat(depth)}`;

/** A last character whose unused bits are not 0. */
function withTrailingBits(encoded: string): string {
  const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  return encoded.slice(0, -1) + alphabet.charAt(alphabet.indexOf(encoded.slice(-1)) + 1);
}

/** Members whose encoding does not fill its last character. */
function uneven(members: Readonly<Record<string, unknown>>): string {
  const encoded = ["", "x"].map((pad) => encodePart({ ...members, pad })).find(({ length }) => length % 4 !== 0);
  return encoded ?? "";
}

export const encodings: readonly Attack[] = [
  base64("the unused bits of the signature are not 0", () => `${head}.${payload}.${withTrailingBits(signature)}`),
  base64("the unused bits of the payload are not 0, and are signed", () =>
    signEncoded(head, withTrailingBits(uneven(claims()))),
  ),
  base64("the unused bits of the header are not 0, and are signed", () =>
    signEncoded(withTrailingBits(uneven(header())), payload),
  ),
  base64("the signature is padded", () => `${good}==`),
  base64("the payload is padded, and that is signed", () => signEncoded(head, `${uneven(claims())}=`), {
    reference: "RFC 7515 §2",
  }),
  base64("the signature is in the alphabet of base64", () => {
    const token = mintUntil((candidate) => /[-_]/.test(partsOf(candidate)[2]));
    return withSignature(token, (bytes) => Buffer.from(bytes).toString("base64").replaceAll("=", ""));
  }),
  base64("the payload is in the alphabet of base64, and that is signed", () =>
    signEncoded(
      head,
      Buffer.from(JSON.stringify(claims({ pad: "???>>>~~~" })))
        .toString("base64")
        .replaceAll("=", ""),
    ),
  ),
  base64("a whole character is added behind the signature", () => `${good}A`),
  base64("dots of another kind stand in the signature", () => `${head}.${payload}.~${signature}~`),

  characters("a blank is in the token", () => `${head}.${payload} .${signature}`),
  characters("a tab is in the token", () => `${head}.\t${payload}.${signature}`, { on: onConnect }),
  characters("a blank goes before the token", () => ` ${good}`),
  characters("the token is in quotation marks", () => `"${good}"`),
  characters("the token is in angle brackets", () => `<${good}>`),
  characters("the token is percent-encoded", () => good.replaceAll(".", "%2E")),
  characters("the dots are separators of another kind", () => good.replaceAll(".", ":")),
  characters("a character that is not ASCII is in the token", () => `${head}.${payload}\u00e9.${signature}`, {
    on: onConnect,
  }),
  characters("a semicolon and a parameter follow", () => `${good};v=1`),
  characters("padding stands in the middle", () => `${head}=.${payload}.${signature}`),
  characters("a comment follows", () => `${good}#`),

  stoppedBy("token-length", "CWE-400")("the token is 16,385 characters long", () => paddedTo(16_385), {
    on: onHttp2,
  }),
  stoppedBy("token-length", "CWE-400")("the token is 60,000 characters long", () => paddedTo(60_000), {
    on: onGrpcJs,
  }),
  stoppedBy("http-server", "CWE-400", "not HTTP")(
    "the token is 20,000 characters long, over HTTP/1.1",
    () => paddedTo(20_000),
    { on: onHttp1 },
  ),
  control("the token is 16,384 characters long", "CWE-400", () => paddedTo(16_384), {
    on: onHttp2,
  }),

  text("the payload is not UTF-8", payloadOf(latin1(claims({ pad: "\u00e9" })))),
  text("the header is not UTF-8", headOf(latin1(header({ pad: "\u00ff" })))),
  text(
    "the payload has an overlong encoding of a quotation mark",
    payloadOf(bytesIn(claims({ pad: "@" }), [0xc0, 0xa2])),
  ),
  text(
    "the payload has half of a surrogate pair in bytes",
    payloadOf(bytesIn(claims({ pad: "@" }), [0xed, 0xa0, 0x80])),
  ),
  text(
    "a text of the payload ends in the middle of a character",
    payloadOf(bytesIn(claims({ pad: "@" }), [0xe2, 0x82])),
  ),
  text("the payload begins with a byte order mark", payloadOf(`\ufeff${JSON.stringify(claims())}`), {
    reference: "RFC 8259 §8.1",
  }),

  object("the payload is UTF-16", payloadOf(Buffer.from(JSON.stringify(claims()), "utf16le"))),
  object("the payload is a text with the claims in it", payloadOf(JSON.stringify(JSON.stringify(claims())))),
  object("the payload is a list", payloadOf(JSON.stringify([claims()]))),
  object("the payload is a number", payloadOf("7")),
  object("the payload is null", payloadOf("null")),
  object("the payload is cut off", payloadOf(JSON.stringify(claims()).slice(0, -1))),
  stoppedBy("jwt-shape", "RFC 7519 §7.2")("the payload is empty", payloadOf("")),
  object("something follows the payload's object", payloadOf(`${JSON.stringify(claims())}{}`)),
  object("the payload has a comment", payloadOf(`${JSON.stringify(claims())}/**/`)),
  object("the payload has a comma behind its last member", payloadOf(behindComma())),
  object("the payload is in single quotation marks", payloadOf(JSON.stringify(claims()).replaceAll('"', "'"))),
  object("a number of the payload is NaN", payloadOf(spelled(claims({ exp: 77_777 }), "77777", "NaN"))),
  object("a NUL follows the payload's object", payloadOf(`${JSON.stringify(claims())}\u0000`)),
  object("the header is a list", headOf(JSON.stringify([header()]))),
  object("the header is null", headOf("null")),
  object("the header is a number", headOf("1")),
  object("the header is no JSON", headOf("alg=ES256")),

  duplicate("alg stands there twice, none first", headOf(before('"alg":"none"', header()))),
  duplicate("alg stands there twice, none last, and the signature is good for neither", () =>
    signToken(es256, before('"alg":"ES256"', header({ alg: "ES256" })), claims()),
  ),
  duplicate("kid stands there twice", headOf(before('"kid":"attacker"', header()))),
  duplicate("typ stands there twice", headOf(before('"typ":"JWT"', header()))),
  duplicate("exp stands there twice, the expired one first", payloadOf(before('"exp":1'))),
  duplicate("exp stands there twice, once spelled with an escape", payloadOf(before('"\\u0065xp":1'))),
  duplicate("aud stands there twice", payloadOf(before('"aud":"https://other.internal"'))),
  duplicate("iss stands there twice", payloadOf(before('"iss":"https://attacker.example.net"'))),
  duplicate("scope stands there twice", payloadOf(behind('"scope":"vault:read"', claims({ scope: "other" })))),
  duplicate("client_id stands there twice", payloadOf(behind('"client_id":"auditor"'))),
  duplicate("sub stands there twice, with the same value", payloadOf(behind('"sub":"teller"'))),
  duplicate("a member inside of another stands there twice", payloadOf(behind('"act":{"sub":"a","sub":"b"}'))),
  duplicate("__proto__ stands there twice", payloadOf(behind('"__proto__":{},"__proto__":{"scope":"x"}'))),
  stoppedBy("algorithm-list", "RFC 8259 §7, RFC 8725 §2.1")(
    "alg is spelled with an escape, and is none",
    headOf(spelled(header({ alg: "none" }), '"alg"', '"\\u0061lg"')),
  ),
  control("exp is spelled with an escape", "RFC 8259 §7", payloadOf(spelled(claims(), '"exp"', '"\\u0065xp"'))),
  control(
    "__proto__ is a claim, and changes nothing",
    "CWE-1321",
    payloadOf(behind('"__proto__":{"scope":"vault:admin"}')),
  ),
  stoppedBy("own-members", "CWE-1321")(
    "all claims but exp are in __proto__",
    payloadOf(`{"exp":${Number(claims()["exp"])},"__proto__":${JSON.stringify(claims())}}`),
  ),

  deep("an object of the payload is 33 levels deep", payloadOf(behind(`"a":${nested(32)}`))),
  deep("a list of the payload is 2,000 levels deep", payloadOf(behind(`"a":${listed(2_000)}`))),
  deep("a list of the header is 2,000 levels deep", headOf(behind(`"a":${listed(2_000)}`, header()))),
  control("an object of the payload is 32 levels deep", "CWE-674", payloadOf(behind(`"a":${nested(31)}`))),
  control(
    "the payload has blanks and newlines between its members",
    "RFC 8259 §2",
    payloadOf(JSON.stringify(claims(), null, 2)),
  ),
];

function latin1(members: Readonly<Record<string, unknown>>): Buffer {
  return Buffer.from(JSON.stringify(members), "latin1");
}

function bytesIn(members: Readonly<Record<string, unknown>>, bytes: readonly number[]): Buffer {
  const [first = "", second = ""] = JSON.stringify(members).split("@");
  return Buffer.concat([Buffer.from(first), Buffer.from(bytes), Buffer.from(second)]);
}

function behindComma(): string {
  return JSON.stringify(claims()).replace(/\}$/, ",}");
}

function mintUntil(fits: (token: string) => boolean): string {
  for (;;) {
    const token = mint();
    if (fits(token)) return token;
  }
}

/** A good token of some length, in characters. */
function paddedTo(length: number): string {
  const encodedLength = (bytes: number): number => Math.ceil((bytes * 4) / 3);
  for (let more = 0; more < 4; more++) {
    const filled = header({ pad: "y".repeat(more) });
    const wanted = length - encodePart(filled).length - signature.length - 2;
    const bytes = Math.floor((wanted * 3) / 4);
    // Not every length is that of an encoding: the header makes up for that.
    if (encodedLength(bytes) !== wanted) continue;
    const pad = bytes - JSON.stringify(claims({ pad: "" })).length;
    return mint(claims({ pad: "x".repeat(pad) }), filled);
  }
  throw new Error(`no token of ${length} characters`);
}
