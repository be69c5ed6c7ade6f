// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import type { Provider } from "./provider.js";

const audienceParameters: readonly string[] = ["resource", "audience", "none"];
const assertionAudiences: readonly string[] = ["issuer", "token_endpoint"];
const audienceClaims: readonly string[] = ["aud", "none"];
const anyPlaceholder = /\{[^{}]*\}/g;

/** Throws a TypeError that says what is wrong with a provider which no compiler has seen. */
export function validateProvider(provider: Provider): void {
  const problem = problemOf(provider);
  if (problem !== undefined) throw new TypeError(`provider ${problem}`);
}

function problemOf(provider: Provider): string | undefined {
  const { name, audienceParameter, scopeFormat, extraScopes, assertionAudience, expectsJwt } = provider;
  const { audienceClaim, scopeClaims, clientIdClaims, types, advice, scopePrefix, requiredClaims } = provider;
  if (typeof name !== "string" || name === "") return "has no name";
  return (
    notOneOf("audienceParameter", audienceParameter, audienceParameters) ??
    notOneOf("assertionAudience", assertionAudience, assertionAudiences) ??
    notOneOf("audienceClaim", audienceClaim, audienceClaims) ??
    (typeof expectsJwt === "boolean" ? undefined : "has no expectsJwt; give true or false") ??
    badTemplate("scopeFormat", scopeFormat, ["{audience}", "{scope}"]) ??
    badList("extraScopes", extraScopes, (scope) => badTemplate("extraScopes", scope, ["{audience}"])) ??
    badList("scopeClaims", scopeClaims, (path) =>
      badList("scopeClaims", typeof path === "string" ? [path] : path, (segment) =>
        badTemplate("scopeClaims", segment, ["{audience}"]),
      ),
    ) ??
    (scopePrefix === undefined ? undefined : badTemplate("scopePrefix", scopePrefix, ["{audience}"])) ??
    badRequiredClaims(requiredClaims) ??
    badList("clientIdClaims", clientIdClaims, (claim) => notText("clientIdClaims", claim)) ??
    (clientIdClaims.length === 0 ? "has no clientIdClaims; name at least one" : undefined) ??
    badList("types", types, (type) => badType(type)) ??
    (types.length === 0 ? 'has no types; name at least one, or "" for tokens without a typ' : undefined) ??
    badAdvice(advice)
  );
}

function notOneOf(field: string, value: unknown, choices: readonly string[]): string | undefined {
  if (choices.some((choice) => choice === value)) return undefined;
  return `has the ${field} ${JSON.stringify(value)}; give ${choices.join(", ")}`;
}

function notText(field: string, value: unknown): string | undefined {
  return typeof value === "string" ? undefined : `has something in ${field} that is no text`;
}

/** A placeholder that is not known would be sent as it is. */
function badTemplate(field: string, template: unknown, known: readonly string[]): string | undefined {
  if (typeof template !== "string") return notText(field, template);
  const unknown = template.match(anyPlaceholder)?.find((placeholder) => !known.includes(placeholder));
  return unknown === undefined
    ? undefined
    : `has ${unknown} in ${field}, where only ${known.join(" and ")} can be filled in`;
}

function badList<T>(field: string, list: readonly T[], check: (item: T) => string | undefined): string | undefined {
  if (!Array.isArray(list)) return `has no ${field}; give a list`;
  return list.map(check).find((problem) => problem !== undefined);
}

// Such a type matches no token, so every one would be refused.
function badType(type: string): string | undefined {
  const problem = notText("types", type);
  if (problem !== undefined) return problem;
  return type === type.toLowerCase() && !type.startsWith("application/")
    ? undefined
    : `has the type ${JSON.stringify(type)}; write it in lower case, without application/`;
}

function badRequiredClaims(claims: Provider["requiredClaims"]): string | undefined {
  if (claims === undefined) return undefined;
  if (typeof claims !== "object" || claims === null) return "has requiredClaims that are no object";
  return Object.values(claims)
    .map((value) => notText("requiredClaims", value))
    .find((problem) => problem !== undefined);
}

function badAdvice(advice: Provider["advice"]): string | undefined {
  if (typeof advice !== "object" || advice === null) return "has no advice; give an object, which may be empty";
  return Object.values(advice)
    .map((text) => badTemplate("advice", text, ["{audience}", "{scope}"]))
    .find((problem) => problem !== undefined);
}
