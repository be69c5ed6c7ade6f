// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

// Writes docs/attacks.md from the attack table of the tests: npx tsx scripts/attack-table.ts
import { writeFileSync } from "node:fs";
import { describeAttacks } from "../test/attacks/describe.js";

writeFileSync(new URL("../docs/attacks.md", import.meta.url), describeAttacks());
