// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { readConfig } from "../../services/config.js";
import { type MeshOptions, type RunningMesh, startMesh } from "../../services/mesh.js";
import { readExampleMesh } from "../../services/shared/example-mesh.js";
import type { DecisionEvent, TokenRequirement } from "../../src/index.js";

const freePorts = {
  AUTHORIZATION_SERVER_PORT: "0",
  ORDER_PORT: "0",
  PAYMENT_PORT: "0",
  INVENTORY_PORT: "0",
};

/** The example mesh on free ports, with what its services decided. */
export interface TestMesh extends RunningMesh {
  readonly decisions: DecisionEvent[];
  /** Value of an `authorization` header for a client. */
  authorization(clientId: string, requirement: TokenRequirement): Promise<string>;
}

/** Starts the example mesh on free ports. */
export async function startTestMesh(options: Partial<MeshOptions> = {}): Promise<TestMesh> {
  const mesh = readExampleMesh();
  const decisions: DecisionEvent[] = [];
  const running = await startMesh({
    config: readConfig(freePorts, mesh),
    mesh,
    onDecision: (event) => decisions.push(event),
    ...options,
  });
  return {
    ...running,
    decisions,
    async authorization(clientId, requirement) {
      return (await running.tokenSource(clientId).get(requirement)).authorization;
    },
  };
}
