// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import "./test/support/node-20.js";
import { defineConfig, type ViteUserConfig } from "vitest/config";

const config: ViteUserConfig = defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    exclude: ["test/package/**"],
    restoreMocks: true,
    coverage: {
      provider: "v8",
      include: ["src/**/*.ts"],
      exclude: ["src/gen/**"],
      reporter: ["text", "json-summary"],
    },
  },
});

export default config;
