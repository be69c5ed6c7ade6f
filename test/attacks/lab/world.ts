// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { clientSecret } from "../../../src/credentials/client-secret.js";
import type { DecisionEvent } from "../../../src/verification/decision/decision.js";
import { createNonceSource } from "../../../src/verification/dpop/nonce-source.js";
import { createResourceServer, type ResourceServer } from "../../../src/verification/resource-server.js";
import type { IssuerOptions } from "../../../src/verification/trusted-issuer.js";
import { createFakeClock, type FakeClock } from "../../support/fake-clock.js";
import { type Answer, createIssuer, json, page, type TestIssuer } from "../../support/issuer.js";
import type { WorldOptions } from "../attack.js";
import { attackerEs256, attackerRs256, attackerUrl, issuerUrl, otherIssuerUrl, published, start } from "./mint.js";
import { proofOrigin } from "./proofs.js";
import { services } from "./vault.js";

/** A resource server and all that it looks at: nothing of one attack is left for the next. */
export interface World {
  readonly resourceServer: ResourceServer;
  readonly clock: FakeClock;
  readonly issuer: TestIssuer;
  readonly otherIssuer: TestIssuer;
  /** What the issuer answers to whoever asks about an opaque token. */
  introspects: Answer;
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
  issuer.discovery = json({ issuer: issuerUrl, jwks_uri: issuer.jwksUri, introspection_endpoint: introspectionUrl });
  if (options.metadata !== undefined) issuer.discovery = options.metadata;
  const clock = createFakeClock(start * 1000 - (options.keyAgeMs ?? 60_000));
  const decisions: DecisionEvent[] = [];
  let sent = 0;
  const fetchFrom: typeof fetch = (input, init) => {
    sent += 1;
    const url = input instanceof Request ? input.url : String(input);
    if (url === introspectionUrl) return world.introspects(init?.signal ?? undefined);
    const { origin, pathname } = new URL(url);
    const host = [issuer, otherIssuer].find((each) => each.url === origin);
    return host?.fetch(input, init) ?? attacker.fetch(`${attackerUrl}${pathname}`, init);
  };
  const resourceServer = createResourceServer({
    services,
    issuers: issuersOf(options),
    ...(options.dpop && {
      dpop: { origin: proofOrigin, ...(options.dpop === "nonce" && { nonce: createNonceSource({ clock }) }) },
    }),
    fetch: fetchFrom,
    clock,
    onDecision: (event) => decisions.push(event),
  });
  await resourceServer.ready().catch(() => {});
  clock.advance(options.keyAgeMs ?? 60_000);
  const whenReady = sent;
  const world: World = {
    resourceServer,
    clock,
    issuer,
    otherIssuer,
    introspects: options.introspects ?? page(404),
    decisions,
    get outbound() {
      return sent - whenReady;
    },
  };
  return world;
}

const introspectionUrl = `${issuerUrl}/introspect`;

function issuersOf(options: WorldOptions): readonly IssuerOptions[] {
  const { provider, algorithms, secondIssuer = false, introspects } = options;
  const ours = {
    issuer: issuerUrl,
    ...(provider && { provider }),
    ...(algorithms && { algorithms }),
    ...(introspects && {
      introspection: { clientId: "vault", credential: clientSecret("introspection-secret-of-vault") },
    }),
  };
  return secondIssuer ? [ours, { issuer: otherIssuerUrl }] : [ours];
}
