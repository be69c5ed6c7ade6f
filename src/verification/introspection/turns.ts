// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

/** Lets so many in at a time; some more wait, in order. */
export interface Turns {
  /** Asks for a turn; `undefined` if too many wait already. */
  take(): Turn | undefined;
}

/** A turn, or the place of somebody who waits for one. */
export interface Turn {
  /** Whether it came; `false` after cancel(). */
  readonly came: Promise<boolean>;
  /** Gives the place up if the turn has not come yet. */
  cancel(): void;
  /** Lets the next one in, once the turn came. */
  end(): void;
}

/** Creates turns for `maxRunning` at a time and `maxWaiting` more. */
export function createTurns(maxRunning: number, maxWaiting: number): Turns {
  const waiting = new Set<() => void>();
  let running = 0;

  function letNextIn(): void {
    const [next] = waiting;
    if (next === undefined || running >= maxRunning) return;
    waiting.delete(next);
    running += 1;
    next();
  }

  return {
    take() {
      if (running >= maxRunning && waiting.size >= maxWaiting) return undefined;
      let isIn = false;
      let resolve: (came: boolean) => void = () => {};
      const came = new Promise<boolean>((settle) => {
        resolve = settle;
      });
      const enter = (): void => {
        isIn = true;
        resolve(true);
      };
      waiting.add(enter);
      letNextIn();
      return {
        came,
        cancel() {
          if (waiting.delete(enter)) resolve(false);
        },
        end() {
          if (!isIn) return;
          isIn = false;
          running -= 1;
          letNextIn();
        },
      };
    },
  };
}
