// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { type DescService, fromJson } from "@bufbuild/protobuf";
import { type MeshJson, type Mesh as MeshMessage, MeshSchema } from "../gen/meshauth/v1/mesh_pb.js";
import { failed, identifierProblem } from "./parse-rule.js";
import { problemAt, RuleError, type RuleProblem } from "./problem.js";
import { createRuleSet, type RpcRule } from "./rule-set.js";
import { type DeclaredCall, parseCalls, parseServiceIdentity } from "./service-identity.js";
import { requestedScopes } from "./token-requirement.js";

/** What to read a mesh from. */
export interface MeshOptions {
  /** Every service of the mesh. */
  readonly services: readonly DescService[];
  /** The mesh file, parsed from JSON: the clients that have no service of their own. By default, none. */
  readonly mesh?: MeshJson;
}

/** A mesh as its protos and its mesh file declare it. */
export interface Mesh {
  /** Every audience, with all the scopes that its rules know, sorted. */
  readonly audiences: ReadonlyMap<string, readonly string[]>;
  /** Every client, by its client id. */
  readonly clients: ReadonlyMap<string, MeshClient>;
}

/** A client, and the least that it must be granted for its calls. */
export interface MeshClient {
  readonly clientId: string;
  /** The service that this client is; `undefined` for clients of the mesh file. */
  readonly service: DescService | undefined;
  /** By audience: the scopes to grant, sorted; empty where any token of that audience will do. */
  readonly grants: ReadonlyMap<string, readonly string[]>;
}

interface Declaration {
  readonly clientId: string;
  readonly service: DescService | undefined;
  readonly calls: readonly DeclaredCall[];
}

/**
 * Reads a whole mesh: what every client must be granted follows from the RPCs that it calls.
 *
 * Throws a RuleError that lists everything that is wrong with it, such as a call of an RPC that does not exist, or that
 * its rule would never allow.
 */
export function readMesh(options: MeshOptions): Mesh {
  const rules = createRuleSet({ services: options.services }).all;
  const problems: RuleProblem[] = [];
  const declarations = [...declaredByServices(options.services), ...declaredByFile(options.mesh ?? {}, problems)];
  const clients = new Map<string, MeshClient>();
  const byRpc = new Map(rules.map((rule) => [rule.rpc, rule]));
  for (const declaration of declarations) {
    const { clientId, service } = declaration;
    if (clients.has(clientId)) problems.push(problemOf(declaration, `client_id ${clientId} is declared twice`));
    clients.set(clientId, { clientId, service, grants: readGrants(declaration, byRpc, problems) });
  }
  checkCallers(rules, clients, problems);
  if (problems.length > 0) throw new RuleError(problems);
  return { audiences: collectAudiences(rules), clients };
}

function declaredByServices(services: readonly DescService[]): Declaration[] {
  return services.flatMap((service) => {
    const identity = parseServiceIdentity(service);
    // Its problems, if any, were thrown when the rules were read.
    if (failed(identity) || identity.clientId === undefined) return [];
    return { clientId: identity.clientId, service, calls: identity.calls };
  });
}

function declaredByFile(json: MeshJson, problems: RuleProblem[]): Declaration[] {
  let mesh: MeshMessage;
  try {
    mesh = fromJson(MeshSchema, json);
  } catch (error) {
    problems.push({ file: undefined, subject: "mesh file", message: (error as Error).message });
    return [];
  }
  return mesh.clients.map(({ clientId, calls }) => {
    const texts: string[] = [];
    const problem = identifierProblem(clientId);
    if (problem !== undefined) texts.push(`client_id ${problem}`);
    const declaration = { clientId, service: undefined, calls: parseCalls(calls, texts) };
    problems.push(...texts.map((text) => problemOf(declaration, text)));
    return declaration;
  });
}

function problemOf({ service, clientId }: Declaration, message: string): RuleProblem {
  return service === undefined
    ? { file: undefined, subject: `mesh file, client ${JSON.stringify(clientId)}`, message }
    : problemAt(service, message);
}

function readGrants(
  declaration: Declaration,
  byRpc: ReadonlyMap<string, RpcRule>,
  problems: RuleProblem[],
): Map<string, readonly string[]> {
  const grants = new Map<string, readonly string[]>();
  for (const call of declaration.calls) {
    const target = byRpc.get(call.rpc);
    const scopes = target === undefined ? undefined : requestedScopes(target.rule, call.scopes);
    const problem = callProblem(declaration.clientId, call, target, scopes);
    if (problem !== undefined) problems.push(problemOf(declaration, problem));
    if (target === undefined || scopes === undefined || "problem" in scopes) continue;
    grants.set(target.audience, union(grants.get(target.audience) ?? [], scopes));
  }
  return grants;
}

function callProblem(
  clientId: string,
  { rpc }: DeclaredCall,
  target: RpcRule | undefined,
  scopes: ReturnType<typeof requestedScopes>,
): string | undefined {
  if (target === undefined) return `calls ${rpc}, which is no RPC of this mesh`;
  if (scopes !== undefined && "problem" in scopes) return `calls ${rpc}, which ${scopes.problem}`;
  if (target.rule.callers?.has(clientId) === false) return `calls ${rpc}, whose callers do not include it`;
  return undefined;
}

function checkCallers(
  rules: readonly RpcRule[],
  clients: ReadonlyMap<string, MeshClient>,
  problems: RuleProblem[],
): void {
  for (const { method, rule } of rules) {
    for (const caller of [...(rule.callers ?? []), ...(rule.next?.callers ?? [])]) {
      if (clients.has(caller)) continue;
      problems.push(problemAt(method, `callers has ${caller}, which is no client of this mesh`));
    }
  }
}

function collectAudiences(rules: readonly RpcRule[]): Map<string, readonly string[]> {
  const audiences = new Map<string, readonly string[]>();
  for (const { audience, rule } of rules) {
    if (audience === "") continue;
    const scopes = [rule, rule.next].flatMap((each) =>
      each?.requirement.kind === "scopes" ? each.requirement.anyOf : [],
    );
    audiences.set(audience, union(audiences.get(audience) ?? [], scopes.flat()));
  }
  return audiences;
}

function union(a: readonly string[], b: readonly string[]): readonly string[] {
  return [...new Set([...a, ...b])].sort();
}
