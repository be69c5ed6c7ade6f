// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import type { DestinationStream } from "pino";
import type { DecisionEvent } from "../verification/decision/decision.js";
import { type AuditSink, openDestination } from "./audit-destination.js";
import { createAuditRecorder } from "./audit-record.js";

/** Options of createAuditLog(). */
export interface AuditLogOptions {
  /**
   * Where the lines go: a path, a file descriptor, or a stream, such as one of pino.destination(). By default, standard
   * output. Paths and descriptors are written to at once, while the call waits.
   */
  readonly destination?: string | number | DestinationStream;
  /**
   * A logger of pino that takes the decisions instead, as an object named `audit` beside what it logs itself: allowed calls
   * on its level "info", refusals on "warn". By default, none.
   */
  readonly logger?: AuditLogger;
  /**
   * Which decisions are logged: all, or the refusals, those of a rule's `next` and those that are not enforced included.
   * By default, "all".
   */
  readonly include?: "all" | "refusals";
  /** The share of allowed calls that is logged, from 0 to 1. Refusals always are. By default, 1. */
  readonly sampleAllowed?: number;
  /** Replaces Math.random, which picks the allowed calls. */
  readonly random?: () => number;
}

/** The part of a pino logger that an audit log writes to. */
export interface AuditLogger {
  info(fields: object): void;
  warn(fields: object): void;
  flush?(done?: (error?: Error) => void): void;
}

/** Logs a decision. Give it to `onDecision` of createResourceServer(). */
export interface AuditLog {
  (event: DecisionEvent): void;
  /** Waits until destinations that buffer have written what they were given. Fails as they do. */
  flush(): Promise<void>;
}

/**
 * Creates an audit log: each decision is a line of JSON with the fields of its DecisionEvent, in ASCII and of bounded
 * size. Throws a TypeError if an option is wrong, and what opening a path throws.
 *
 * A destination that fails costs no call: it becomes a warning of the process.
 *
 * ```ts
 * createResourceServer({ ...options, onDecision: createAuditLog({ destination: "/var/log/audit.jsonl" }) });
 * ```
 */
export function createAuditLog(options: AuditLogOptions = {}): AuditLog {
  const { include = "all", sampleAllowed = 1, random = Math.random } = checkOptions(options);
  const share = include === "all" ? sampleAllowed : 0;
  const sink = options.logger === undefined ? openDestination(options.destination ?? 1) : toSink(options.logger);
  const toRecord = createAuditRecorder();
  const log = (event: DecisionEvent): void => {
    const refusal = isRefusal(event);
    if (!refusal && share < 1 && random() >= share) return;
    sink.write(refusal ? "warn" : "info", toRecord(event));
  };
  return Object.assign(log, { flush: () => flush(sink.flushable) });
}

function checkOptions(options: AuditLogOptions): AuditLogOptions {
  const { destination, logger, include = "all", sampleAllowed = 1 } = options;
  if (destination !== undefined && logger !== undefined) {
    throw new TypeError("destination and logger are both given; leave one");
  }
  if (include !== "all" && include !== "refusals") {
    throw new TypeError(`include is ${String(include)}; use "all" or "refusals"`);
  }
  if (!(sampleAllowed >= 0 && sampleAllowed <= 1)) {
    throw new TypeError(`sampleAllowed is ${sampleAllowed}; give a number from 0 to 1`);
  }
  return options;
}

// What the logger logs itself has names of its own, such as "time": the record must not repeat them.
function toSink(logger: AuditLogger): AuditSink {
  return { write: (level, record) => logger[level]({ audit: record }), flushable: logger };
}

function flush(flushable: { readonly flush?: unknown }): Promise<void> {
  return new Promise((resolve, reject) => {
    if (typeof flushable.flush !== "function") return resolve();
    flushable.flush((error?: Error | null) => (error ? reject(error) : resolve()));
  });
}

/** Whether somebody should look at it: a call that was refused, or would be by the rule's `next`. */
function isRefusal({ decision, next }: DecisionEvent): boolean {
  return decision === "refuse" || (next !== undefined && next !== "allow");
}
