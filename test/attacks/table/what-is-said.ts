// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { type Attack, stoppedBy } from "../attack.js";
import { attackerEs256, attackerUrl, claims, good, header, mint, mintWith, start } from "../lab/mint.js";

// Every row of the table looks at the audit, and for secrets; these turn red if nothing else is wrong.
const secret = stoppedBy("secrecy", "CWE-532, CWE-209");
const audit = stoppedBy("audit", "CWE-778");

export const whatIsSaid: readonly Attack[] = [
  secret(
    "the server may say more than it should of a token whose signature is bad",
    () => `${good.slice(0, -8)}AAAAAAAA`,
  ),
  secret("the server may say more than it should of a token that somebody else signed", () =>
    mint(claims(), header(), attackerEs256),
  ),
  secret("the server may say more than it should of a token for somebody else", () => mintWith({ aud: attackerUrl })),
  stoppedBy(
    "secrecy",
    "CWE-532, CWE-209",
    "TOKEN_EXPIRED",
  )("the server may say more than it should of a token that has expired", () => mintWith({ exp: start - 60 })),
  audit("nobody may hear of a token whose signature is bad", () => `${good.slice(0, -8)}AAAAAAAA`),
  stoppedBy("audit", "CWE-778", "CREDENTIALS_MISSING")("nobody may hear of a call without a token", () => ({})),
  stoppedBy(
    "audit",
    "CWE-778",
    "SCOPE_INSUFFICIENT",
  )("nobody may hear of a call that lacks the scope", () => mintWith({ scope: "other" })),
];
