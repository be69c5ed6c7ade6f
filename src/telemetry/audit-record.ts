// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import type { DecisionEvent } from "../verification/decision/decision.js";

/** One decision, as the audit log has it. Fields without a value are left out. */
export interface AuditRecord extends Omit<DecisionEvent, "time"> {
  /** When it was decided, in UTC: "2026-01-01T00:00:00.000Z". */
  readonly time: string;
  /** The names of the fields that were cut. */
  readonly truncated: readonly string[] | undefined;
}

/** The longest text that is kept, in characters. */
const maxTextLength = 1_024;

/** How many entries of a list are kept. */
const maxListLength = 50;

/**
 * Creates a function that makes records of decisions: their fields and nothing else, cut to a bounded size. What a token
 * grants and what a caller calls is for others to say, and a log must not grow by it.
 */
export function createAuditRecorder(): (event: DecisionEvent) => AuditRecord {
  const formatTime = createTimeFormat();
  return (event) => {
    const record = toRecord(event, formatTime(event.time));
    for (const field in record) if (isLong(record[field as keyof AuditRecord])) return shorten(record);
    return record;
  };
}

function shorten(record: AuditRecord): AuditRecord {
  const long = Object.entries(record).filter(([, value]) => isLong(value));
  const cuts = Object.fromEntries(long.map(([field, value]) => [field, cut(value)]));
  return { ...record, ...cuts, truncated: Object.keys(cuts) };
}

function toRecord(event: DecisionEvent, time: string): AuditRecord {
  return {
    time,
    rpc: event.rpc,
    protocol: event.protocol,
    peer: event.peer,
    decision: event.decision,
    enforced: event.enforced,
    reason: event.reason,
    cause: event.cause,
    next: event.next,
    audience: event.audience,
    required: event.required,
    granted: event.granted,
    clientId: event.clientId,
    issuer: event.issuer,
    tokenId: event.tokenId,
    tokenCheck: event.tokenCheck,
    truncated: undefined,
  };
}

// Many decisions fall into one millisecond.
function createTimeFormat(): (time: Date) => string {
  let last = Number.NaN;
  let text = "";
  return (time) => {
    const ms = time.getTime();
    if (ms !== last) text = time.toISOString();
    last = ms;
    return text;
  };
}

function isLong(value: unknown): boolean {
  if (typeof value === "string") return value.length > maxTextLength;
  if (!Array.isArray(value)) return false;
  return value.length > maxListLength || value.some(isLong);
}

function cut(value: unknown): unknown {
  if (typeof value === "string") return value.slice(0, maxTextLength);
  return Array.isArray(value) ? value.slice(0, maxListLength).map(cut) : value;
}
