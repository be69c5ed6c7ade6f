// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { type Caller, createCaller } from "./lab/call.js";
import { type Lab, startLab } from "./lab/servers.js";
import { tryAttack } from "./lab/trial.js";
import { watchOutput } from "./lab/watch-output.js";
import { createWorld } from "./lab/world.js";
import { families } from "./table/index.js";

vi.setConfig({ testTimeout: 15_000 });

let lab: Lab;
let caller: Caller;

beforeAll(async () => {
  lab = await startLab(await createWorld());
  caller = createCaller(lab);
});

afterAll(() => {
  caller.close();
  lab.close();
});

/** With it, only the rows of one guard run, and each only until something goes wrong. */
const guard = process.env["MESHAUTH_ATTACKS_GUARD"];

const chosen = Object.entries(families)
  .map(([family, attacks]) => ({
    family,
    attacks: attacks.filter((row) => guard === undefined || row.guard === guard),
  }))
  .filter(({ attacks }) => attacks.length > 0);

describe.each(chosen)("$family", ({ attacks }) => {
  for (const attack of attacks) {
    it(`${attack.name}: ${attack.verdict}`, async () => {
      const problems = await tryAttack({ lab, caller, said: watchOutput(), isHasty: guard !== undefined }, attack);
      expect(problems).toEqual([]);
    });
  }
});
