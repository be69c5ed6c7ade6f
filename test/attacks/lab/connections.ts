// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { NoAnswerError } from "../../support/no-answer.js";
import type { RawHttp1 } from "../../support/raw-http1.js";
import type { RawHttp2 } from "../../support/raw-http2.js";

// Long, for a call on this machine. Where all is well, nobody waits for it; where a check was taken out, many calls do.
const patienceMs: number = Number(process.env["MESHAUTH_ATTACKS_PATIENCE_MS"] ?? 8_000);

/** Nobody answered in time. */
export class LateAnswerError extends NoAnswerError {}

/** Waits for an answer, but not for ever. */
export async function bounded<T>(answer: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new LateAnswerError("no answer")), patienceMs);
  });
  try {
    return await Promise.race([answer, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** A connection that is made anew when it was closed. */
export interface Reusing<T> {
  get(): Promise<T>;
  close(): void;
}

/** Creates a connection that is used as long as it lasts. */
export function reusing<T extends RawHttp1 | RawHttp2>(connect: () => Promise<T>): Reusing<T> {
  let current: T | undefined;
  return {
    async get() {
      if (current === undefined || current.closed) current = await connect();
      return current;
    },
    close: () => current?.close(),
  };
}
