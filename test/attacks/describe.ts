// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import type { Attack } from "./attack.js";
import { families } from "./table/index.js";

/** The attack table as a page of the documentation. */
export function describeAttacks(): string {
  const rows = Object.values(families).flat();
  const controls = rows.filter(({ verdict }) => verdict === "allowed").length;
  const parts = [
    "# Attacks",
    intro(rows.length - controls, controls),
    ...Object.entries(families).map(([family, attacks]) => `## ${capitalized(family)}\n\n${table(attacks)}`),
  ];
  return `${parts.join("\n\n")}\n`;
}

function intro(attacks: number, controls: number): string {
  return `What is tried against a guarded server by its tests: ${attacks} attacks, and ${controls} controls, which look odd and are
let in. Made from \`test/attacks/table\` by \`npx tsx scripts/attack-table.ts\`.

Each row runs on every way to call on which it can be expressed: Connect unary, JSON, GET and streams, gRPC and gRPC-Web,
over HTTP/1.1 and HTTP/2, on connect-node; every kind of RPC on grpc-js. On each way, the tests look at what the caller is
told; that the handler was not entered, and the body not read; that no request went to an authorization server, unless the
row says so; that the audit has the same reason; and that no 16 characters of a token in a row are in an answer, an event or
the output of the process.

The last column names the check that stops the attack. \`npx tsx scripts/prove-guards.ts\` takes one check after the other
out of a copy of the sources, with whatever would stop the same attacks behind it, and makes sure that its rows turn red.
The check \`http-server\` is the HTTP parser of Node, which is not ours to take out.

"Not routed" is an answer that there is no such RPC; "not HTTP" means that Node's parser refused the request. The reasons are
explained in [refusals](refusals.md).`;
}

function table(attacks: readonly Attack[]): string {
  const cells = attacks.map(({ name, reference, verdict, guard }) => [
    name,
    reference,
    verdictCell(verdict),
    guard === "none" ? "" : guard,
  ]);
  const lines = [["What is tried", "Reference", "Verdict", "Check"], ["---", "---", "---", "---"], ...cells];
  return lines.map((line) => `| ${line.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`).join("\n");
}

function verdictCell(verdict: Attack["verdict"]): string {
  return /^[A-Z]/.test(verdict) ? `\`${verdict}\`` : verdict;
}

function capitalized(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
