// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import type { ClientRequestFailure } from "../../credentials/client-request-failure.js";
import { isWithinPause } from "../../discovery/retry-after.js";
import { fullJitterMs } from "../../platform/backoff.js";
import type { Clock } from "../../platform/clock.js";
import type { TokenRefusal } from "../refusal.js";
import { unavailable } from "./verdict.js";

/** Leaves an endpoint alone for a moment after it failed, and then asks it once, before all others ask again. */
export interface CoolDown {
  /** Why the endpoint is not to be asked now; `undefined` if it is. */
  refusal(): TokenRefusal | undefined;
  /** A request begins. */
  begin(): Attempt;
}

/** A request, which ends one way or the other. */
export interface Attempt {
  succeeded(): void;
  failed(failure: Pick<ClientRequestFailure, "message" | "retryAfterMs">): TokenRefusal;
}

const maxPauseMs = 30_000;

/** Creates a cool-down. The pause grows with each failure in a row, to half a minute; Retry-After counts instead of it. */
export function createCoolDown(clock: Clock, random: () => number): CoolDown {
  let failures = 0;
  let cause = "";
  let until = 0;
  let probing = false;

  function pause(isNew: boolean, retryAfterMs: number | undefined): void {
    const now = clock.now();
    if (isNew) failures += 1;
    const ms = retryAfterMs ?? (isNew ? fullJitterMs(failures - 1, maxPauseMs, random) : 0);
    until = Math.max(isWithinPause(now, until) ? until : now, now + ms);
  }

  return {
    refusal() {
      const now = clock.now();
      const isPaused = failures > 0 && (probing || isWithinPause(now, until));
      return isPaused ? unavailable(cause, until - now) : undefined;
    },
    begin() {
      const before = failures;
      probing = before > 0;
      // One that began before another one failed says nothing of what came after; and what fails together counts once.
      const isLatest = (): boolean => before === failures;
      return {
        succeeded() {
          if (isLatest()) failures = 0;
        },
        failed({ message, retryAfterMs }) {
          if (isLatest()) probing = false;
          pause(isLatest(), retryAfterMs);
          cause = message;
          return unavailable(cause, until - clock.now());
        },
      };
    },
  };
}
