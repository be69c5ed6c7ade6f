// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { checkFault } from "./check-fault.js";
import type { Fault } from "./fault.js";

/** Which requests a fault is for. */
export interface FaultTarget {
  /** The path of the URL, without its query: all of it as a string, or a pattern in it. By default, every path. */
  readonly path?: string | RegExp;
}

/** Which requests a queued fault is for, and how many of them. */
export interface QueuedFaultTarget extends FaultTarget {
  /** How many requests it strikes. By default, 1. */
  readonly times?: number;
}

/** Which fault strikes which request. */
export interface FaultScript {
  next(fault: Fault, target?: QueuedFaultTarget): void;
  always(fault: Fault, target?: FaultTarget): void;
  clear(): void;
  /** The fault for a request that arrives now. */
  take(path: string): Fault;
}

interface Queued extends FaultTarget {
  readonly fault: Fault;
  left: number;
}

/** Creates a script without any fault. */
export function createFaultScript(): FaultScript {
  let queue: Queued[] = [];
  let standing: (FaultTarget & { readonly fault: Fault })[] = [];
  return {
    next(fault, { times = 1, ...target } = {}) {
      checkFault(fault);
      if (!Number.isSafeInteger(times) || times < 1) throw new TypeError(`times is ${times}; give a number from 1 on`);
      queue.push({ ...target, fault, left: times });
    },
    always(fault, target = {}) {
      checkFault(fault);
      standing.unshift({ ...target, fault });
    },
    clear() {
      queue = [];
      standing = [];
    },
    take(path) {
      const next = queue.find((entry) => matches(entry, path));
      if (next === undefined) return standing.find((entry) => matches(entry, path))?.fault ?? { kind: "pass" };
      next.left -= 1;
      if (next.left === 0) queue.splice(queue.indexOf(next), 1);
      return next.fault;
    },
  };
}

// Not test(): that of a global pattern goes on where it ended last.
function matches({ path: wanted }: FaultTarget, path: string): boolean {
  if (wanted === undefined) return true;
  return typeof wanted === "string" ? wanted === path : path.search(wanted) >= 0;
}
