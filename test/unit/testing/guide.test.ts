// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { execFile } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

const root = new URL("../../..", import.meta.url).pathname;
const guide = readFileSync(join(root, "docs/testing.md"), "utf8");
const snippets = [...guide.matchAll(/^```ts\n([\s\S]*?)^```$/gm)].map(({ 1: code = "" }, i) => ({ name: i + 1, code }));

// Below the root, so that the snippets find the packages that they import. That they compile is checked with all guides.
let folder: string;
beforeAll(() => {
  mkdirSync(join(root, "node_modules/.cache"), { recursive: true });
  folder = mkdtempSync(join(root, "node_modules/.cache/testing-guide-"));
  writeFileSync(join(folder, "package.json"), JSON.stringify({ type: "module" }));
});
afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

describe("the guide to the test kit", () => {
  it("names every kind of fault", () => {
    const union = readFileSync(join(root, "src/testing/fault.ts"), "utf8");
    const kinds = [...union.matchAll(/kind: "(\w+)"/g)].map(({ 1: kind }) => kind);
    expect(kinds.length).toBeGreaterThan(10);
    expect(kinds.filter((kind) => !guide.includes(`{ kind: "${kind}"`))).toEqual([]);
  });

  it.each(snippets)("has a snippet $name that runs to its end", { timeout: 60_000 }, async ({ name, code }) => {
    const file = join(folder, `snippet-${name}.ts`);
    const local = (entry: string): string => JSON.stringify(new URL(`../../../src/${entry}.ts`, import.meta.url).href);
    const onSources = code.replaceAll('"meshauth"', local("index")).replaceAll('"meshauth/testing"', local("testing"));
    writeFileSync(file, onSources);
    await promisify(execFile)(process.execPath, ["--import", "tsx", file], { cwd: folder });
  });
});
