// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { Code, ConnectError } from "@connectrpc/connect";
import { ErrorInfoSchema } from "../../src/gen/google/rpc/error_details_pb.js";
import type { DecisionEvent } from "../../src/index.js";

const colors = process.stdout.isTTY === true && process.env["NO_COLOR"] === undefined;

function paint(code: number, text: string): string {
  return colors ? `\u001b[${code}m${text}\u001b[0m` : text;
}

export const bold = (text: string): string => paint(1, text);
export const dim = (text: string): string => paint(2, text);
export const good = (text: string): string => paint(32, text);
export const bad = (text: string): string => paint(31, text);

/** One decision of a service, as a line. */
export function formatDecision(event: DecisionEvent): string {
  const caller = event.clientId ?? "somebody";
  const scopes = event.granted === undefined ? "no token" : event.granted.join(" ") || "no scopes";
  const verdict = event.decision === "allow" ? good("allow") : bad(`refuse ${event.reason}`);
  const cause = event.cause === undefined ? "" : dim(` (for the log only: ${event.cause})`);
  return `    ${caller} → ${event.rpc}  ${dim(`aud ${event.audience}  scopes ${scopes}`)}  ${verdict}${cause}`;
}

/** What a refused caller can tell a machine: code, reason, and the challenge of RFC 6750. */
export interface SeenRefusal {
  readonly code: string;
  readonly reason: string;
  readonly metadata: Readonly<Record<string, string>>;
  readonly challenge: string | null;
}

/** Reads a refusal as a client sees it; `undefined` for anything else. */
export function readRefusal(error: unknown): SeenRefusal | undefined {
  if (!(error instanceof ConnectError)) return undefined;
  const info = error.findDetails(ErrorInfoSchema).find(({ domain }) => domain === "meshauth");
  if (info === undefined) return undefined;
  return {
    code: Code[error.code],
    reason: info.reason,
    metadata: info.metadata,
    challenge: error.metadata.get("www-authenticate"),
  };
}

/** A refusal, as lines. */
export function formatRefusal({ code, reason, metadata, challenge }: SeenRefusal): string {
  const details = Object.entries(metadata).map(([key, value]) => `${key}=${value}`);
  const lines = [`    ${code}  ${bold(reason)}  ${dim(details.join("  "))}`];
  if (challenge !== null) lines.push(dim(`    www-authenticate: ${challenge}`));
  return lines.join("\n");
}
