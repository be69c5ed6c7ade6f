// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

export { type AuditLog, type AuditLogger, type AuditLogOptions, createAuditLog } from "./telemetry/audit-log.js";
export type { AuditRecord } from "./telemetry/audit-record.js";
