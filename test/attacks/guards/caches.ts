// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import type { Guard } from "../guards.js";
import { edit } from "./edits.js";

const cache = "src/verification/token-cache.ts";
const server = "src/verification/resource-server.ts";

/** What is remembered of tokens. */
export const cacheGuards: Readonly<Record<string, Guard>> = {
  "cached-expiry": edit(cache, ["now >= entry.validUntil", "false"]),
  "cached-not-before": edit(cache, ["now < entry.validFrom", "false"]),
  "cached-whole-token": edit(
    cache,
    ["entry.credentials.slice(-keyLength)", '""'],
    ["credentials.slice(-keyLength)", '""'],
    ["entry.credentials !== credentials", "false"],
  ),
  "cached-scopes": edit(server, [
    ': judge(call, rule, verdict, "reason" in verdict ? checkOf(verdict) : "cached");',
    `: "reason" in verdict
          ? judge(call, rule, verdict, checkOf(verdict))
          : conclude(call, { ...rule, rule: { ...rule.rule, callers: undefined, requirement: { kind: "authenticated" } } }, verdict, "cached");`,
  ]),
  "cached-audience": edit(server, [
    "verifiers.forAudience(rule.audience)",
    "verifiers.forAudience(rules.all[0]?.audience ?? rule.audience)",
  ]),
  "frozen-principal": [
    ...edit(
      "src/verification/principal.ts",
      ["Object.freeze(this);", ""],
      ["const set = frozenSet(scopes);", "const set = new Set(scopes);"],
      ["return deepFreeze(this.#source);", "return this.#source;"],
    ),
    ...edit(cache, ["now >= entry.validUntil", "now >= entry.principal.expiresAt + 5_000"]),
  ],
};
