// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import type { DescMethod, DescService } from "@bufbuild/protobuf";
import { failed } from "./parse-rule.js";
import { problemAt, RuleError } from "./problem.js";
import type { Rule, ScopeSet } from "./rule.js";
import { type ConfiguredRule, createRuleSet, type RpcRule, type RuleSet } from "./rule-set.js";
import { type DeclaredCall, parseServiceIdentity } from "./service-identity.js";

/** The access token that a call needs. */
export interface TokenRequirement {
  /** The logical audience. */
  readonly audience: string;
  /** The scopes, as the proto lists them; empty where any valid token will do. */
  readonly scopes: readonly string[];
}

/** How a client reads rules. */
export interface TokenRequirementOptions {
  /** The service that calls. Its `calls` say which alternative it asks for where a rule has several. */
  readonly service?: DescService | undefined;
  /**
   * What one token is for. With "rpc", for the scopes of one RPC: the least privilege. With "service", for all RPCs of the
   * called service that the `calls` of `service` name: fewer tokens. With "audience", for whatever the authorization server
   * grants at that audience: no scopes are asked for. By default, "rpc".
   */
  readonly tokenPer?: "rpc" | "service" | "audience" | undefined;
  /** Rules for services whose protos cannot declare any, as on the server. */
  readonly rules?: readonly ConfiguredRule[] | undefined;
}

/** The token that a call of `method` needs; `undefined` if the RPC is public. Throws a RuleError if it has no rule. */
export type TokenRequirementLookup = (method: DescMethod) => TokenRequirement | undefined;

/** Creates the client's view on rules. Rules are read at the first call of an RPC, then remembered. */
export function createTokenRequirements(options: TokenRequirementOptions = {}): TokenRequirementLookup {
  const calls = readCalls(options.service);
  const { tokenPer = "rpc" } = options;
  if (tokenPer === "service" && options.service === undefined) {
    throw new TypeError('tokenPer "service" needs service: its calls say what the token is for');
  }
  const ruleSets = new WeakMap<DescService, RuleSet>();
  // The same object each time: a token source knows it again without a look inside.
  const requirements = new WeakMap<DescMethod, { readonly requirement: TokenRequirement | undefined }>();

  function read(method: DescMethod): TokenRequirement | undefined {
    let ruleSet = ruleSets.get(method.parent);
    if (ruleSet === undefined) {
      ruleSet = createRuleSet({ services: [method.parent], rules: rulesFor(method.parent, options.rules) });
      ruleSets.set(method.parent, ruleSet);
    }
    const rule = ruleSet.forMethod(method);
    if (rule === undefined) throw new RuleError([problemAt(method, "is not an RPC of its service's descriptor")]);
    const requirement = toRequirement(rule, calls.get(rule.rpc));
    if (requirement === undefined || tokenPer === "rpc") return requirement;
    if (tokenPer === "audience") return { audience: requirement.audience, scopes: [] };
    return { audience: requirement.audience, scopes: unionOfCalls(ruleSet, calls, requirement) };
  }

  return (method) => {
    let known = requirements.get(method);
    if (known === undefined) {
      known = { requirement: read(method) };
      requirements.set(method, known);
    }
    return known.requirement;
  };
}

/** The scopes of every called RPC of a service that has the same audience. */
function unionOfCalls(
  ruleSet: RuleSet,
  calls: ReadonlyMap<string, DeclaredCall>,
  { audience, scopes }: TokenRequirement,
): readonly string[] {
  const called = ruleSet.all.filter((rule) => rule.audience === audience && calls.has(rule.rpc));
  const all = called.flatMap((rule) => toRequirement(rule, calls.get(rule.rpc))?.scopes ?? []);
  return [...new Set([...all, ...scopes])].sort();
}

function rulesFor(service: DescService, rules: readonly ConfiguredRule[] = []): ConfiguredRule[] {
  return rules.filter(({ target }) => (target.kind === "rpc" ? target.parent : target) === service);
}

function readCalls(service: DescService | undefined): Map<string, DeclaredCall> {
  if (service === undefined) return new Map();
  const identity = parseServiceIdentity(service);
  if (failed(identity)) throw new RuleError(identity.problems.map((problem) => problemAt(service, problem)));
  return new Map(identity.calls.map((call) => [call.rpc, call]));
}

function toRequirement(
  { method, rule, audience }: RpcRule,
  call: DeclaredCall | undefined,
): TokenRequirement | undefined {
  const scopes = requestedScopes(rule, call?.scopes ?? []);
  if (scopes === undefined) return undefined;
  if ("problem" in scopes) throw new RuleError([problemAt(method, scopes.problem)]);
  return { audience, scopes };
}

/**
 * The scopes that a client asks for: of the alternative that its `calls` entry names, or of the first as written.
 * `undefined` if the RPC is public.
 */
export function requestedScopes(
  { requirement }: Rule,
  named: readonly string[],
): readonly string[] | { readonly problem: string } | undefined {
  if (requirement.kind !== "scopes") {
    if (named.length > 0) return { problem: "has no alternatives, yet a calls entry names scopes for it" };
    return requirement.kind === "public" ? undefined : [];
  }
  const [first] = requirement.anyOf;
  if (named.length === 0) return first ?? [];
  const alternative = requirement.anyOf.find((scopes) => sameScopes(scopes, named));
  return alternative ?? { problem: `has no alternative ${named.join(" ")}, which a calls entry asks for` };
}

function sameScopes(a: ScopeSet, b: readonly string[]): boolean {
  return a.length === b.length && a.every((scope) => b.includes(scope));
}
