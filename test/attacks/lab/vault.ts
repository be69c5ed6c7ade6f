// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import type { DescMethod, DescService } from "@bufbuild/protobuf";
import { compileServices, serviceOf } from "../../support/compile.js";
import { audience, hallAudience } from "./mint.js";

export type ServiceName = "Vault" | "Ledger" | "Watchtower" | "Hall" | "Lobby";

/** What the services that are attacked demand. Each has one RPC of every kind. */
const rules: Readonly<Record<ServiceName, { readonly audience: string; readonly rule: string }>> = {
  Vault: { audience, rule: 'scope: "vault:read"' },
  Ledger: {
    audience,
    rule: `scopes: {any_of: [{all_of: ["ledger:admin"]}, {all_of: ["ledger:write", "ledger:refund"]}]}
           callers: ["teller", "auditor"]`,
  },
  Watchtower: { audience, rule: 'scope: "vault:read" on_token_expiry: TOKEN_EXPIRY_CLOSE' },
  Hall: { audience: hallAudience, rule: "authenticated: {}" },
  Lobby: { audience, rule: "public: {}" },
};

const file = compileServices(
  `message Note { string text = 1; }
   ${Object.entries(rules).map(serviceSource).join("\n")}`,
);

function serviceSource([name, { audience: aud, rule }]: [string, { audience: string; rule: string }]): string {
  return `
    service ${name} {
      option (meshauth.v1.service) = {audience: "${aud}" default_rule: {${rule}}};
      rpc Read(Note) returns (Note) { option idempotency_level = NO_SIDE_EFFECTS; }
      rpc Watch(Note) returns (stream Note);
      rpc Load(stream Note) returns (Note);
      rpc Sync(stream Note) returns (stream Note);
    }`;
}

/** The services, by name. */
export const vault: Readonly<Record<ServiceName, DescService>> = {
  Vault: serviceOf(file, "Vault"),
  Ledger: serviceOf(file, "Ledger"),
  Watchtower: serviceOf(file, "Watchtower"),
  Hall: serviceOf(file, "Hall"),
  Lobby: serviceOf(file, "Lobby"),
};

export const services: readonly DescService[] = Object.values(vault);

/** Every RPC, as the one type that they share. */
export const methods: readonly DescMethod[] = services.flatMap((service) => service.methods);
