// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { type DestinationStream, destination } from "pino";
import type { AuditRecord } from "./audit-record.js";

/** Takes records, each with the level that it is logged on. */
export interface AuditSink {
  write(level: "info" | "warn", record: AuditRecord): void;
  /** What may have a flush() that calls back. */
  readonly flushable: object;
}

/** Opens a sink that writes lines of JSON to a path, a file descriptor or a stream. Throws if a path cannot be opened. */
export function openDestination(target: string | number | DestinationStream): AuditSink {
  const stream = typeof target === "object" ? target : openFile(target);
  return { write: (level, record) => stream.write(formatLine(level, record)), flushable: stream };
}

/** How much waits for a destination that cannot be written, in bytes. */
const maxWaiting = 16 * 1024 * 1024;

function openFile(dest: string | number): DestinationStream {
  const stream = destination({ dest, sync: true, maxLength: maxWaiting });
  let failing = false;
  // Told once for each outage: a full disk is no reason to end the process, nor to fill another log.
  stream.on("error", ({ message }: Error) => {
    const lost = "decisions that do not fit into 16 MiB until then are lost";
    if (!failing)
      process.emitWarning(`the audit log cannot be written: ${message}; ${lost}`, { code: "MESHAUTH_AUDIT" });
    failing = true;
  });
  stream.on("write", () => {
    failing = false;
  });
  return stream;
}

// JSON itself escapes the control characters of ASCII only. Others move cursors of terminals, end lines for some readers,
// or turn the order of what is shown. In JSON they can only be in strings, where their escapes mean the same.
const beyondAscii = /[^ -~]/g;

function formatLine(level: "info" | "warn", record: AuditRecord): string {
  const fields = JSON.stringify(record).slice(1);
  return `{"level":"${level}",${fields.replace(beyondAscii, escapeUnit)}\n`;
}

function escapeUnit(unit: string): string {
  return `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`;
}
