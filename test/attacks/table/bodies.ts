// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { gzipSync } from "node:zlib";
import { type Attack, type ForgedRequest, stoppedBy } from "../attack.js";
import { good, mintWith, start } from "../lab/mint.js";
import type { Way } from "../lab/ways.js";

const gate = stoppedBy("gate", "CWE-400, CWE-770", "CREDENTIALS_MISSING");
const probe = stoppedBy("gate", "CWE-209", "CREDENTIALS_MISSING");
const withBody = (way: Way): boolean => !way.get;
const onProto = (way: Way): boolean => !way.get && way.format === "proto";
const onJson = (way: Way): boolean => way.format === "json";
const megabytes = (count: number): number => count * 1024 * 1024;
/** 1 MB that becomes 64 MB. */
const bomb: () => Buffer = () => gzipSync(Buffer.alloc(megabytes(4)));
const sends = (request: ForgedRequest) => (): ForgedRequest => request;
const bad = (token: string): ForgedRequest => ({ fields: [["authorization", `Bearer ${token}`]] });

export const bodies: readonly Attack[] = [
  gate("a body of 100 MB is announced, and none of it sent", sends({ claimedLength: megabytes(100) }), {
    on: withBody,
  }),
  gate("a body of 1 byte is announced, and not sent", sends({ claimedLength: 1 }), { on: withBody }),
  gate("a body of 9 PB is announced", sends({ claimedLength: Number.MAX_SAFE_INTEGER }), { on: withBody }),
  gate("the message is a gzip bomb", () => ({ message: bomb() }), { on: withBody }),
  gate("the message is compressed with gzip", sends({ gzip: true }), { on: withBody }),
  gate("the message is empty", sends({ message: Buffer.alloc(0) }), { on: withBody }),
  gate("the message has 40 KB", () => ({ message: Buffer.alloc(40_000, 1) }), { on: withBody }),
  probe("a field has another wire type", sends({ message: Buffer.from([0x08, 0x96, 0x01]) }), { on: onProto }),
  probe("a field ends too early", sends({ message: Buffer.from([0x0a, 0x7f, 0x78]) }), { on: onProto }),
  probe("a field has no number", sends({ message: Buffer.from([0x00, 0x00]) }), { on: onProto }),
  probe("a varint does not end", sends({ message: Buffer.alloc(16, 0xff) }), { on: onProto }),
  probe("groups are nested deeply", () => ({ message: Buffer.alloc(10_000, 0x0b) }), {
    on: onProto,
    reference: "CVE-2024-7254",
  }),
  probe("the message is a page", sends({ message: Buffer.from("<!doctype html>") }), { on: onProto }),
  probe("JSON ends too early", sends({ message: Buffer.from('{"text": ') }), { on: onJson }),
  probe("a JSON field is of another type", sends({ message: Buffer.from('{"text": 7}') }), { on: onJson }),
  probe("a JSON field is unknown", sends({ message: Buffer.from('{"secretField": 1}') }), { on: onJson }),
  probe("JSON is nested deeply", () => ({ message: Buffer.from(`{"text":${"[".repeat(3_000)}`) }), {
    on: onJson,
    reference: "CWE-674",
  }),
  probe("JSON has __proto__", sends({ message: Buffer.from('{"__proto__":{"text":"x"}}') }), {
    on: onJson,
    reference: "CWE-1321",
  }),
  stoppedBy("gate", "CWE-209", "TOKEN_EXPIRED")(
    "the message is malformed, and the token expired",
    () => ({
      ...bad(mintWith({ exp: start - 60 })),
      message: Buffer.from([0x08, 0x96, 0x01]),
    }),
    { on: onProto },
  ),
  stoppedBy("gate", "CWE-209", "TOKEN_INVALID")(
    "the message is malformed, and the token's signature bad",
    () => ({
      ...bad(`${good.slice(0, -8)}AAAAAAAA`),
      message: Buffer.from([0x08, 0x96, 0x01]),
    }),
    { on: onProto },
  ),
  stoppedBy("gate", "CWE-209", "SCOPE_INSUFFICIENT")(
    "the message is malformed, and the token lacks the scope",
    () => ({
      ...bad(mintWith({ scope: "other" })),
      message: Buffer.from([0x08, 0x96, 0x01]),
    }),
    { on: onProto },
  ),
  stoppedBy("gate", "CWE-400", "SCOPE_INSUFFICIENT")(
    "a body of 100 MB is announced by a client that lacks the scope",
    () => ({
      ...bad(mintWith({ scope: "other" })),
      claimedLength: megabytes(100),
    }),
    { on: withBody },
  ),
];
