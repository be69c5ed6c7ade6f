// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import type { Guard } from "../guards.js";
import { edit } from "./edits.js";

const claims = "src/verification/claims.ts";

/** What a token claims. */
export const claimGuards: Readonly<Record<string, Guard>> = {
  "token-type": edit(claims, ["if (type !== undefined && types.includes(type))", "if (types.length > 0)"]),
  "other-use": edit(claims, ["if (otherUse !== undefined) return invalid(otherUse);", ""]),
  issuer: [
    ...edit(claims, ['if (claims["iss"] !== issuer)', "if (false)"]),
    ...edit("src/verification/jwt/jwt-verifier.ts", [
      'const issuerKeys = typeof iss === "string" ? options.issuers.get(iss) : undefined;',
      "const issuerKeys = [...options.issuers.values()][iss === undefined ? 0 : 0];",
    ]),
  ],
  audience: edit(
    claims,
    ["if (checksAudience && named?.includes(audience) !== true)", "if (checksAudience === undefined)"],
    ["if (named === undefined)", "if (audience === undefined)"],
    ["return Object.freeze(named);", "return Object.freeze(named ?? []);"],
  ),
  subject: edit(claims, ['if (typeof subject !== "string" || subject === "")', "if (false)"]),
  "client-id": edit(
    claims,
    ['if (typeof clientId !== "string" || clientId === "") {', "if (false) {"],
    ['if (typeof clientId !== "string") return clientId;', ""],
  ),
  "key-binding": edit("src/verification/confirmation.ts", [
    'if (!Object.hasOwn(claims, "cnf"))',
    "if (claims !== undefined)",
  ]),
  "scope-form": edit("src/providers/read-claims.ts", [
    "return list === undefined ? undefined : new Set(list);",
    "return new Set(list);",
  ]),
  "exp-form": edit(claims, ["if (!isTime(exp))", "if (false)"]),
  expiry: edit(claims, ["if (now >= exp * 1000 + clockToleranceMs)", "if (false)"]),
  "not-before": edit(claims, ["if (validFrom > now + clockToleranceMs) {", "if (false) {"]),
  "nbf-form": edit(claims, ["if (nbf !== undefined && !isTime(nbf))", "if (false)"]),
  "iat-form": edit(claims, ["if (iat !== undefined && !isTime(iat))", "if (false)"]),
};
