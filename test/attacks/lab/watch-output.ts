// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { inspect } from "node:util";
import { vi } from "vitest";

/** Notes whatever the process says, in whatever way. The array may be emptied at any time. */
export function watchOutput(): string[] {
  const said: string[] = [];
  const note = (...values: unknown[]): void => void said.push(values.map((value) => inspect(value)).join(" "));
  for (const method of ["debug", "info", "log", "warn", "error", "trace"] as const) {
    vi.spyOn(console, method).mockImplementation(note);
  }
  vi.spyOn(process, "emitWarning").mockImplementation(note);
  vi.spyOn(process.stderr, "write").mockImplementation((text) => {
    note(text);
    return true;
  });
  return said;
}
