// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import type { ReportedDecision } from "./reported-decision.js";

/** One decision, as the audit log has it. Fields without a value are left out. */
export interface AuditRecord extends Omit<ReportedDecision, "time"> {
  /** When it was decided, in UTC: "2026-01-01T00:00:00.000Z". */
  readonly time: string;
  readonly enforced: boolean;
  /** The names of the fields that were cut. */
  readonly truncated: readonly string[] | undefined;
}

/** The longest text that is kept, in characters. */
export const maxTextLength = 1_024;

/** How many entries of a list are kept. */
export const maxListLength = 50;

/**
 * Makes a record of a decision: its fields and nothing else, cut to a bounded size. What a token grants and what a caller
 * calls is for others to say, and a log must not grow by it.
 */
export function toAuditRecord(event: ReportedDecision): AuditRecord {
  const truncated = new Set<string>();
  const text = <T extends string | undefined>(field: string, value: T): T => {
    if (value === undefined || value.length <= maxTextLength) return value;
    truncated.add(field);
    return value.slice(0, maxTextLength) as T;
  };
  const list = <T>(field: string, values: readonly T[], entry: (value: T) => T): readonly T[] => {
    if (values.length > maxListLength) truncated.add(field);
    return values.slice(0, maxListLength).map(entry);
  };
  const texts = (field: string, values: readonly string[]): readonly string[] =>
    list(field, values, (value) => text(field, value));
  return {
    time: event.time.toISOString(),
    rpc: text("rpc", event.rpc),
    protocol: text("protocol", event.protocol),
    peer: text("peer", event.peer),
    decision: event.decision,
    enforced: event.enforced ?? true,
    reason: event.reason,
    cause: text("cause", event.cause),
    next: event.next,
    audience: text("audience", event.audience),
    required: list("required", event.required, (alternative) => texts("required", alternative)),
    granted: event.granted && texts("granted", event.granted),
    clientId: text("clientId", event.clientId),
    issuer: text("issuer", event.issuer),
    tokenId: text("tokenId", event.tokenId),
    ...(event.tokenCheck !== undefined && { tokenCheck: event.tokenCheck }),
    truncated: truncated.size === 0 ? undefined : [...truncated],
  };
}
