// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

// Shows that every row of the attack table is there for a reason: takes one check after the other out of a copy of the
// sources, runs the rows that name it, and demands that each of them turns red.
//
//   npx tsx scripts/prove-guards.ts             all checks
//   npx tsx scripts/prove-guards.ts --sample 5  some of them, others with each run
//   npx tsx scripts/prove-guards.ts issuer exp  those whose ids are given
import { execFile } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type Edit, guards } from "../test/attacks/guards.js";

const root = fileURLToPath(new URL("..", import.meta.url));
const copied = ["src", "test", "proto", "services", "package.json", "tsconfig.json", "vitest.config.ts"];

interface Report {
  readonly testResults: readonly {
    readonly message: string;
    readonly assertionResults: readonly { readonly title: string; readonly status: string }[];
  }[];
}

interface Proof {
  readonly guard: string;
  readonly red: number;
  /** Rows that did not notice that the check was gone. */
  readonly green: readonly string[];
  readonly problem: string | undefined;
}

function chosen(args: readonly string[]): string[] {
  const all = Object.keys(guards);
  if (args[0] === "--sample") {
    return all
      .map((guard) => ({ guard, at: Math.random() }))
      .sort((one, other) => one.at - other.at)
      .slice(0, Number(args[1]))
      .map(({ guard }) => guard);
  }
  const unknown = args.filter((guard) => !all.includes(guard));
  if (unknown.length > 0) throw new Error(`no such check: ${unknown.join(", ")}`);
  return args.length > 0 ? [...args] : all;
}

function apply(folder: string, { file, find, replace }: Edit): string | undefined {
  const path = join(folder, file);
  const source = readFileSync(path, "utf8");
  if (!source.includes(find)) return `${file} has no ${JSON.stringify(find)}`;
  writeFileSync(
    path,
    source.replaceAll(find, () => replace),
  );
  return undefined;
}

function run(folder: string, guard: string): Promise<Report> {
  const output = join(folder, "report.json");
  const args = ["vitest", "run", "test/attacks/table.test.ts", "--reporter=json", `--outputFile=${output}`];
  const env = { ...process.env, MESHAUTH_ATTACKS_GUARD: guard, MESHAUTH_ATTACKS_PATIENCE_MS: "2000" };
  return new Promise((resolve) => {
    // It is meant to fail: the report says how.
    execFile("npx", args, { cwd: folder, env, maxBuffer: 2 ** 26 }, () =>
      resolve(JSON.parse(readFileSync(output, "utf8")) as Report),
    );
  });
}

async function prove(guard: string): Promise<Proof> {
  const folder = mkdtempSync(join(tmpdir(), "meshauth-guards-"));
  try {
    for (const name of copied) cpSync(join(root, name), join(folder, name), { recursive: true });
    symlinkSync(join(root, "node_modules"), join(folder, "node_modules"));
    const edits = guards[guard] ?? [];
    const problem = edits.map((edit) => apply(folder, edit)).find((each) => each !== undefined);
    if (problem !== undefined) return { guard, red: 0, green: [], problem };
    const [result] = (await run(folder, guard)).testResults;
    const rows = (result?.assertionResults ?? []).filter(({ status }) => status === "passed" || status === "failed");
    const green = rows.filter(({ status }) => status === "passed").map(({ title }) => title);
    return {
      guard,
      red: rows.length - green.length,
      green,
      problem: rows.length > 0 ? undefined : result?.message || "no row",
    };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

let red = 0;
let failed = 0;
for (const guard of chosen(process.argv.slice(2))) {
  const proof = await prove(guard);
  red += proof.red;
  const isProven = proof.green.length === 0 && proof.problem === undefined;
  if (!isProven) failed += 1;
  console.log(`${isProven ? "ok    " : "FAILED"} ${guard.padEnd(24)} ${String(proof.red).padStart(4)} rows red`);
  if (proof.problem !== undefined) console.log(`         ${proof.problem}`);
  for (const name of proof.green) console.log(`         still green: ${name}`);
}
console.log(`${red} rows turned red without their check; ${failed} checks are not proven`);
process.exitCode = failed > 0 ? 1 : 0;
