// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { parseIssuer } from "../discovery/discovery.js";
import { type Provider, standardProvider } from "../providers/provider.js";
import { validateProvider } from "../providers/validate-provider.js";
import type { IntrospectionOptions } from "./introspection/introspection-options.js";

/** An authorization server whose tokens are taken, and what they have to be like. */
export interface IssuerOptions {
  /** The issuer, exactly as `iss` has it; compared byte for byte. Plain http is for loopback only. */
  readonly issuer: string;
  /**
   * What this issuer calls an audience of the protos in `aud`, where that differs: a GUID, an App ID URI. By default, what
   * the protos call it. `null` turns the check of `aud` off: then `clientIds` has to stand in for it.
   */
  readonly audiences?: Readonly<Record<string, string>> | null;
  /** The signature algorithms that are accepted (RFC 7518 §3.1). By default, the asymmetric ones. */
  readonly algorithms?: readonly string[];
  /** Where the claims of this issuer's tokens are. By default, where RFC 9068 says. */
  readonly provider?: Provider;
  /**
   * The clients whose tokens are taken, whatever their scopes. By default, and with `null`, all of them; but where `aud`
   * is not checked, or the issuer's tokens have none, it has to be said.
   */
  readonly clientIds?: readonly string[] | null;
  /** Whether `typ` has to be "at+jwt" (RFC 9068 §2.1), also where the provider takes others. By default, false. */
  readonly requireAccessTokenType?: boolean;
  /**
   * How to ask this issuer about opaque tokens (RFC 7662); JWTs are verified offline all the same. By default, opaque
   * tokens are refused. One issuer of a server can have it: an opaque token names no issuer, and is shown to nobody else.
   */
  readonly introspection?: IntrospectionOptions;
}

/** Checked options of an issuer. */
export interface TrustedIssuer {
  readonly issuer: string;
  readonly provider: Provider;
  readonly algorithms: readonly string[];
  readonly types: readonly string[];
  readonly checksAudience: boolean;
  readonly clientIds: ReadonlySet<string> | undefined;
  readonly introspection: IntrospectionOptions | undefined;
  /** What the issuer calls an audience of the protos. */
  audienceOf(audience: string): string;
}

/** Algorithms whose keys an authorization server can publish. */
export const asymmetricAlgorithms: readonly string[] = [
  "ES256",
  "ES384",
  "ES512",
  "PS256",
  "PS384",
  "PS512",
  "RS256",
  "RS384",
  "RS512",
  "EdDSA",
  "Ed25519",
];

const accessTokenType = "at+jwt";

/** Throws a TypeError that says what is wrong with the options of an issuer. */
export function createTrustedIssuer(options: IssuerOptions): TrustedIssuer {
  const { issuer, provider = standardProvider, algorithms = asymmetricAlgorithms, audiences, clientIds } = options;
  parseIssuer(issuer);
  validateProvider(provider);
  validateAlgorithms(algorithms);
  const checksAudience = audiences !== null && provider.audienceClaim === "aud";
  if (!checksAudience && clientIds === undefined) throw new TypeError(clientIdsMissing(provider, audiences));
  if (clientIds?.length === 0) throw new TypeError("clientIds is empty; list clients, or leave it out");
  const names = new Map(Object.entries(audiences ?? {}));
  for (const name of names.values()) {
    if (typeof name !== "string" || name === "") throw new TypeError("audiences has an audience that is no text");
  }
  return {
    issuer,
    provider,
    algorithms: [...algorithms],
    types: options.requireAccessTokenType === true ? [accessTokenType] : provider.types,
    checksAudience,
    clientIds: clientIds === undefined || clientIds === null ? undefined : new Set(clientIds),
    introspection: options.introspection,
    audienceOf: (audience) => names.get(audience) ?? audience,
  };
}

function clientIdsMissing({ name }: Provider, audiences: IssuerOptions["audiences"]): string {
  const why = audiences === null ? "audiences is null" : `tokens of ${name} name no audience`;
  return `clientIds is missing; ${why}, so list the clients whose tokens are taken, or give null for all of them`;
}

function validateAlgorithms(algorithms: readonly string[]): void {
  const foreign = algorithms.filter((algorithm) => !asymmetricAlgorithms.includes(algorithm));
  if (algorithms.length === 0) throw new TypeError("algorithms is empty; leave it out for the default");
  if (foreign.length > 0) {
    throw new TypeError(`algorithms has ${foreign.join(", ")}; use some of ${asymmetricAlgorithms.join(", ")}`);
  }
}
