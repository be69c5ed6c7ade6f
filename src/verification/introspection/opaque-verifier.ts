// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import type { Clock } from "../../platform/clock.js";
import { ageOf, momentOf } from "../../platform/moment.js";
import { claimRules } from "../claim-rules.js";
import { checkClaims } from "../claims.js";
import { invalid, type TokenRefusal } from "../refusal.js";
import type { Proof } from "../token-cache.js";
import type { TokenVerdict, VerifiedToken } from "../token-verdict.js";
import type { TrustedIssuer } from "../trusted-issuer.js";
import type { VerifierOptions } from "../verifier.js";
import { createIntrospector, type Introspector } from "./introspector.js";
import type { Introspected } from "./verdict.js";

/** Verifies opaque tokens by asking their issuer (RFC 7662). */
export interface OpaqueVerifier {
  /** Verifies an opaque token for an audience of the protos. */
  verify(token: string, audience: string): TokenVerdict;
  /** Fetches the metadata now. Throws a DiscoveryError. */
  load(): Promise<void>;
}

/** An answer is believed until it has to be asked for again, by whichever clock that is earlier. */
function createProof({ usableUntil }: Introspected, clock: Clock): Proof {
  const now = momentOf(clock);
  return { isBelieved: () => ageOf(now, clock) < usableUntil - now.wall };
}

/** Creates a verifier for opaque tokens; `undefined` if no issuer is to be asked. */
export function createOpaqueVerifier(options: VerifierOptions): OpaqueVerifier | undefined {
  const trusted = options.issuers.find(({ introspection }) => introspection !== undefined);
  if (trusted?.introspection === undefined) return undefined;
  const { issuer, provider, introspection } = trusted;
  const { timeoutMs, fetch, clock, onEvent } = options;
  const introspector = createIntrospector({ ...introspection, issuer, provider, timeoutMs, fetch, clock, onEvent });
  return {
    verify: (token, audience) => ({ issuer, verdict: verifyOpaque(token, audience, introspector, trusted, options) }),
    load: () => introspector.load(),
  };
}

function verifyOpaque(
  token: string,
  audience: string,
  introspector: Introspector,
  trusted: TrustedIssuer,
  options: VerifierOptions,
): TokenVerdict["verdict"] {
  const check = (answer: Introspected | TokenRefusal): VerifiedToken | TokenRefusal => {
    if ("reason" in answer) return answer;
    const typeProblem = checkTokenType(answer.claims);
    if (typeProblem !== undefined) return typeProblem;
    const claims = completeAnswer(answer.claims, trusted);
    const checked = checkClaims(claims, claimRules(trusted, audience, options));
    if ("reason" in checked) return checked;
    return {
      claims: checked,
      source: claims,
      proof: createProof(answer, options.clock),
      usableUntil: answer.usableUntil,
    };
  };
  const answer = introspector.introspect(token);
  return answer instanceof Promise ? answer.then(check) : check(answer);
}

// How the token is to be used (RFC 7662 §2.2, RFC 9449 §6.2), where the answer says so.
function checkTokenType({ token_type: type, cnf }: Readonly<Record<string, unknown>>): TokenRefusal | undefined {
  if (type === undefined) return undefined;
  const name = typeof type === "string" ? type.toLowerCase() : undefined;
  if (name === "bearer" || (name === "dpop" && cnf !== undefined)) return undefined;
  return invalid("token_type is none that can be used here");
}

// What RFC 7662 §2.2 leaves to the issuer, but a JWT always says. What the answer does say has to be right.
function completeAnswer(
  answer: Readonly<Record<string, unknown>>,
  { issuer, provider }: TrustedIssuer,
): Readonly<Record<string, unknown>> {
  const { client_id: clientId } = answer;
  const names = provider.clientIdClaims.some((name) => Object.hasOwn(answer, name));
  return {
    iss: issuer,
    sub: clientId,
    ...(names ? {} : Object.fromEntries(provider.clientIdClaims.slice(0, 1).map((name) => [name, clientId]))),
    ...answer,
  };
}
