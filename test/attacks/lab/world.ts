// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import type { DecisionEvent } from "../../../src/verification/decision.js";
import { createResourceServer, type ResourceServer } from "../../../src/verification/resource-server.js";
import type { IssuerOptions } from "../../../src/verification/trusted-issuer.js";
import { createFakeClock, type FakeClock } from "../../support/fake-clock.js";
import { createIssuer, json, type TestIssuer } from "../../support/issuer.js";
import type { WorldOptions } from "../attack.js";
import { attackerEs256, attackerRs256, attackerUrl, issuerUrl, otherIssuerUrl, published, start } from "./mint.js";
import { services } from "./vault.js";

/** A resource server and all that it looks at: nothing of one attack is left for the next. */
export interface World {
  readonly resourceServer: ResourceServer;
  readonly clock: FakeClock;
  readonly issuer: TestIssuer;
  readonly otherIssuer: TestIssuer;
  readonly decisions: DecisionEvent[];
  /** How many requests left the resource server since it was ready, to whatever host. */
  readonly outbound: number;
}

export async function createWorld(options: WorldOptions = {}): Promise<World> {
  const issuer = createIssuer(issuerUrl, ...(options.keys ?? published));
  const otherIssuer = createIssuer(otherIssuerUrl, attackerEs256, attackerRs256);
  // Whoever asks the attacker gets the keys that the attacker signs with.
  const attacker = createIssuer(attackerUrl, attackerEs256, attackerRs256);
  attacker.discovery = json({ issuer: issuerUrl, jwks_uri: attacker.jwksUri });
  const clock = createFakeClock(start * 1000 - (options.keyAgeMs ?? 60_000));
  const decisions: DecisionEvent[] = [];
  let sent = 0;
  const fetchFrom: typeof fetch = (input, init) => {
    sent += 1;
    const { origin } = new URL(input instanceof Request ? input.url : String(input));
    const host = [issuer, otherIssuer].find(({ url }) => url === origin) ?? attacker;
    return host.fetch(input, init);
  };
  const resourceServer = createResourceServer({
    services,
    issuers: issuersOf(options),
    fetch: fetchFrom,
    clock,
    onDecision: (event) => decisions.push(event),
  });
  await resourceServer.ready().catch(() => {});
  clock.advance(options.keyAgeMs ?? 60_000);
  const whenReady = sent;
  return {
    resourceServer,
    clock,
    issuer,
    otherIssuer,
    decisions,
    get outbound() {
      return sent - whenReady;
    },
  };
}

function issuersOf({ provider, algorithms, secondIssuer = false }: WorldOptions): readonly IssuerOptions[] {
  const ours = { issuer: issuerUrl, ...(provider && { provider }), ...(algorithms && { algorithms }) };
  return secondIssuer ? [ours, { issuer: otherIssuerUrl }] : [ours];
}
