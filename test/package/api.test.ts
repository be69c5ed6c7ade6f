// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";

const dist = new URL("../../dist/", import.meta.url).pathname;

/** Every declaration file of the package, the generated ones aside, one after the other. */
function declarations(): string {
  const files = readdirSync(dist, { recursive: true })
    .map(String)
    .filter((file) => file.endsWith(".d.ts") && !file.startsWith("gen/"))
    .sort();
  return files
    .map((file) => `// ${file}\n${readFileSync(join(dist, file), "utf8").replace(/^\/\/ .*\n/gm, "")}`)
    .join("\n");
}

describe("the public API", () => {
  it("is what api/meshauth.txt says; after a change that is meant: npm run api", async () => {
    await expect(declarations()).toMatchFileSnapshot("../../api/meshauth.txt");
  });
});
