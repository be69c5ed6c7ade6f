// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { readConfig } from "./config.js";
import { startMesh } from "./mesh.js";
import { readExampleMesh } from "./shared/example-mesh.js";
import { describeStartupError } from "./startup-error.js";
import { printCommands } from "./tour/commands.js";
import { Journal } from "./tour/journal.js";
import { runTour } from "./tour/tour.js";

/** Starts the mesh and walks through it. Returns the exit code, or nothing to stay up. */
async function main(args: readonly string[]): Promise<number | undefined> {
  const unknown = args.filter((arg) => arg !== "--once");
  if (unknown.length > 0) {
    console.error(`meshauth: unknown argument ${unknown.join(" ")}; there is only --once`);
    return 1;
  }
  const exampleMesh = readExampleMesh();
  const journal = new Journal();
  const mesh = await startMesh({
    config: readConfig(process.env, exampleMesh),
    mesh: exampleMesh,
    onDecision: (event) => journal.add(event),
  });
  const stop = async (code: number): Promise<void> => {
    await mesh.close();
    process.exit(code);
  };
  process.once("SIGINT", () => void stop(0));
  process.once("SIGTERM", () => void stop(0));
  const failures = await runTour(mesh, journal);
  if (args.includes("--once")) {
    await mesh.close();
    return failures === 0 ? 0 : 1;
  }
  printCommands(mesh);
  return undefined;
}

try {
  const code = await main(process.argv.slice(2));
  if (code !== undefined) process.exit(code);
} catch (error) {
  const line = describeStartupError(error);
  console.error(line === undefined ? error : `meshauth: ${line}`);
  process.exit(1);
}
