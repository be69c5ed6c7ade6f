// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import type { Attributes } from "@opentelemetry/api";
import type { DecisionEvent } from "../verification/decision/decision.js";

/** A number, and what it counts. */
export interface Count {
  readonly attributes: Attributes;
  value: number;
}

/** Counts decisions in memory, to be read when somebody collects: an instrument costs more than a whole check does. */
export interface DecisionCounts {
  add(event: DecisionEvent): void;
  /** By RPC, system, decision, reason, whether it is enforced, and what the rule's `next` says. */
  decisions(): Iterable<Count>;
  /** Tokens that the cache knew, and tokens that were verified. */
  tokenChecks(): Iterable<Count>;
}

/** What the conventions of OpenTelemetry call a method or a system that is not one of those that are known. */
const other = "_OTHER";

/** How many RPCs are told apart. No server has as many; what should not happen shall not cost memory either. */
const maxRpcs = 2_000;

/** Creates counts. There are as many as an RPC has kinds of decisions, for each RPC with a rule, whatever callers send. */
export function createDecisionCounts(): DecisionCounts {
  const byRpc = new Map<string, Cell[]>();
  const cached: Count = { attributes: { "meshauth.token.check": "cached" }, value: 0 };
  const verified: Count = { attributes: { "meshauth.token.check": "verified" }, value: 0 };

  function createCell(event: DecisionEvent, rpc: string): Cell {
    const cell = cellOf(event, rpc);
    const cells = byRpc.get(rpc);
    if (cells === undefined) byRpc.set(rpc, [cell]);
    else cells.push(cell);
    return cell;
  }

  return {
    add(event) {
      if (event.tokenCheck === "cached") cached.value += 1;
      else if (event.tokenCheck === "verified") verified.value += 1;
      // Without a rule, the name is what the caller made up.
      let rpc = event.reason === "RULE_MISSING" ? other : event.rpc;
      if (byRpc.size >= maxRpcs && !byRpc.has(rpc)) rpc = other;
      const cell = findCell(byRpc.get(rpc), event) ?? createCell(event, rpc);
      cell.value += 1;
    },
    *decisions() {
      for (const cells of byRpc.values()) yield* cells;
    },
    tokenChecks: () => [cached, verified],
  };
}

interface Cell extends Count {
  readonly system: string;
  readonly enforced: boolean;
  readonly decision: DecisionEvent["decision"];
  readonly reason: DecisionEvent["reason"];
  readonly next: DecisionEvent["next"];
}

// An RPC has a handful of them: looking through is faster than making a key.
function findCell(cells: Cell[] | undefined, event: DecisionEvent): Cell | undefined {
  if (cells === undefined) return undefined;
  const { decision, reason, next, enforced, protocol } = event;
  const system = systemOf(protocol);
  let index = 0;
  for (const cell of cells) {
    if (cell.reason === reason && cell.next === next && cell.decision === decision) {
      if (cell.system === system && cell.enforced === enforced) return moveUp(cells, index, cell);
    }
    index += 1;
  }
  return undefined;
}

// The frequent ones are soon in front: callers who cause refusals of all kinds do not slow down the others.
function moveUp(cells: Cell[], index: number, cell: Cell): Cell {
  const previous = index === 0 ? undefined : cells[index - 1];
  if (previous === undefined) return cell;
  cells[index - 1] = cell;
  cells[index] = previous;
  return cell;
}

function cellOf({ decision, reason, next, enforced, protocol }: DecisionEvent, rpc: string): Cell {
  const system = systemOf(protocol);
  const attributes = {
    "rpc.method": rpc,
    "rpc.system.name": system,
    "meshauth.decision": decision,
    "meshauth.enforced": enforced,
    ...(reason !== undefined && { "error.type": reason }),
    ...(next !== undefined && { "meshauth.next": next }),
  };
  return { system, enforced, decision, reason, next, attributes, value: 0 };
}

/** `rpc.system.name` of OpenTelemetry. */
function systemOf(protocol: string): string {
  switch (protocol) {
    case "connect":
      return "connectrpc";
    case "grpc":
    case "grpc-web":
    case "grpc-js":
      return "grpc";
    default:
      return other;
  }
}
