// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { json, page } from "../../support/issuer.js";
import { type Attack, type Scene, stoppedBy } from "../attack.js";
import { attackerEs256, attackerUrl, claims, es256, header, issuerUrl, mint, otherIssuerUrl } from "../lab/mint.js";

const unavailable = "AUTHORIZATION_SERVER_UNAVAILABLE";
const metadata = stoppedBy("metadata-issuer", "OpenID Connect Discovery 1.0 §4.3, RFC 8414 §3.3", unavailable);
const location = stoppedBy("key-set-location", "RFC 8414 §2, RFC 7517 §9.1", unavailable);
const size = stoppedBy("key-set-size", "CWE-400", unavailable);
const keysUrl = `${issuerUrl}/keys`;

/** The metadata that somebody gave in the issuer's place, from the start. */
const answered = (document: Readonly<Record<string, unknown>>): Pick<Attack, "world" | "outbound"> => ({
  world: { metadata: json(document) },
  outbound: 2,
});
const good = (): string => mint();
const lasting = (): string => mint(claims({ exp: 2 ** 33 }));
const byAttacker = (): string => mint(claims(), header(), attackerEs256);
/** The keys are so old that they are fetched before anything is verified. */
const refetched = (answer: Scene["world"]["issuer"]["jwks"]): Pick<Attack, "before" | "outbound"> => ({
  outbound: 120,
  async before({ world }) {
    world.issuer.jwks = answer;
    world.clock.advance(3_700_000);
  },
});

export const keySets: readonly Attack[] = [
  metadata("the metadata say another issuer", good, answered({ issuer: otherIssuerUrl, jwks_uri: keysUrl })),
  metadata("the metadata say our issuer with a slash", good, answered({ issuer: `${issuerUrl}/`, jwks_uri: keysUrl })),
  metadata(
    "the metadata say our issuer in upper case",
    good,
    answered({ issuer: "https://LOGIN.example.com", jwks_uri: keysUrl }),
  ),
  metadata(
    "the metadata say our issuer with its port",
    good,
    answered({ issuer: `${issuerUrl}:443`, jwks_uri: keysUrl }),
  ),
  location(
    "the keys are fetched without TLS, from somebody on the way",
    byAttacker,
    answered({ issuer: issuerUrl, jwks_uri: "http://attacker.example.net/keys" }),
  ),
  size(
    "the key set has a megabyte",
    lasting,
    refetched(async () => Response.json({ keys: [es256.publicJwk], padding: "x".repeat(1_000_000) })),
  ),
  size(
    "the key set has a good key, and 5,000 others",
    lasting,
    refetched(async () =>
      Response.json({
        keys: [
          es256.publicJwk,
          ...Array.from({ length: 5_000 }, (_, at) => ({ ...attackerEs256.publicJwk, kid: `k-${at}` })),
        ],
      }),
    ),
  ),
  stoppedBy("key-age", "RFC 7517 §5", unavailable)(
    "a page comes in the place of the keys",
    lasting,
    refetched(page(200)),
  ),
  stoppedBy("key-age", "RFC 7517 §5", unavailable)(
    "the keys have moved to the attacker",
    lasting,
    refetched(async () => new Response(null, { status: 302, headers: { location: `${attackerUrl}/keys` } })),
  ),
];
