// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { type Alternative, type Rule as RuleMessage, TokenExpiry } from "../gen/meshauth/v1/options_pb.js";
import type { Requirement, Rule, ScopeSet } from "./rule.js";

/** Turns the message of an annotation into a rule; a string says what is wrong with it. */
export type Parsed<T> = T | { readonly problems: readonly string[] };

/** Whether parsing ended in problems. */
export function failed<T extends object>(parsed: Parsed<T>): parsed is { readonly problems: readonly string[] } {
  return "problems" in parsed;
}

/** Checks a rule. `streaming` says whether it is for an RPC that streams. */
export function parseRule(message: RuleMessage, streaming: boolean): Parsed<Rule> {
  const problems: string[] = [];
  const requirement = parseRequirement(message, problems);
  const isPublic = requirement?.kind === "public";
  const callers = parseCallers(message.callers, isPublic, problems);
  const onTokenExpiry = parseTokenExpiry(message.onTokenExpiry, isPublic, streaming, problems);
  const next = message.next === undefined ? undefined : parseNext(message.next, problems);
  if (requirement === undefined || problems.length > 0) return { problems };
  return { requirement, callers, onTokenExpiry, next };
}

function parseRequirement({ requirement }: RuleMessage, problems: string[]): Requirement | undefined {
  switch (requirement.case) {
    case "public":
      return { kind: "public" };
    case "authenticated":
      return { kind: "authenticated" };
    case "scope":
      return parseAlternatives([[requirement.value]], problems);
    case "scopes":
      return parseAlternatives(requirement.value.anyOf.map(allOf), problems);
    default:
      problems.push("rule demands nothing; set exactly one of public, authenticated, scope, scopes");
      return undefined;
  }
}

function allOf(alternative: Alternative): readonly string[] {
  return alternative.allOf;
}

function parseAlternatives(alternatives: readonly (readonly string[])[], problems: string[]): Requirement | undefined {
  if (alternatives.length === 0) {
    problems.push("scopes has no alternative; add at least one any_of, or use authenticated for any valid token");
    return undefined;
  }
  const seen = new Set<string>();
  for (const scopes of alternatives) {
    if (scopes.length === 0) problems.push("an alternative in any_of has no scope; add at least one to its all_of");
    for (const scope of scopes) checkScope(scope, problems);
    if (new Set(scopes).size < scopes.length) problems.push("an alternative in any_of lists a scope twice");
    const key = [...scopes].sort().join(" ");
    if (seen.has(key)) problems.push(`any_of lists the alternative "${key}" twice`);
    seen.add(key);
  }
  return { kind: "scopes", anyOf: alternatives.filter(isScopeSet) };
}

function isScopeSet(scopes: readonly string[]): scopes is ScopeSet {
  return scopes.length > 0;
}

/** scope-token of RFC 6749 §3.3: printable ASCII without space, `"` and `\`. */
const scopeToken = /^[\x21\x23-\x5b\x5d-\x7e]+$/;

function checkScope(scope: string, problems: string[]): void {
  if (scope === "") problems.push("scope is empty; name one, or use authenticated for any valid token");
  else if (/\s/.test(scope)) {
    problems.push(`scope ${JSON.stringify(scope)} has blank space inside; use all_of for several scopes`);
  } else if (!scopeToken.test(scope)) {
    problems.push(`scope ${JSON.stringify(scope)} has characters that RFC 6749 §3.3 does not allow in a scope`);
  }
}

function parseCallers(
  callers: readonly string[],
  isPublic: boolean,
  problems: string[],
): ReadonlySet<string> | undefined {
  if (callers.length === 0) return undefined;
  if (isPublic) problems.push("callers cannot go with public: without a token nobody knows who calls");
  for (const caller of callers) {
    const problem = identifierProblem(caller);
    if (problem !== undefined) problems.push(`a client id in callers ${problem}`);
  }
  if (new Set(callers).size < callers.length) problems.push("callers lists a client id twice");
  return new Set(callers);
}

/** What is wrong with a client id or an audience, to be read after its name; nothing if all is well. */
export function identifierProblem(value: string): string | undefined {
  if (value === "") return "is empty";
  if (!/^[\x21-\x7e]+$/.test(value)) {
    return `${JSON.stringify(value)} has blank space or characters outside of ASCII`;
  }
  return undefined;
}

function parseTokenExpiry(value: number, isPublic: boolean, streaming: boolean, problems: string[]): "keep" | "close" {
  if (value === TokenExpiry.UNSPECIFIED) return "keep";
  if (value !== TokenExpiry.KEEP && value !== TokenExpiry.CLOSE) {
    problems.push(`on_token_expiry has the value ${value}, which this version of meshauth does not know`);
  } else if (isPublic) {
    problems.push("on_token_expiry cannot go with public: there is no token that could expire");
  } else if (!streaming) {
    problems.push("on_token_expiry is for streaming RPCs; remove it here");
  }
  return value === TokenExpiry.CLOSE ? "close" : "keep";
}

function parseNext(next: RuleMessage, problems: string[]): Rule | undefined {
  if (next.next !== undefined) problems.push("next: has a next of its own; roll out one step at a time");
  if (next.onTokenExpiry !== TokenExpiry.UNSPECIFIED) {
    problems.push("next: on_token_expiry cannot be tried out; remove it there");
  }
  const inner: string[] = [];
  const requirement = parseRequirement(next, inner);
  const callers = parseCallers(next.callers, requirement?.kind === "public", inner);
  problems.push(...inner.map((problem) => `next: ${problem}`));
  if (requirement === undefined) return undefined;
  return { requirement, callers, onTokenExpiry: "keep", next: undefined };
}
