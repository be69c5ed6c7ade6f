// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { execFileSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { readSnippets, readText } from "../support/markdown.js";

const root = new URL("../..", import.meta.url).pathname;
const guides = readdirSync(join(root, "docs"))
  .filter((file) => file.endsWith(".md"))
  .map((file) => `docs/${file}`);
const pages = ["README.md", "SECURITY.md", "CONTRIBUTING.md", "CHANGELOG.md", ...guides];

// Below the root, so that the snippets find the packages that they import.
let folder: string;
beforeAll(() => {
  mkdirSync(join(root, "node_modules/.cache"), { recursive: true });
  folder = mkdtempSync(join(root, "node_modules/.cache/docs-"));
});
afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

function run(command: string, args: string[]): string {
  try {
    execFileSync(join(root, "node_modules/.bin", command), args, { cwd: folder, stdio: "pipe", encoding: "utf8" });
    return "";
  } catch (error) {
    const { stdout, stderr } = error as { stdout: string; stderr: string };
    return `${stdout}${stderr}`;
  }
}

function writeSnippets(language: string, place: (path: string, line: number, code: string) => string): number {
  let count = 0;
  for (const path of guides) {
    for (const { code, line } of readSnippets(path).filter((snippet) => snippet.language === language)) {
      const file = join(folder, place(path.replace(/^docs\/|\.md$/g, ""), line, code));
      mkdirSync(dirname(file), { recursive: true });
      writeFileSync(file, code, { flag: "wx" });
      count += 1;
    }
  }
  return count;
}

describe("the guides", () => {
  it("have TypeScript that compiles against the sources", () => {
    // A snippet that starts with the name of a file can be imported by others.
    const nameOf = (code: string): string | undefined => /^\/\/ ([\w-]+)\.ts\n/.exec(code)?.[1];
    const count = writeSnippets("ts", (guide, line, code) => `ts/${nameOf(code) ?? `${guide}-line-${line}`}.ts`);
    const source = join(root, "src");
    const config = {
      extends: join(root, "tsconfig.json"),
      compilerOptions: {
        isolatedDeclarations: false,
        declaration: false,
        noUnusedLocals: false,
        noPropertyAccessFromIndexSignature: false,
        rootDirs: ["ts", source],
        typeRoots: [join(root, "node_modules/@types")],
        paths: {
          meshauth: [join(source, "index.ts")],
          "meshauth/gen/*": [join(source, "gen/*")],
          "meshauth/*": [join(source, "*.ts")],
        },
      },
      include: ["ts"],
    };
    writeFileSync(join(folder, "tsconfig.json"), JSON.stringify(config));
    expect(run("tsc", ["-p", folder])).toBe("");
    expect(count).toBeGreaterThan(0);
  });

  it("have protos that build and lint, each on its own", () => {
    const count = writeSnippets("proto", (guide, line) => `proto/${guide}/line_${line}/snippet.proto`);
    const modules = readdirSync(join(folder, "proto"), { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => entry.parentPath);
    expect(modules).toHaveLength(count);
    const failures = modules.map((module, index) => {
      // Each snippet may declare the same package as the next one: they cannot share a workspace.
      const workspace = join(folder, "workspaces", String(index));
      mkdirSync(workspace, { recursive: true });
      cpSync(module, join(workspace, "proto"), { recursive: true });
      cpSync(join(root, "proto/meshauth"), join(workspace, "annotation/meshauth"), { recursive: true });
      const config = { version: "v2", modules: [{ path: "proto" }, { path: "annotation" }] };
      writeFileSync(join(workspace, "buf.yaml"), JSON.stringify(config));
      return run("buf", ["build", workspace]);
    });
    expect(failures.filter((failure) => failure !== "")).toEqual([]);
  });
});

describe.each(pages)("%s", (page) => {
  it("has links that lead somewhere", () => {
    const links = [...readText(page).matchAll(/\]\(([^)#:]+)(#[^)]*)?\)/g)].map(({ 1: target = "" }) => target);
    const broken = links.filter((target) => !existsSync(resolve(root, dirname(page), target)));
    expect(broken).toEqual([]);
  });

  it("has no token in it", () => {
    expect(readText(page)).not.toMatch(/eyJ[\w-]{8}/);
  });
});
