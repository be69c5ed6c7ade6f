// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import type { DescService } from "@bufbuild/protobuf";
import type { Call, Rule as RuleMessage } from "../gen/meshauth/v1/options_pb.js";
import { readServiceAnnotation } from "./annotation.js";
import { failed, identifierProblem, type Parsed } from "./parse-rule.js";
import { problemAt, RuleError } from "./problem.js";

/** Who a service is in the mesh: the annotation `meshauth.v1.service`, checked. */
export interface ServiceIdentity {
  /** The audience of access tokens for this service; `undefined` if the proto names none. */
  readonly audience: string | undefined;
  /** The client id of this service when it calls others; `undefined` if the proto names none. */
  readonly clientId: string | undefined;
  /** The rule of every RPC that declares none. Not checked: whether it fits depends on the RPC. */
  readonly defaultRule: RuleMessage | undefined;
  /** The RPCs that this service calls. */
  readonly calls: readonly DeclaredCall[];
}

/** An RPC that a client says it calls. */
export interface DeclaredCall {
  /** "package.Service/Method" */
  readonly rpc: string;
  /** The alternative that the client asks for; empty for the first. */
  readonly scopes: readonly string[];
}

const unannotated: ServiceIdentity = { audience: undefined, clientId: undefined, defaultRule: undefined, calls: [] };

/** Reads who a service is. A service without the annotation is nobody in particular. */
export function parseServiceIdentity(service: DescService): Parsed<ServiceIdentity> {
  const annotation = readServiceAnnotation(service);
  switch (annotation.kind) {
    case "absent":
      return unannotated;
    case "foreign":
    case "unreadable":
      return { problems: [annotation.reason] };
    case "message": {
      const { audience, clientId, defaultRule, calls } = annotation.message;
      const problems: string[] = [];
      checkIdentifier("audience", audience, problems);
      checkIdentifier("client_id", clientId, problems);
      const declared = parseCalls(calls, problems);
      if (audience === "" && clientId === "" && defaultRule === undefined && calls.length === 0) {
        problems.push("(meshauth.v1.service) is empty; set at least its audience, or remove it");
      }
      if (calls.length > 0 && clientId === "") problems.push("calls needs a client_id: who is it that calls?");
      if (problems.length > 0) return { problems };
      return { audience: audience || undefined, clientId: clientId || undefined, defaultRule, calls: declared };
    }
  }
}

/** Checks `calls`, of a service or of a client in the mesh file. */
export function parseCalls(calls: readonly Call[], problems: string[]): DeclaredCall[] {
  const seen = new Set<string>();
  for (const { rpc } of calls) {
    if (!/^[\w.]+\/\w+$/.test(rpc)) {
      problems.push(`calls has the rpc ${JSON.stringify(rpc)}; write it as "package.Service/Method"`);
    }
    if (seen.has(rpc)) problems.push(`calls lists ${rpc} twice`);
    seen.add(rpc);
  }
  return calls.map(({ rpc, scopes }) => ({ rpc, scopes }));
}

function checkIdentifier(field: string, value: string, problems: string[]): void {
  const problem = value === "" ? undefined : identifierProblem(value);
  if (problem !== undefined) problems.push(`${field} ${problem}`);
}

/**
 * The client id that a service's proto declares: who the service is when it calls others.
 *
 * Throws a RuleError if it declares none.
 */
export function clientIdOf(service: DescService): string {
  const identity = parseServiceIdentity(service);
  if (failed(identity)) throw new RuleError(identity.problems.map((problem) => problemAt(service, problem)));
  if (identity.clientId === undefined) {
    throw new RuleError([problemAt(service, "has no client_id; set it in option (meshauth.v1.service)")]);
  }
  return identity.clientId;
}
