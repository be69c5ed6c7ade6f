// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import type { Guard } from "../guards.js";
import { anyUse, edit, importing, lenientBase64, verifyByKey } from "./edits.js";

const signature = "src/verification/jwt/signature.ts";
const jwt = "src/verification/jwt/jwt.ts";
const json = "src/verification/jwt/strict-json.ts";
const algList = 'if (typeof alg !== "string" || !algorithms.includes(alg))';
const crash = ["  } catch {\n    // falls", "  } catch (error) {\n    throw error;\n    // falls"] as const;

const notUtf8 = ['if (!isUtf8(bytes)) return "is not a JSON object";', ""] as const;

/** What a token is made of, and what its header may say. */
export const tokenGuards: Readonly<Record<string, Guard>> = {
  "algorithm-list": [
    importing(
      signature,
      'import type { UnverifiedJwt } from "./jwt.js";',
      'import { believesAlgorithm } from "../../test/attacks/naive/verify.js";',
    ),
    ...edit(
      signature,
      [algList, "if (algorithms.length === 0)"],
      [
        "const candidates = await keys.find(alg, kid);",
        `const known = ["ES256", "RS256", "Ed25519"];
         if (!known.includes(alg)) {
           const all = (await Promise.all(known.map((each) => keys.find(each, undefined)))).flat() as any[];
           if (believesAlgorithm(token, alg, all.map(({ jwk }) => jwk))) return all[0];
         }
         const candidates = await keys.find(alg, kid);`,
      ],
    ),
    // That none has no signature is seen before.
    ...edit(jwt, ["if (!isBase64url(token.slice(second + 1)))", "if (false)"]),
  ],
  signature: edit(signature, ["if (await isSignedBy(token, key, alg)) return candidate;", "return candidate;"]),
  "header-keys": [
    importing(
      signature,
      'import type { UnverifiedJwt } from "./jwt.js";',
      'import { believesHeader } from "../../test/attacks/naive/verify.js";',
    ),
    ...edit(signature, [
      "const candidates = await keys.find(alg, kid);",
      `if (believesHeader(token)) return ((await keys.find("ES256", undefined)) as any[])[0];
       const candidates = await keys.find(alg, kid);`,
    ]),
  ],
  critical: [
    ...verifyByKey,
    ...edit(
      signature,
      ['if (Object.hasOwn(header, "crit"))', "if (false)"],
      ['if (Object.hasOwn(header, "b64"))', "if (false)"],
    ),
  ],
  "jwt-shape": [
    ...lenientBase64,
    ...edit(jwt, ["if (!looksLikeJwt(token)) return", 'if (token === "") return'], notUtf8, crash),
    ...edit(signature, ["if (await isSignedBy(token, key, alg)) return candidate;", "return candidate;"]),
  ],
  "canonical-base64url": [
    ...verifyByKey,
    ...lenientBase64,
    ...edit("src/verification/bearer.ts", ["if (!token68.test(token))", "if (false)"]),
  ],
  "strict-utf8": [
    ...verifyByKey,
    ...edit(jwt, notUtf8, ["const json = bytes.toString();", "const json = new TextDecoder().decode(bytes);"]),
  ],
  "json-objects": [
    ...verifyByKey,
    importing(
      jwt,
      'import { findJsonProblem } from "./strict-json.js";',
      'import { unwrap } from "../../test/attacks/naive/read.js";',
    ),
    ...edit(jwt, crash, [
      "const value: unknown = JSON.parse(json);",
      "const value: unknown = unwrap(JSON.parse(json));",
    ]),
  ],
  "duplicate-members": edit(json, ["if (names.has(name))", "if (false)"]),
  "json-depth": edit(json, ["if (open.length === maxDepth)", "if (false)"]),
  "own-members": [
    importing(
      jwt,
      'import { findJsonProblem } from "./strict-json.js";',
      'import { copy } from "../../test/attacks/naive/read.js";',
    ),
    ...edit(jwt, ["const value: unknown = JSON.parse(json);", "const value: unknown = copy(JSON.parse(json));"]),
    ...edit("src/verification/claims.ts", ["Object.hasOwn(claims, candidate)", "candidate in claims"]),
    ...edit("src/providers/read-claims.ts", ["!Object.hasOwn(value, segment)", "!(segment in value)"]),
  ],
  "key-algorithm": [...verifyByKey, ...anyUse],
};
