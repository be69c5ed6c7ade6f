// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { down, hmacToken, json, page } from "../../support/issuer.js";
import { type Attack, control, stoppedBy } from "../attack.js";
import { claims, ed25519, es256, good, header, mint, mintUnder, rs256 } from "../lab/mint.js";
import { publicExponentOne, smallOrderKey, symmetricJwk, weakRsa, weakRsaToken } from "../lab/weak-keys.js";

const byId = stoppedBy("key-id", "RFC 7515 §4.1.4");
const kidType = stoppedBy("key-id-type", "RFC 7515 §4.1.4");
const weak = stoppedBy("weak-keys", "RFC 7518 §3.3");
const secret = stoppedBy("secret-keys", "RFC 7517 §9.2");
const kid = (value: unknown): string => mintUnder({ kid: value });
/** The unknown key is looked for once, however many ask for it. */
const once = { outbound: 1 };

export const keys: readonly Attack[] = [
  byId("kid names a key that there is not", () => kid("es-2"), once),
  byId("kid leads out of a folder", () => kid("../../../../dev/null"), { ...once, reference: "CWE-22" }),
  byId("kid is an SQL injection", () => kid("x' UNION SELECT 'secret"), once),
  byId("kid is a command", () => kid("es-1|whoami"), once),
  byId("kid is a URL of the attacker", () => kid("https://attacker.example.net/keys"), once),
  byId("kid is __proto__", () => kid("__proto__"), { ...once, reference: "CWE-1321" }),
  byId("kid is constructor", () => kid("constructor"), { ...once, reference: "CWE-1321" }),
  byId("kid is hasOwnProperty", () => kid("hasOwnProperty"), { ...once, reference: "CWE-1321" }),
  byId("kid is the empty string", () => kid(""), once),
  byId("kid is the good one in upper case", () => kid("ES-1"), once),
  byId("kid is the good one with a blank behind it", () => kid("es-1 "), once),
  byId("kid is the good one with a NUL behind it", () => kid("es-1\u0000"), once),
  byId("kid is the good one in full-width letters", () => kid("\uff45\uff53-1"), once),
  byId("kid is a prefix of the good one", () => kid("es"), once),
  byId("kid is 9,000 characters long", () => mint(claims(), header({ kid: "k".repeat(9_000) })), once),
  byId("kid is that of a key of another type", () => kid(rs256.kid), once),
  kidType("kid is a number", () => kid(0)),
  kidType("kid is null", () => kid(null)),
  kidType("kid is a list with the good one in it", () => kid(["es-1"])),
  kidType("kid is an object", () => kid({ $ne: null })),
  kidType("kid is true", () => kid(true)),
  control("kid is missing, and one key fits", "RFC 7515 §4.1.4", () => kid(undefined)),

  weak("the issuer publishes an RSA key of 1,024 bits", () => weakRsaToken(), {
    world: { keys: [weakRsa] },
    outbound: 1,
  }),
  weak("the issuer publishes an RSA key whose exponent is 1", () => publicExponentOne.token, {
    reference: "CWE-326",
    world: { keys: [publicExponentOne.jwk] },
    outbound: 1,
  }),
  weak("the issuer publishes an Ed25519 key of small order, for which everybody can sign", () => smallOrderKey.token, {
    reference: "RFC 8032 §8.9 (small-order points)",
    world: { keys: [smallOrderKey.jwk] },
    outbound: 1,
  }),
  secret("the issuer publishes its private key", () => good, {
    world: {
      keys: [
        { ...(es256.privateKey.export({ format: "jwk" }) as typeof es256.publicJwk), kid: es256.kid, alg: "ES256" },
      ],
    },
    outbound: 1,
  }),
  secret(
    "the issuer publishes a secret, and the token is signed with it",
    () => hmacToken(Buffer.from(symmetricJwk.k ?? "", "base64url"), header({ alg: "HS256", kid: "oct-1" }), claims()),
    {
      world: { keys: [symmetricJwk, es256] },
    },
  ),
  control("the issuer publishes keys of kinds that nobody knows beside a good one", "RFC 7517 §5", () => good, {
    world: {
      keys: [{ kty: "AKP", kid: "pq" }, { kty: "EC", kid: "x", crv: "P-256", x: "AA", y: "AA" }, symmetricJwk, es256],
    },
  }),

  stoppedBy("key-removal", "RFC 7517 §5")("the key was withdrawn, and the keys were fetched anew", () => good, {
    outbound: 60,
    async before({ world, call }) {
      await call(good);
      world.issuer.publish(rs256);
      world.clock.advance(121_000);
      // A token of a key that is not known lets the keys be fetched.
      await call(mint(claims(), header({ kid: "new" })));
    },
  }),
  stoppedBy("key-removal", "RFC 7517 §5")("the key was withdrawn, and its key id was given to another", () => good, {
    outbound: 60,
    async before({ world, call }) {
      await call(good);
      world.issuer.publish({ ...ed25519.publicJwk, kid: es256.kid }, rs256);
      world.clock.advance(121_000);
      await call(mint(claims(), header({ kid: "new" })));
    },
  }),
  stoppedBy("key-age", "RFC 7517 §5", "AUTHORIZATION_SERVER_UNAVAILABLE")(
    "the keys could not be fetched for so long that a withdrawn one might still be believed",
    () => mint(claims({ exp: 2 ** 33 })),
    {
      outbound: 200,
      async before({ world }) {
        world.issuer.jwks = down;
        world.clock.advance(3_700_000);
      },
    },
  ),
  control(
    "the keys cannot be fetched, and the last good ones are not old",
    "RFC 7517 §5",
    () => mint(claims({ exp: 2 ** 33 })),
    {
      outbound: 60,
      async before({ world }) {
        world.issuer.jwks = page(503);
        world.clock.advance(1_200_000);
      },
    },
  ),
  control(
    "the key set becomes garbage, and the last good keys are not old",
    "RFC 7517 §5",
    () => mint(claims({ exp: 2 ** 33 })),
    {
      outbound: 60,
      async before({ world }) {
        world.issuer.jwks = json({ keys: "none" });
        world.clock.advance(1_200_000);
      },
    },
  ),
  stoppedBy("failure-cooldown", "RFC 8725 §3.10", "AUTHORIZATION_SERVER_UNAVAILABLE")(
    "tokens with unknown key ids come while the keys cannot be fetched",
    () => kid("es-9"),
    {
      outbound: 26,
      async before({ world, call }) {
        world.issuer.jwks = page(500);
        for (let at = 0; at < 5; at++) await call(kid(`es-${at}`));
      },
    },
  ),
  stoppedBy("unknown-key-cooldown", "RFC 8725 §3.10")(
    "tokens with unknown key ids come one after the other",
    () => kid("es-9"),
    {
      outbound: 26,
      async before({ call }) {
        for (let at = 0; at < 5; at++) await call(kid(`es-${at}`));
      },
    },
  ),
];
