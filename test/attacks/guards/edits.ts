// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import type { Edit, Guard } from "../guards.js";

/** Edits of one file, as pairs of what stands there and what takes its place. */
export function edit(file: string, ...pairs: readonly (readonly [find: string, replace: string])[]): Edit[] {
  return pairs.map(([find, replace]) => ({ file, find, replace }));
}

/** An edit that puts an import behind another one. Its path is given as from a folder of `src`, wherever the file is. */
export function importing(file: string, after: string, line: string): Edit {
  const toRoot = "../".repeat(file.split("/").length - 1);
  return { file, find: after, replace: `${after}\n${line.replace(/(\.\.\/)+test\//, `${toRoot}test/`)}` };
}

const signature = "src/verification/jwt/signature.ts";

/** Verifies a signature by what the key can do, in the place of jose, whatever the header says of the algorithm. */
export const verifyByKey: Guard = [
  importing(
    signature,
    'import type { UnverifiedJwt } from "./jwt.js";',
    'import { verifiesByKey } from "../../test/attacks/naive/verify.js";',
  ),
  ...edit(
    signature,
    ["if (key === undefined) continue;", ""],
    ["await isSignedBy(token, key, alg)", "verifiesByKey(token, (candidate as unknown as { jwk: object }).jwk)"],
  ),
];

/** Any key may verify anything. */
export const anyUse: Guard = edit("src/verification/keys/published-keys.ts", [
  "return named.filter(({ jwk }) => mayVerify(jwk, alg));",
  "return named;",
]);

/** Base64 is taken as Buffer takes it. */
export const lenientBase64: Guard = edit("src/verification/jwt/jwt.ts", [
  "if (!alphabet.test(encoded)) return false;",
  "if (encoded !== undefined) return true;",
]);
