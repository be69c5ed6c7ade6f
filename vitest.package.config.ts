// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import "./test/support/node-20.js";
import { defineConfig, type ViteUserConfig } from "vitest/config";

/** The tests of the packed package: they install it with npm, which takes its time. */
const config: ViteUserConfig = defineConfig({
  test: {
    include: ["test/package/**/*.test.ts"],
    hookTimeout: 300_000,
    testTimeout: 120_000,
  },
});

export default config;
