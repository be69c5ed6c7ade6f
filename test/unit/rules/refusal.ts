// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { RuleError } from "../../../src/rules/problem.js";

/** What a RuleError lists, line by line. Fails if nothing or something else is thrown. */
export function refusal(run: () => unknown): string[] {
  try {
    run();
  } catch (error) {
    if (error instanceof RuleError) return error.message.split("\n");
    throw error;
  }
  throw new Error("no RuleError was thrown");
}
