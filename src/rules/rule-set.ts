// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { type DescMethod, type DescService, fromJson } from "@bufbuild/protobuf";
import { type RuleJson, type Rule as RuleMessage, RuleSchema } from "../gen/meshauth/v1/options_pb.js";
import { readRuleAnnotation, readServiceAnnotation } from "./annotation.js";
import { failed, identifierProblem, type Parsed, parseRule } from "./parse-rule.js";
import { problemAt, RuleError, type RuleProblem, rpcName } from "./problem.js";
import type { Rule } from "./rule.js";
import { parseServiceIdentity, type ServiceIdentity } from "./service-identity.js";

/** A rule for RPCs of protos that are not yours, such as health and reflection, and so carry no annotation. */
export interface ConfiguredRule {
  /** A service, for all of its RPCs, or one RPC. */
  readonly target: DescService | DescMethod;
  /** The rule, as the annotation has it, in the Protobuf JSON format: `{ scope: "ops:read" }`. */
  readonly rule: RuleJson;
  /**
   * The audience of tokens for these RPCs. By default, the one that the annotated services beside it share; without
   * such a one it must be given, unless the rule is public.
   */
  readonly audience?: string;
}

/** The rule of one RPC, and the audience of tokens for it. */
export interface RpcRule {
  readonly method: DescMethod;
  /** "payment.v1.PaymentService/Charge" */
  readonly rpc: string;
  readonly rule: Rule;
  /** The logical audience. Empty only where the rule is public. */
  readonly audience: string;
}

/** What to read rules from. */
export interface RuleSetOptions {
  /** The services, with the rules that their protos declare. */
  readonly services: readonly DescService[];
  /** Rules for services whose protos cannot declare any. By default, none. */
  readonly rules?: readonly ConfiguredRule[];
}

/** The rules of the RPCs of some services. */
export interface RuleSet {
  /** The rule of an RPC, by its descriptor; `undefined` for RPCs of other services. */
  forMethod(method: DescMethod): RpcRule | undefined;
  /** All of them, in the order of the services. */
  readonly all: readonly RpcRule[];
}

/**
 * Reads the rules of services, once. Every RPC has exactly one afterwards.
 *
 * Throws a RuleError that lists every RPC without a rule and every rule that is contradictory, empty, or unreadable.
 */
export function createRuleSet(options: RuleSetOptions): RuleSet {
  const problems: RuleProblem[] = [];
  const configured = readConfigured(options.rules ?? [], problems);
  const services = new Set([...options.services, ...[...configured.keys()].map((method) => method.parent)]);
  const read = [...services].flatMap((service) => readService(service, configured, problems));
  const byMethod = new Map(resolveAudiences(read, services, problems).map((rule) => [rule.method, rule]));
  problems.push(...repeatedRpcs([...byMethod.values()]));
  if (problems.length > 0) throw new RuleError(problems);
  return { forMethod: (method) => byMethod.get(method), all: [...byMethod.values()] };
}

// Two copies of one proto are two descriptors: which of their rules counts must not depend on who looks.
function repeatedRpcs(rules: readonly RpcRule[]): RuleProblem[] {
  const seen = new Set<string>();
  return rules.flatMap(({ rpc, method }) => {
    if (seen.has(rpc)) return [problemAt(method, "comes from two copies of its proto; use the same one everywhere")];
    seen.add(rpc);
    return [];
  });
}

interface Configured {
  readonly rule: RuleMessage;
  readonly audience: string | undefined;
}

interface UnresolvedRule extends Omit<RpcRule, "audience"> {
  readonly audience: string | undefined;
  readonly annotated: boolean;
}

function readConfigured(rules: readonly ConfiguredRule[], problems: RuleProblem[]): Map<DescMethod, Configured> {
  const configured = new Map<DescMethod, Configured>();
  for (const { target, rule, audience } of rules) {
    const problem = audience === undefined ? undefined : identifierProblem(audience);
    if (problem !== undefined) problems.push(problemAt(target, `the configured audience ${problem}`));
    const message = parseRuleJson(rule);
    if (failed(message)) {
      problems.push(...message.problems.map((text) => problemAt(target, text)));
      continue;
    }
    for (const method of target.kind === "rpc" ? [target] : target.methods) {
      if (configured.has(method)) problems.push(problemAt(method, "has two configured rules; leave one"));
      configured.set(method, { rule: message, audience });
    }
  }
  return configured;
}

function parseRuleJson(rule: RuleJson): Parsed<RuleMessage> {
  try {
    return fromJson(RuleSchema, rule);
  } catch (error) {
    return { problems: [`the configured rule is not a meshauth.v1.Rule: ${(error as Error).message}`] };
  }
}

function readService(
  service: DescService,
  configured: ReadonlyMap<DescMethod, Configured>,
  problems: RuleProblem[],
): UnresolvedRule[] {
  const identity = parseServiceIdentity(service);
  // Data of another option at our number says nothing, neither for nor against a rule from configuration.
  const tolerated =
    readServiceAnnotation(service).kind === "foreign" && service.methods.some((method) => configured.has(method));
  if (failed(identity) && !tolerated) {
    problems.push(...identity.problems.map((problem) => problemAt(service, problem)));
    return [];
  }
  const audience = failed(identity) ? undefined : identity.audience;
  const defaultRule = failed(identity) ? undefined : readDefaultRule(service, identity, problems);
  return service.methods.flatMap((method) => {
    const parsed = readMethod(method, defaultRule, configured.get(method));
    if (failed(parsed)) {
      problems.push(...parsed.problems.map((problem) => problemAt(method, problem)));
      return [];
    }
    const fromConfiguration = configured.get(method);
    return {
      method,
      rpc: rpcName(method),
      rule: parsed,
      audience: fromConfiguration?.audience ?? audience,
      annotated: fromConfiguration === undefined,
    };
  });
}

// Checked on its own: what is wrong with it is said once, and also where every RPC has a rule.
function readDefaultRule(
  service: DescService,
  { defaultRule }: ServiceIdentity,
  problems: RuleProblem[],
): Parsed<Rule> | undefined {
  if (defaultRule === undefined) return undefined;
  const parsed = parseRule(defaultRule, true);
  if (failed(parsed)) problems.push(...parsed.problems.map((text) => problemAt(service, `default_rule: ${text}`)));
  return parsed;
}

function readMethod(
  method: DescMethod,
  defaultRule: Parsed<Rule> | undefined,
  configured: Configured | undefined,
): Parsed<Rule> {
  const streaming = method.methodKind !== "unary";
  const annotation = readRuleAnnotation(method);
  if (configured !== undefined && annotation.kind !== "unreadable") {
    if (annotation.kind === "message" || defaultRule !== undefined) {
      return { problems: ["has a rule in its proto; remove the configured one: a rule is said once"] };
    }
    return parseRule(configured.rule, streaming);
  }
  switch (annotation.kind) {
    case "message":
      return parseRule(annotation.message, streaming);
    case "foreign":
    case "unreadable":
      return { problems: [annotation.reason] };
    case "absent":
      if (defaultRule !== undefined) return fitDefaultRule(defaultRule, streaming);
      return {
        problems: [
          "has no rule; add option (meshauth.v1.rule) to the RPC, default_rule to its service, " +
            "or, for a proto that is not yours, a rule in configuration",
        ],
      };
  }
}

// One default rule serves unary and streaming RPCs: what it says of streams does not concern the unary ones.
function fitDefaultRule(rule: Parsed<Rule>, streaming: boolean): Parsed<Rule> {
  if (failed(rule)) return { problems: [] };
  return streaming ? rule : { ...rule, onTokenExpiry: "keep" };
}

function resolveAudiences(
  rules: readonly UnresolvedRule[],
  services: ReadonlySet<DescService>,
  problems: RuleProblem[],
): RpcRule[] {
  const declared = new Set([...services].flatMap(declaredAudience));
  const shared = declared.size === 1 ? [...declared][0] : undefined;
  return rules.map(({ annotated, ...rule }) => {
    const audience = rule.audience ?? (annotated ? undefined : shared);
    if (audience === undefined && demandsToken(rule.rule)) {
      problems.push(problemAt(rule.method, annotated ? audienceMissing : configuredAudienceMissing));
    }
    return { ...rule, audience: audience ?? "" };
  });
}

function declaredAudience(service: DescService): string[] {
  const identity = parseServiceIdentity(service);
  return failed(identity) || identity.audience === undefined ? [] : [identity.audience];
}

const audienceMissing =
  "needs a token, but its service names no audience; set audience in option (meshauth.v1.service)";
const configuredAudienceMissing =
  "needs a token, but there is no single audience beside it to take; give the configured rule an audience";

function demandsToken({ requirement, next }: Rule): boolean {
  return requirement.kind !== "public" || (next !== undefined && next.requirement.kind !== "public");
}
