// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import type { Guard } from "../guards.js";
import { anyUse, edit, verifyByKey } from "./edits.js";

const keys = "src/verification/keys/key-source.ts";
const published = "src/verification/keys/published-keys.ts";
const signature = "src/verification/jwt/signature.ts";
const anyId = edit(published, ["const named = kid === undefined ? all : (byId.get(kid) ?? []);", "const named = all;"]);

const believeWeakKeys = edit("src/verification/keys/weak-key.ts", [
  "export function findKeyWeakness(jwk: JWK): string | undefined {",
  "export function findKeyWeakness(jwk: JWK): string | undefined {\n  if (jwk !== undefined) return undefined;",
]);

/** Which keys verify. */
export const keyGuards: Readonly<Record<string, Guard>> = {
  "key-id": anyId,
  "key-id-type": [...anyId, ...edit(signature, ['if (kid !== undefined && typeof kid !== "string")', "if (false)"])],
  "weak-keys": [...verifyByKey, ...believeWeakKeys],
  "secret-keys": [
    ...verifyByKey,
    ...anyUse,
    ...believeWeakKeys,
    ...edit(signature, ['if (typeof alg !== "string" || !algorithms.includes(alg))', "if (algorithms.length === 0)"]),
  ],
  "key-removal": edit(
    published,
    ["const next = new Map<string, KeyRecord>();", "const next = new Map<string, KeyRecord>(records);"],
    ["record.isPublished = next.has(identity);", "record.isPublished ||= next.has(identity);"],
  ),
  "key-age": edit(keys, ["if (isOlderThan(usableForMs)) return findAfterRefresh(alg, kid);", ""]),
  "failure-cooldown": edit(keys, [
    "if (failure !== undefined && isWithin(failure.at, failureCooldownMs))",
    "if (false)",
  ]),
  "unknown-key-cooldown": edit(keys, [
    "return isWithin(lookedForUnknownAt, unknownKeyCooldownMs) ? unknownKey : findAfterRefresh(alg, kid);",
    "return findAfterRefresh(alg, kid);",
  ]),
  "keys-of-the-issuer": edit("src/verification/jwt/jwt-verifier.ts", [
    "prove(token, checked, keys);",
    `(async () => {
       for (const each of options.issuers.values()) {
         const proven = await prove(token, checked, each.keys);
         if (!("reason" in proven)) return proven;
       }
       return await prove(token, checked, keys);
     })();`,
  ]),
};
