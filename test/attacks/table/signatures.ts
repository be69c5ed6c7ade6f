// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { type Attack, stoppedBy } from "../attack.js";
import { assemble, p256Order, signedAs } from "../lab/forge.js";
import {
  attackerEs256,
  attackerRs256,
  claims,
  ed25519,
  es256,
  good,
  header,
  mint,
  mintUnder,
  partsOf,
  rs256,
  withSignature,
} from "../lab/mint.js";

const signature = stoppedBy("signature", "RFC 7515 §5.2");
const psychic = stoppedBy("signature", "CVE-2022-21449");
const goodRsa = mintUnder({}, rs256);
const [goodHead, goodPayload, goodSignature] = partsOf(good);
const [, otherPayload] = partsOf(mint(claims({ scope: "vault:read vault:admin" })));
const one = Buffer.alloc(32);
one.writeUInt8(1, 31);
const under = (third: Uint8Array, key = es256): string => assemble(header({}, key), claims(), third);

export const signatures: readonly Attack[] = [
  psychic("r and s of an ES256 signature are 0", () => under(Buffer.alloc(64))),
  psychic("r and s of an ES256 signature are the order of the curve", () =>
    under(Buffer.concat([p256Order, p256Order])),
  ),
  psychic("r is 1 and s is 0", () => under(Buffer.concat([one, Buffer.alloc(32)]))),
  psychic("r is the order of the curve and s is 1", () => under(Buffer.concat([p256Order, one]))),
  psychic("r and s are 1", () => under(Buffer.concat([one, one]))),
  signature("a signature of RS256 is 0", () => under(Buffer.alloc(256), rs256)),
  signature("a signature of RS256 is 1", () => under(Buffer.concat([Buffer.alloc(255), Buffer.from([1])]), rs256)),
  signature("a signature of Ed25519 is 0", () => under(Buffer.alloc(64), ed25519)),
  signature(
    "R of an Ed25519 signature is the neutral point and S is 0",
    () => under(Buffer.concat([Buffer.from([1]), Buffer.alloc(63)]), ed25519),
    { reference: "RFC 8032 §5.1.7" },
  ),
  signature("a bit of the signature is turned around", () =>
    withSignature(good, (bytes) => bytes.map((byte, at) => (at === 7 ? byte ^ 1 : byte))),
  ),
  signature("the last byte of the signature is missing", () => withSignature(good, (bytes) => bytes.subarray(0, 63))),
  signature("a byte stands behind the signature", () =>
    withSignature(good, (bytes) => Buffer.concat([bytes, one.subarray(0, 1)])),
  ),
  signature("the signature stands there twice", () => withSignature(good, (bytes) => Buffer.concat([bytes, bytes]))),
  signature("the signature of RS256 is shorter than its key", () =>
    withSignature(goodRsa, (bytes) => bytes.subarray(1)),
  ),
  signature("zeros stand before a signature of RS256", () =>
    withSignature(goodRsa, (bytes) => Buffer.concat([Buffer.alloc(8), bytes])),
  ),
  signature("the signature of ES256 is in DER", () => signedAs(header(), es256, "DER"), { reference: "RFC 7518 §3.4" }),
  signature("r and s have changed places", () =>
    withSignature(good, (bytes) => Buffer.concat([bytes.subarray(32), bytes.subarray(0, 32)])),
  ),
  signature("the signature is of another digest than alg says", () => signedAs(header(), es256, "P1363", "sha512")),
  signature("a signature of PSS stands where RS256 is claimed", () => signedAs(header({}, rs256), rs256, "PSS")),
  signature("the payload is that of another token", () => `${goodHead}.${otherPayload}.${goodSignature}`),
  signature(
    "the header is that of another token",
    () => `${partsOf(mint(claims(), header({ kid: es256.kid, extra: 1 })))[0]}.${goodPayload}.${goodSignature}`,
  ),
  signature("the signature is of the payload alone", () =>
    assemble(header(), claims(), partsOf(signedAs("", es256, "P1363"))[2]),
  ),
  signature("the token is signed by another key under the key id of the issuer", () =>
    mint(claims(), header(), attackerEs256),
  ),
  signature("the token is signed by another RSA key under the key id of the issuer", () =>
    mint(claims(), header({}, rs256), attackerRs256),
  ),
];
