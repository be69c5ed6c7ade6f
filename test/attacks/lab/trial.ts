// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import type { DecisionEvent } from "../../../src/verification/decision/decision.js";
import type { Attack, ForgedRequest, Scene, Verdict } from "../attack.js";
import { type Caller, type Ending, requestOf } from "./call.js";
import { untouched } from "./handlers.js";
import { waitText } from "./handlers-text.js";
import { everythingIn, findPiece } from "./secrecy.js";
import type { Lab } from "./servers.js";
import { type Way, ways } from "./ways.js";
import { createWorld } from "./world.js";

/** Where a row is tried. */
export interface Court {
  readonly lab: Lab;
  readonly caller: Caller;
  /** What the process said. */
  readonly said: string[];
  /** Whether the first way on which something goes wrong is enough. */
  readonly isHasty: boolean;
}

/** Tries a row on every way on which it can be expressed. Returns what went wrong, in words. */
export async function tryAttack(court: Court, attack: Attack): Promise<string[]> {
  const { lab } = court;
  const chosen = ways.filter((way) => attack.on?.(way) ?? true);
  const problems = new Map<string, string[]>(chosen.length === 0 ? [["nobody can express it", []]] : []);
  let outbound = 0;
  lab.world = await createWorld(attack.world);
  for (const way of chosen) {
    if (court.isHasty && problems.size > 0) break;
    if (attack.before !== undefined || attack.during !== undefined) {
      outbound += lab.world.outbound;
      lab.world = await createWorld(attack.world);
    }
    for (const problem of await tryOn(court, attack, way))
      problems.set(problem, [...(problems.get(problem) ?? []), way.name]);
  }
  outbound += lab.world.outbound;
  const { outbound: limit = 0 } = attack;
  if (outbound > limit) problems.set(`${outbound} requests to authorization servers instead of ${limit}`, []);
  return [...problems].map(([problem, names]) => [problem, ...names].join("; "));
}

async function tryOn({ lab, caller, said }: Court, attack: Attack, way: Way): Promise<string[]> {
  const { service = "Vault", before, during } = attack;
  const { world } = lab;
  const call = (request: ForgedRequest): Promise<Ending> => caller.call(way, service, request);
  const callOther: Scene["callOther"] = async (other, forged) =>
    (await caller.call(way, other, requestOf(forged))).verdict;
  const scene: Scene = { world, way, call: (forged) => callOther(service, forged), callOther };
  await before?.(scene);
  Object.assign(lab.observed, untouched);
  world.decisions.length = 0;
  said.length = 0;
  const request = requestOf(attack.forge(way));
  const ending =
    during === undefined ? await call(request) : await interrupt(call(withText(request)), lab, () => during(scene));
  return [
    ...judgeEnding(attack.verdict, ending),
    ...judgeProgress(attack, way, lab),
    ...judgeEvents(attack, world.decisions),
    ...judgeSecrecy(request, ending, world.decisions, said),
  ];
}

function withText(request: ForgedRequest): ForgedRequest {
  return { text: waitText, ...request };
}

/** Does something to a call once its handler was entered. */
async function interrupt(ending: Promise<Ending>, { observed }: Lab, act: () => unknown): Promise<Ending> {
  let over = false;
  const settled = ending.finally(() => {
    over = true;
  });
  while (observed.handlers === 0 && !over) await new Promise((resolve) => setImmediate(resolve));
  await act();
  return await settled;
}

const codes: Readonly<Partial<Record<Verdict, string>>> = {
  CREDENTIALS_MISSING: "Unauthenticated",
  TOKEN_EXPIRED: "Unauthenticated",
  TOKEN_NOT_YET_VALID: "Unauthenticated",
  TOKEN_INVALID: "Unauthenticated",
  DPOP_PROOF_INVALID: "Unauthenticated",
  DPOP_NONCE_REQUIRED: "Unauthenticated",
  SCOPE_INSUFFICIENT: "PermissionDenied",
  CALLER_NOT_ALLOWED: "PermissionDenied",
  RULE_MISSING: "PermissionDenied",
  AUTHORIZATION_SERVER_UNAVAILABLE: "Unavailable",
  allowed: "Ok",
};

function judgeEnding(wanted: Verdict, { verdict, code }: Ending): string[] {
  if (verdict !== wanted) return [`${verdict} instead of ${wanted}`];
  const wantedCode = codes[wanted];
  return wantedCode === undefined || code === wantedCode ? [] : [`code ${code} instead of ${wantedCode}`];
}

function judgeProgress({ verdict, during }: Attack, { get }: Way, { observed }: Lab): string[] {
  const entered = verdict === "allowed" || during !== undefined;
  const problems: string[] = [];
  if (observed.handlers !== (entered ? 1 : 0)) problems.push(`the handler was entered ${observed.handlers} times`);
  if (!entered && observed.bodies > 0 && !get) problems.push("its body was read");
  if (!entered && observed.parses > 0) problems.push("a message was parsed");
  if (during !== undefined && verdict !== "allowed" && observed.aborted !== 1) problems.push("its handler goes on");
  return problems;
}

function judgeEvents({ verdict, during, service }: Attack, decisions: readonly DecisionEvent[]): string[] {
  if (verdict === "not routed" || verdict === "not HTTP") {
    return decisions.length === 0 ? [] : [`${decisions.length} decisions on what is no call`];
  }
  const [decision, ...others] = decisions;
  if (decision === undefined || others.length > 0) return [`${decisions.length} decisions instead of 1`];
  if (during !== undefined) return [];
  const reason = verdict === "allowed" ? undefined : verdict;
  if (decision.reason !== reason) return [`${decision.reason} in the audit instead of ${reason}`];
  if (service !== "Lobby" && verdict !== "allowed" && !decision.cause) return ["no cause in the audit"];
  return [];
}

function judgeSecrecy(
  request: ForgedRequest,
  ending: Ending,
  decisions: readonly DecisionEvent[],
  said: readonly string[],
): string[] {
  const secrets = request.secrets ?? (request.fields ?? []).map(([, value]) => value);
  const shown = ending.response === undefined ? "" : everythingIn(ending.response);
  const outputs = { answer: shown, audit: JSON.stringify(decisions), "process output": said.join("\n") };
  return Object.entries(outputs).flatMap(([where, text]) => {
    const piece = findPiece(secrets, text);
    return piece === undefined ? [] : [`${JSON.stringify(piece)} in the ${where}`];
  });
}
