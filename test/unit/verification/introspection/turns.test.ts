// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { describe, expect, it } from "vitest";
import { createTurns, type Turn } from "../../../../src/verification/introspection/turns.js";
import { settle } from "../../../support/fake-clock.js";

/** Takes a turn, and says what became of it. */
function watch(turn: Turn | undefined): { readonly turn: Turn; came: boolean | undefined } {
  if (turn === undefined) throw new Error("there is no turn");
  const watched: { readonly turn: Turn; came: boolean | undefined } = { turn, came: undefined };
  void turn.came.then((came) => {
    watched.came = came;
  });
  return watched;
}

describe("turns", () => {
  it("come at once for so many, and in order for those who wait", async () => {
    const turns = createTurns(2, 3);
    const all = Array.from({ length: 5 }, () => watch(turns.take()));
    const state = async () => {
      await settle();
      return all.map(({ came }) => came);
    };
    expect(await state()).toEqual([true, true, undefined, undefined, undefined]);
    all[1]?.turn.end();
    expect(await state()).toEqual([true, true, true, undefined, undefined]);
    all[0]?.turn.end();
    all[2]?.turn.end();
    expect(await state()).toEqual([true, true, true, true, true]);
  });

  it("are not given to more than can wait", () => {
    const turns = createTurns(1, 1);
    const [first, second] = [turns.take(), turns.take()];
    expect(second).toBeDefined();
    expect(turns.take()).toBeUndefined();
    first?.end();
    expect(turns.take()).toBeDefined();
    expect(turns.take()).toBeUndefined();
  });

  it("need nobody to wait", () => {
    const turns = createTurns(1, 0);
    const first = turns.take();
    expect(first).toBeDefined();
    expect(turns.take()).toBeUndefined();
    first?.end();
    expect(turns.take()).toBeDefined();
  });

  it("that are given up while they wait never come, and make room", async () => {
    const turns = createTurns(1, 1);
    const first = watch(turns.take());
    const second = watch(turns.take());
    second.turn.cancel();
    const third = watch(turns.take());
    await settle();
    expect(second.came).toBe(false);
    second.turn.end();
    await settle();
    expect(third.came).toBeUndefined();
    first.turn.end();
    await settle();
    expect(third.came).toBe(true);
  });

  it("that came can no longer be given up, and end once", async () => {
    const turns = createTurns(1, 2);
    const [first, second, third] = [watch(turns.take()), watch(turns.take()), watch(turns.take())];
    await settle();
    first.turn.cancel();
    await settle();
    expect([first.came, second.came]).toEqual([true, undefined]);
    first.turn.end();
    first.turn.end();
    await settle();
    expect([second.came, third.came]).toEqual([true, undefined]);
  });
});
