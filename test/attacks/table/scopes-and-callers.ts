// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { type Attack, control, stoppedBy } from "../attack.js";
import { claims, mint, mintWith } from "../lab/mint.js";

const scope = stoppedBy("scopes", "RFC 6749 §3.3", "SCOPE_INSUFFICIENT");
const form = stoppedBy("scope-form", "RFC 8693 §4.2");
const callers = stoppedBy("callers", "CWE-863", "CALLER_NOT_ALLOWED");
const withScope = (value: unknown) => () => mintWith({ scope: value });
const ledger = { service: "Ledger" } as const;
const calling = (changes: Record<string, unknown>) => () => mintWith({ client_id: "burglar", ...changes });

export const scopesAndCallers: readonly Attack[] = [
  scope("scope is missing", withScope(undefined)),
  scope("scope is empty", withScope("")),
  scope("scope is another one", withScope("vault:write")),
  scope("scope is a prefix of the one needed", withScope("vault:rea")),
  scope("the scope needed is a prefix of it", withScope("vault:reads vault:read:own")),
  scope("the scope needed is in the middle of another", withScope("no-vault:read-here")),
  scope("scope is in upper case", withScope("VAULT:READ")),
  scope("scope is the wildcard of its family", withScope("vault:*")),
  scope("scope is a wildcard", withScope("*")),
  scope("scope is a regular expression", withScope("vault:.*")),
  scope("scopes are separated by commas", withScope("vault:write,vault:read")),
  scope("scopes are separated by tabs", withScope("vault:write\tvault:read")),
  scope("scopes are separated by newlines", withScope("vault:write\nvault:read")),
  scope("scopes are separated by no-break spaces", withScope("vault:write\u00a0vault:read")),
  scope("scopes are separated by the ideographic space", withScope("vault:write\u3000vault:read")),
  scope("scope ends with a NUL", withScope("vault:read\u0000")),
  scope("scope has an invisible character", withScope("vault:\u200bread")),
  scope("scope has a letter that only looks like ours", withScope("vault:r\u0435ad")),
  scope("scope is written with full-width letters", withScope("\uff56ault:read")),
  scope("scope has quotation marks", withScope('"vault:read"')),
  scope("scope is percent-encoded", withScope("vault%3Aread")),
  scope("scope is the name of a member of every object", withScope("constructor __proto__")),
  scope("the scope needed is in scp, and not in scope", () => mintWith({ scope: "other", scp: "vault:read" })),
  scope("the scope needed is in scopes, and not in scope", () =>
    mintWith({ scope: undefined, scopes: ["vault:read"] }),
  ),
  scope("the scope needed is in roles, and not in scope", () => mintWith({ scope: "", roles: ["vault:read"] })),
  scope("the scope needed is in a member named Scope", () => mintWith({ scope: undefined, Scope: "vault:read" })),
  scope("scope is a list whose only text holds two scopes", withScope(["vault:write vault:read"])),
  scope("half of one alternative and half of another are granted", withScope("ledger:write vault:read"), ledger),
  scope("the other half of an alternative is granted", withScope("ledger:refund"), ledger),
  scope("an alternative's scopes are joined to one", withScope("ledger:write+ledger:refund"), ledger),
  form("scope is a number", withScope(7)),
  form("scope is true", withScope(true)),
  form("scope is null", withScope(null)),
  form("scope is an object with the one needed as a member", withScope({ "vault:read": true })),
  form("scope is a list with a list in it", withScope([["vault:read"]])),
  form("scope is a list with a number in it", withScope(["vault:read", 7])),
  form("scope is a list with null in it", withScope(["vault:read", null])),
  control("scope is a list", "RFC 8693 §4.2 (as Okta and others write it)", withScope(["vault:read"])),
  control("scopes are separated by many blanks", "RFC 6749 §3.3", withScope("  other   vault:read  ")),
  control("a scope stands there twice", "RFC 6749 §3.3", withScope("vault:read vault:read")),
  control("the second of two alternatives is granted", "RFC 6749 §3.3", () => mint(), ledger),
  control("the first of two alternatives is granted", "RFC 6749 §3.3", withScope("ledger:admin"), ledger),
  control(
    "a rule wants any valid token",
    "RFC 6750 §2.1",
    () => mintWith({ scope: undefined, aud: "https://hall.internal" }),
    {
      service: "Hall",
    },
  ),

  callers("the client is not in callers", calling({}), ledger),
  callers("the client is not in callers, but its subject is", calling({ sub: "teller" }), ledger),
  callers("the client is not in callers, but azp is", calling({ azp: "teller" }), ledger),
  callers("the client is not in callers, but appid is", calling({ appid: "teller", cid: "teller" }), ledger),
  callers("the client is not in callers, but its name is", calling({ name: "teller", clientId: "teller" }), ledger),
  callers(
    "the client is not in callers, but acts for one that is",
    calling({ act: { sub: "teller", client_id: "teller" } }),
    {
      ...ledger,
      reference: "RFC 8693 §4.1",
    },
  ),
  callers("the client's id is one in callers in upper case", calling({ client_id: "TELLER" }), ledger),
  callers("the client's id is one in callers with a blank behind it", calling({ client_id: "teller " }), ledger),
  callers("the client's id is one in callers with a NUL behind it", calling({ client_id: "teller\u0000" }), ledger),
  callers("the client's id is a prefix of one in callers", calling({ client_id: "tell" }), ledger),
  callers("the client's id is all of callers", calling({ client_id: "teller,auditor" }), ledger),
  callers("the client's id is written with a combining accent", calling({ client_id: "te\u0301ller" }), ledger),
  callers("the client's id is the name of a member of every object", calling({ client_id: "constructor" }), ledger),
  callers(
    "a client that is not in callers lacks the scopes as well: it does not learn which",
    calling({ scope: "" }),
    ledger,
  ),
  control("the client is the other one in callers", "CWE-863", () => mint(claims({ client_id: "auditor" })), ledger),
];
