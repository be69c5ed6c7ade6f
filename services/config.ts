// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import type { Mesh } from "../src/index.js";
import { isLoopback } from "../src/platform/loopback.js";
import { developmentSecret } from "./authorization-server/server.js";
import { StartupError } from "./startup-error.js";

/** How the example mesh is run. */
export interface MeshConfig {
  /** An authorization server that runs elsewhere; `undefined` starts the embedded one. */
  readonly issuer: string | undefined;
  readonly ports: {
    readonly authorizationServer: number;
    readonly order: number;
    readonly payment: number;
    readonly inventory: number;
  };
  /** By client id. */
  readonly secrets: ReadonlyMap<string, string>;
}

type Environment = Readonly<Record<string, string | undefined>>;

/** Reads the configuration from the environment. Throws a StartupError that lists everything that is wrong. */
export function readConfig(env: Environment, mesh: Mesh): MeshConfig {
  const problems: string[] = [];
  const issuer = env["MESHAUTH_ISSUER"] || undefined;
  const config: MeshConfig = {
    issuer,
    ports: {
      authorizationServer: readPort(env, "AUTHORIZATION_SERVER_PORT", 9000, problems),
      order: readPort(env, "ORDER_PORT", 8081, problems),
      payment: readPort(env, "PAYMENT_PORT", 8082, problems),
      inventory: readPort(env, "INVENTORY_PORT", 8083, problems),
    },
    secrets: new Map(
      [...mesh.clients.keys()].map((clientId) => [clientId, readSecret(env, clientId, issuer, problems)]),
    ),
  };
  if (problems.length > 0) throw new StartupError(problems.join("; "));
  return config;
}

function readPort(env: Environment, name: string, fallback: number, problems: string[]): number {
  const value = env[name];
  if (value === undefined || value === "") return fallback;
  const port = Number(value);
  if (!/^\d{1,5}$/.test(value) || port > 65_535) problems.push(`${name} is ${value}; set a port from 0 to 65535`);
  return port;
}

/** The variable that holds the secret of a client: ORDER_SERVICE_CLIENT_SECRET. */
function secretName(clientId: string): string {
  return `${clientId.toUpperCase().replaceAll("-", "_")}_CLIENT_SECRET`;
}

function isOnLoopback(issuer: string): boolean {
  return URL.canParse(issuer) && isLoopback(new URL(issuer).hostname);
}

// Development secrets are for authorization servers on loopback, such as the embedded one.
function readSecret(env: Environment, clientId: string, issuer: string | undefined, problems: string[]): string {
  const secret = env[secretName(clientId)];
  if (issuer === undefined) return secret || developmentSecret(clientId);
  if (secret === undefined || secret === "") problems.push(`${secretName(clientId)} is missing; ${issuer} needs it`);
  else if (secret === developmentSecret(clientId) && !isOnLoopback(issuer)) {
    problems.push(`${secretName(clientId)} is the development secret; it is refused beyond loopback`);
  }
  return secret ?? "";
}
