// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

// Adds up the JSON reports of vitest given as arguments and prints one line.
import { readFileSync } from "node:fs";

const totals = { passed: 0, failed: 0, skipped: 0 };
for (const file of process.argv.slice(2)) {
  const { numPassedTests, numFailedTests, numPendingTests, numTodoTests, numFailedTestSuites, testResults } =
    JSON.parse(readFileSync(file, "utf8"));
  totals.passed += numPassedTests;
  totals.skipped += numPendingTests + numTodoTests;
  // A file that cannot be loaded has failed, though it has no test that could.
  const brokenFiles = testResults.filter(
    ({ status, assertionResults }) => status === "failed" && assertionResults.every((test) => test.status !== "failed"),
  );
  totals.failed += numFailedTests + (numFailedTestSuites > 0 ? brokenFiles.length : 0);
}
console.log(`${totals.passed} passed, ${totals.failed} failed, ${totals.skipped} skipped`);
process.exitCode = totals.failed > 0 || totals.passed === 0 ? 1 : 0;
