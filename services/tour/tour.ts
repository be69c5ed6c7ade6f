// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import type { RunningMesh } from "../mesh.js";
import type { Journal } from "./journal.js";
import { placeAnOrder } from "./place-an-order.js";
import { refusals, type Step } from "./refusals.js";
import { bad, bold, dim, formatDecision, good } from "./report.js";

/** Walks through the mesh, in the terminal. Returns how many steps did not come out as they should. */
export async function runTour(mesh: RunningMesh, journal: Journal): Promise<number> {
  console.log(bold("meshauth: three services, one authorization server, scopes from the protos"));
  console.log(dim(`  authorization server ${mesh.issuer}`));
  console.log(dim(`  order ${mesh.orderUrl}, payment ${mesh.paymentUrl}, inventory ${mesh.inventoryTarget}`));
  const steps: readonly Step[] = [placeAnOrder, ...refusals];
  let failures = 0;
  for (const [index, step] of steps.entries()) {
    journal.take();
    console.log(`\n${bold(`${index + 1}. ${step.title}`)}`);
    const problem = await run(step, mesh);
    for (const event of journal.take()) console.log(formatDecision(event));
    console.log(problem === undefined ? good("  ✓ as it should be") : bad(`  ✗ ${problem}`));
    if (problem !== undefined) failures += 1;
  }
  console.log(
    failures === 0
      ? good(`\n${steps.length} of ${steps.length} steps came out as they should`)
      : bad(`\n${failures} steps went wrong`),
  );
  return failures;
}

async function run(step: Step, mesh: RunningMesh): Promise<string | undefined> {
  try {
    return await step.run(mesh, (line) => console.log(line));
  } catch (error) {
    return `unexpected: ${String(error)}`;
  }
}
