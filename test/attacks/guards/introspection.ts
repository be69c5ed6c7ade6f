// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import type { Guard } from "../guards.js";
import { edit, importing } from "./edits.js";

const endpoint = "src/verification/introspection/introspection-endpoint.ts";
const introspector = "src/verification/introspection/introspector.ts";

/** Lets callers in if nobody says anything that can be read. */
const failOpen: Guard = [
  importing(
    endpoint,
    'import type { IntrospectorSettings } from "./introspection-options.js";',
    'import { claims } from "../../../test/attacks/lab/mint.js";',
  ),
  ...edit(endpoint, [".catch(failUnlessOtherKind)", ".catch(() => ({ active: true, ...claims() }))"]),
];

/** What is asked about opaque tokens, and what of the answers is believed. */
export const introspectionGuards: Readonly<Record<string, Guard>> = {
  "introspection-active": [
    ...failOpen,
    ...edit(endpoint, ["return answer?.active === true ? answer : undefined;", "return answer as never;"]),
  ],
  "introspection-outage": failOpen,
  "introspection-token-type": edit("src/verification/introspection/opaque-verifier.ts", [
    "if (typeProblem !== undefined) return typeProblem;",
    "",
  ]),
  "introspection-age": [
    ...edit("src/verification/introspection/verdict-cache.ts", [
      "return entry !== undefined && isUsable(entry) ? entry.verdict : undefined;",
      "return entry?.verdict;",
    ]),
    ...edit("src/verification/token-cache.ts", ["now >= entry.validUntil", "false"]),
  ],
  "introspection-cooldown": edit(
    introspector,
    ["if (refusal !== undefined) return refusal;", ""],
    ["(coolDown.refusal() ?? (await ask(token, key)))", "(await ask(token, key))"],
  ),
  "jwt-kind": edit("src/verification/verifier.ts", [
    "opaque === undefined || looksLikeJwt(token)",
    'opaque === undefined || token === ""',
  ]),
};
