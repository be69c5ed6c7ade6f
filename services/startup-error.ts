// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { DiscoveryError, RuleError } from "../src/index.js";

/** The mesh cannot start, and a person can tell why from one line. */
export class StartupError extends Error {}

/** What to tell a person about an error at start: one line; `undefined` for what nobody expected. */
export function describeStartupError(error: unknown): string | undefined {
  if (error instanceof RuleError) return error.message.replaceAll("\n", "; ");
  const isExpected =
    error instanceof StartupError ||
    error instanceof DiscoveryError ||
    (error instanceof TypeError && error.message.startsWith("issuer "));
  // What was configured is quoted as it is; a line break in it, the last thing that anybody looks for, gets to be seen.
  return isExpected ? error.message.replaceAll("\n", "\\n") : undefined;
}

/** Runs what listens on a port; a port that is taken becomes a line that says how to take another one. */
export async function listening<T>(variable: string, port: number, start: () => Promise<T>): Promise<T> {
  try {
    return await start();
  } catch (error) {
    const { code, message } = error as { code?: unknown; message?: unknown };
    if (code === "EADDRINUSE" || String(message).includes("EADDRINUSE")) {
      throw new StartupError(`port ${port} is in use; set ${variable} to another one`);
    }
    throw error;
  }
}
