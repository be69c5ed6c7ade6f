// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import type { Guard } from "../guards.js";
import { edit, importing } from "./edits.js";

const bearer = "src/verification/bearer.ts";
const raw = "src/interceptors/raw-request.ts";
const find = importing(
  bearer,
  'import { invalid, type TokenRefusal } from "./refusal.js";',
  'import { findToken } from "../../test/attacks/naive/read.js";',
);

/** What is read of the authorization header. */
export const headerGuards: Readonly<Record<string, Guard>> = {
  "token-demanded": edit("src/verification/resource-server.ts", [
    "if (!demandsToken(rule.rule))",
    "if (!demandsToken(rule.rule) || !call.authorization)",
  ]),
  scheme: [
    find,
    ...edit(
      bearer,
      ['if (scheme === undefined) return authorization.trim() === "" ? noHeader : withoutToken(authorization);', ""],
      [
        "const token = authorization.slice(scheme.length + 1);",
        `const token = findToken(authorization) ?? authorization;
         if (scheme === undefined) return { scheme: "Bearer", token, text: \`Bearer \${token}\` };`,
      ],
    ),
  ],
  "bearer-characters": [
    find,
    ...edit(
      bearer,
      [
        "const token = authorization.slice(scheme.length + 1);",
        "const token = findToken(authorization) ?? authorization;",
      ],
      ['? invalid("authorization header without a token")', '? { reason: "CREDENTIALS_MISSING", cause: "" }'],
    ),
  ],
  "token-length": edit(bearer, ["if (token.length > maxTokenLength)", "if (false)"]),
  "one-header-line": edit(raw, [
    'return lines.length > 1 ? lines.join(", ") : (request?.authorization ?? header.get("authorization"));',
    'return lines.find((line) => line.length > 100) ?? header.get("authorization");',
  ]),
  "header-only": [
    importing(
      raw,
      'import type { CallTransport } from "../verification/incoming-call.js";',
      'import { findTokenIn } from "../../test/attacks/naive/read.js";',
    ),
    ...edit(raw, [
      'return lines.length > 1 ? lines.join(", ") : (request?.authorization ?? header.get("authorization"));',
      `const { url = "", rawHeaders = [] } = (request?.raw ?? {}) as unknown as { url?: string; rawHeaders?: string[] };
       return \`Bearer \${findTokenIn([url, ...rawHeaders])}\`;`,
    ]),
  ],
  "dpop-scheme": edit("src/verification/verifier.ts", [
    'if (isBound === (scheme === "DPoP")) return undefined;',
    "return undefined;",
  ]),
  gate: edit("src/interceptors/connect-server.ts", [
    "const admission = admit(context);",
    "if (context !== undefined) return;\n          const admission = admit(context);",
  ]),
};
