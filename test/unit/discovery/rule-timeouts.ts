// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { vi } from "vitest";
import type { FakeClock } from "../../support/fake-clock.js";

/**
 * Lets a fake clock rule AbortSignal.timeout(), until the end of the test. Returns the delays that were asked for. As the
 * original, it takes no fractions and nothing that does not fit into 32 bits.
 */
export function ruleTimeouts(clock: FakeClock): readonly number[] {
  const delays: number[] = [];
  vi.spyOn(AbortSignal, "timeout").mockImplementation((delay) => {
    if (!Number.isInteger(delay) || delay < 0 || delay >= 2 ** 32) throw new RangeError(`a time-out of ${delay} ms`);
    delays.push(delay);
    const controller = new AbortController();
    clock.schedule(delay, () => controller.abort(new DOMException("The operation timed out", "TimeoutError")));
    return controller.signal;
  });
  return delays;
}
