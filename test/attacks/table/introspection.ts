// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { type Answer, down, encodePart, json, page } from "../../support/issuer.js";
import { type Attack, control, type Forged, type Scene, stoppedBy, type Verdict } from "../attack.js";
import { assemble } from "../lab/forge.js";
import { attackerUrl, claims, good, hallAudience, header, otherIssuerUrl, start } from "../lab/mint.js";

const opaque = "2YotnFZFEjr1zCsicMWpAA2YotnFZFEjr1zCsicMWpAA";
const plain = (): Forged => opaque;
const active = (changes: Readonly<Record<string, unknown>> = {}): Readonly<Record<string, unknown>> => ({
  active: true,
  token_type: "Bearer",
  ...claims(changes),
});

type Row = (name: string, answer: Answer | Readonly<Record<string, unknown>>) => Attack;

/** Rows in which the authorization server answers something to whoever asks about the token: once, for all ways to call. */
function answered(guard: string, reference: string, verdict: Verdict = "TOKEN_INVALID"): Row {
  return (name, answer) =>
    stoppedBy(guard, reference, verdict)(`the token is opaque, and ${name}`, plain, {
      world: { introspects: typeof answer === "function" ? answer : json(answer) },
      outbound: 1,
    });
}

const inactive = answered("introspection-active", "RFC 7662 §2.2");
const unreadable = answered("introspection-active", "RFC 7662 §2.2", "AUTHORIZATION_SERVER_UNAVAILABLE");
const outage = answered("introspection-outage", "RFC 7662 §2.3", "AUTHORIZATION_SERVER_UNAVAILABLE");
const usage = answered("introspection-token-type", "RFC 7662 §2.2, RFC 9449 §6.2");
const typed =
  (type: string, body: string): Answer =>
  async () =>
    new Response(body, { headers: { "content-type": type } });
const wasActive = async ({ call }: Scene): Promise<void> => void (await call(opaque));

export const introspection: readonly Attack[] = [
  control("the token is opaque and active", "RFC 7662 §2.2", plain, {
    world: { introspects: json(active()) },
    outbound: 1,
  }),
  inactive("active is false", { ...active(), active: false }),
  unreadable("active is the text true", { ...active(), active: "true" }),
  unreadable("active is 1", { ...active(), active: 1 }),
  unreadable("active is null", { ...active(), active: null }),
  unreadable("active is a list with true in it", { ...active(), active: [true] }),
  unreadable("active is missing", { ...active(), active: undefined }),
  outage("the answer is a page", typed("text/html", "<title>Sign in</title>")),
  outage("the answer is JSON, and says that it is a page", typed("text/html", JSON.stringify(active()))),
  outage(
    "the answer is a JWT that nobody verified",
    typed("application/token-introspection+jwt", assemble({ alg: "none" }, { token_introspection: active() })),
  ),
  outage("the answer is JSON that is cut off", typed("application/json", JSON.stringify(active()).slice(0, 40))),
  outage("the answer is a list", async () => Response.json([active()])),
  outage(
    "the answer is a redirect to the attacker",
    async () => new Response(null, { status: 302, headers: { location: `${attackerUrl}/introspect` } }),
  ),
  outage("the answer says active with status 500", async () => Response.json(active(), { status: 500 })),
  outage("the answer says active with status 401", async () => Response.json(active(), { status: 401 })),
  outage("nobody answers", down),
  outage("a proxy answers", page(502)),

  answered("audience", "RFC 7662 §4")("is for another audience", active({ aud: hallAudience })),
  answered("audience", "RFC 7662 §4")("says no audience", active({ aud: undefined })),
  answered("issuer", "RFC 7662 §4")("is of another issuer", active({ iss: otherIssuerUrl })),
  answered("exp-form", "RFC 7662 §2.2")("has no exp", active({ exp: undefined })),
  answered("expiry", "RFC 7662 §4", "TOKEN_EXPIRED")("has expired, and is called active", active({ exp: start - 60 })),
  answered(
    "not-before",
    "RFC 7662 §4",
    "TOKEN_NOT_YET_VALID",
  )("is not valid yet, and is called active", active({ nbf: start + 60 })),
  answered("client-id", "RFC 7662 §2.2")("says no client", active({ client_id: undefined })),
  answered("other-use", "RFC 7662 §2.2")("is a refresh token", active({ token_use: "refresh_token" })),
  answered("key-binding", "RFC 8705 §3.2")(
    "is bound to a certificate",
    active({ cnf: { "x5t#S256": "A4DtL2JmUMhAsvJj5tKyn64SqzmuXbMrJa0n761y5v0" } }),
  ),
  answered("scopes", "RFC 7662 §2.2", "SCOPE_INSUFFICIENT")("has no scope", active({ scope: undefined })),
  usage("is of a type that is none", active({ token_type: "mac" })),
  usage("is a refresh token by its type", active({ token_type: "refresh_token" })),
  usage("is of type DPoP, and bound to nothing", active({ token_type: "DPoP" })),
  usage("its type is a list", active({ token_type: ["Bearer"] })),

  stoppedBy("introspection-age", "RFC 7662 §4, RFC 7009")(
    "an opaque token was active, and was revoked a minute ago",
    plain,
    {
      world: { introspects: json(active()) },
      outbound: 60,
      async before(scene) {
        await wasActive(scene);
        scene.world.introspects = json({ active: false });
        scene.world.clock.advance(60_000);
      },
    },
  ),
  stoppedBy("introspection-age", "RFC 7662 §4", "AUTHORIZATION_SERVER_UNAVAILABLE")(
    "an opaque token was active a minute ago, and nobody answers any more",
    plain,
    {
      world: { introspects: json(active()) },
      outbound: 60,
      async before(scene) {
        await wasActive(scene);
        scene.world.introspects = down;
        scene.world.clock.advance(60_000);
      },
    },
  ),
  control("an opaque token was active a moment ago, and nobody answers any more", "RFC 7662 §4", plain, {
    world: { introspects: json(active()) },
    outbound: 60,
    async before(scene) {
      await wasActive(scene);
      scene.world.introspects = down;
      scene.world.clock.advance(59_000);
    },
  }),
  stoppedBy("jwt-kind", "RFC 7662 §4, RFC 8725 §3.1")(
    "a JWT that nobody signed comes where opaque tokens are asked about",
    () => assemble(header({ alg: "none" }), claims(), "AAAA"),
    { world: { introspects: json(active()) } },
  ),
  stoppedBy("jwt-kind", "RFC 7662 §4, RFC 8725 §3.1")(
    "a JWT of another issuer comes where opaque tokens are asked about",
    () => `${encodePart(header())}.${encodePart(claims({ iss: attackerUrl }))}.AAAA`,
    { world: { introspects: json(active()) } },
  ),
  control("a good JWT comes where opaque tokens are asked about, and nobody asks", "RFC 9068 §4", () => good, {
    world: { introspects: down },
  }),
  stoppedBy("introspection-cooldown", "RFC 7662 §4, CWE-770", "AUTHORIZATION_SERVER_UNAVAILABLE")(
    "opaque tokens that were made up come one after the other while nobody answers",
    () => `${opaque}-last`,
    {
      world: { introspects: down },
      outbound: 26,
      async before({ call }) {
        for (let at = 0; at < 5; at++) await call(`${opaque}-${at}`);
      },
    },
  ),
];
