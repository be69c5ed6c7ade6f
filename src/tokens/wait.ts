// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import type { Clock } from "../platform/clock.js";

/** How long a caller is willing to wait for a token. */
export interface WaitOptions {
  /** Ends this caller's wait, and only that: a token request goes on for the others. */
  readonly signal?: AbortSignal | undefined;
  /** When the call must be done, in milliseconds since the Unix epoch. */
  readonly deadline?: number | undefined;
}

/** Which token a caller wants, and for how long it is willing to wait. */
export interface GetOptions<T> extends WaitOptions {
  /** A token that a server refused: any other one will do, even if this one is still valid. */
  readonly otherThan?: T | undefined;
}

/** Waits for a promise that others wait for as well; a caller that gives up rejects with what `toError` makes of it. */
export function waitUnlessCancelled<T>(
  promise: Promise<T>,
  { signal, deadline }: WaitOptions,
  clock: Clock,
  toError: (reason: string) => Error,
): Promise<T> {
  if (signal === undefined && deadline === undefined) return promise;
  return new Promise((resolve, reject) => {
    const onAbort = (): void => giveUp("the call was cancelled or ran out of time");
    const cancelDeadline =
      deadline === undefined ? undefined : clock.schedule(deadline - clock.now(), () => giveUp("the deadline passed"));
    const settle = (action: () => void): void => {
      signal?.removeEventListener("abort", onAbort);
      cancelDeadline?.();
      action();
    };
    const giveUp = (reason: string): void => settle(() => reject(toError(reason)));
    if (signal?.aborted === true) return onAbort();
    signal?.addEventListener("abort", onAbort);
    promise.then(
      (value) => settle(() => resolve(value)),
      (error: unknown) => settle(() => reject(error)),
    );
  });
}

/** Waits for a promise for a moment only; when that has passed, the caller cancels or the promise fails, `fallBack` answers. */
export function waitBriefly<T>(
  promise: Promise<T>,
  patienceMs: number,
  signal: AbortSignal | undefined,
  clock: Clock,
  fallBack: () => T | Promise<T>,
): Promise<T> {
  return new Promise((resolve) => {
    let waiting = true;
    const settle = (answer: () => T | Promise<T>): void => {
      if (!waiting) return;
      waiting = false;
      cancel();
      signal?.removeEventListener("abort", giveUp);
      resolve(answer());
    };
    const giveUp = (): void => settle(fallBack);
    const cancel = clock.schedule(patienceMs, giveUp);
    if (signal?.aborted === true) return giveUp();
    signal?.addEventListener("abort", giveUp);
    promise.then((value) => settle(() => value), giveUp);
  });
}
