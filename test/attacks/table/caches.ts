// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { type Attack, control, type Scene, stoppedBy } from "../attack.js";
import { mutateText } from "../lab/handlers-text.js";
import {
  attackerEs256,
  claims,
  es256,
  good,
  header,
  mint,
  mintWith,
  otherIssuerUrl,
  partsOf,
  rs256,
  start,
} from "../lab/mint.js";

const cached = "RFC 7519 §4.1.4, CWE-613";
const expired = stoppedBy("cached-expiry", cached, "TOKEN_EXPIRED");
const whole = stoppedBy("cached-whole-token", "CWE-1023");
const issuers: typeof whole = (name, forge, more) =>
  stoppedBy("keys-of-the-issuer", "RFC 8725 §3.8")(name, forge, {
    world: { secondIssuer: true },
    ...more,
  });
const warm = async ({ call }: Scene): Promise<void> => void (await call(good));
const [head, payload, signature] = partsOf(good);
// One token: ES256 signs the same claims otherwise each time.
const readOnly = mintWith({ scope: "vault:read" });
const spelledOtherwise = `${good.slice(0, -1)}${good.endsWith("A") ? "B" : "A"}`;
const changing = { fields: [["authorization", `Bearer ${good}`]], text: mutateText } as const;
const passes =
  (ms: number) =>
  async (scene: Scene): Promise<void> => {
    await warm(scene);
    scene.world.clock.advance(ms);
  };
/** A token of the other issuer, whose key has the same key id as ours. */
const foreign = (changes: Record<string, unknown> = {}, key = attackerEs256): string =>
  mint(claims({ iss: otherIssuerUrl, ...changes }), header({}, key), key);

export const caches: readonly Attack[] = [
  expired("a token that was good expires", () => good, { before: passes(306_000) }),
  expired("a token that was good 1 ms ago expires", () => good, { before: passes(305_000) }),
  expired("a token that was good expires, and the clock jumps", () => good, {
    async before(scene) {
      await warm(scene);
      scene.world.clock.jump(400_000);
    },
  }),
  control("a token that was good is good again, before it expires", cached, () => good, { before: passes(304_999) }),
  stoppedBy("cached-not-before", "RFC 7519 §4.1.5", "TOKEN_NOT_YET_VALID")(
    "the clock is set back to before a token was issued",
    () => good,
    {
      async before(scene) {
        await warm(scene);
        scene.world.clock.jump(-60_000);
      },
    },
  ),
  whole("a token has the payload and header of a good one, and another signature", () => withLast(good), {
    before: warm,
  }),
  whole(
    "a token has the last 300 characters of a good one",
    () => `${partsOf(mintWith({ scope: "vault:admin vault:read" }))[0]}x.${payload}.${signature}`,
    { before: warm },
  ),
  whole(
    "a token has the first half of a good one",
    () => `${head}.${payload}.${partsOf(mint(claims({ jti: "other" })))[2]}`,
    { before: warm },
  ),
  whole("a token is a good one without its last character", () => good.slice(0, -1), { before: warm }),
  whole("a token is a good one and one character more", () => `${good}A`, { before: warm }),
  whole("a token is a good one, spelled otherwise in its last character", () => spelledOtherwise, { before: warm }),
  whole("a token is a good one with padding", () => `${good}==`, { before: warm }),
  whole("a token is a good one in upper case", () => good.toUpperCase(), { before: warm }),
  control(
    "a good token is spelled with another case of the scheme",
    "RFC 9110 §11.1",
    () => ({ fields: [["authorization", `BEARER ${good}`]] }),
    { before: warm },
  ),
  control("a bad token of the same signature came before a good one", "CWE-1023", () => good, {
    async before({ call }) {
      await call(`${head}.${partsOf(mintWith({ scope: "x" }))[1]}.${signature}`);
      await call(`${good}A`);
    },
  }),
  control(
    "a token was refused as long as its key was unknown, and the key is published now",
    "RFC 7517 §5",
    () => mint(claims(), header({}, es256)),
    {
      world: { keys: [rs256] },
      outbound: 60,
      async before({ world, call }) {
        await call(good);
        world.issuer.publish(rs256, es256);
        world.clock.advance(31_000);
      },
    },
  ),
  control("a token was not valid yet, and is now", "RFC 7519 §4.1.5", () => mintWith({ nbf: start + 60 }), {
    async before({ world, call }) {
      await call(mintWith({ nbf: start + 60 }));
      world.clock.advance(60_000);
    },
  }),
  stoppedBy("cached-scopes", "CVE-2021-32701", "SCOPE_INSUFFICIENT")(
    "a token that opened one RPC is used for another",
    () => readOnly,
    {
      service: "Ledger",
      async before({ world }) {
        await authorizeVault(world, readOnly);
      },
    },
  ),
  stoppedBy("cached-audience", "CWE-863")("a token that was good for one audience is used for another", () => good, {
    service: "Hall",
    async before({ world }) {
      await authorizeVault(world, good);
    },
  }),
  stoppedBy("frozen-principal", "CWE-471", "SCOPE_INSUFFICIENT")(
    "a handler gave its principal more scopes, and the token comes again",
    () => readOnly,
    {
      service: "Ledger",
      async before({ callOther }) {
        await callOther("Vault", {
          fields: [["authorization", `Bearer ${readOnly}`]],
          text: mutateText,
        });
      },
    },
  ),
  stoppedBy("frozen-principal", "CWE-471", "TOKEN_EXPIRED")(
    "a handler made its principal last for ever, and the token comes again when it expired",
    () => good,
    {
      async before({ world, call }) {
        await call(changing);
        world.clock.advance(306_000);
      },
    },
  ),

  issuers("a token says one issuer and is signed by the key of the other, under the same key id", () =>
    mint(claims({ iss: otherIssuerUrl })),
  ),
  issuers("a token says our issuer and is signed by the key of the other, under the same key id", () =>
    mint(claims(), header(), attackerEs256),
  ),
  issuers("the other issuer's token was accepted, and now says ours", () => mint(claims(), header(), attackerEs256), {
    outbound: 60,
    async before({ call }) {
      await call(foreign());
    },
  }),
  control("the other issuer is trusted as well", "RFC 8725 §3.8", () => foreign(), {
    world: { secondIssuer: true },
    outbound: 60,
  }),
];

function withLast(token: string): string {
  const [first, second, third] = partsOf(token);
  return `${first}.${second}.${third.startsWith("A") ? "B" : "A"}${third.slice(1)}`;
}

async function authorizeVault({ resourceServer }: Scene["world"], token: string): Promise<void> {
  const rule = resourceServer.rules.all.find(({ rpc }) => rpc === "test.v1.Vault/Read");
  if (rule === undefined) throw new Error("no rule");
  const { method, rpc } = rule;
  const decision = await resourceServer.authorize({
    method,
    rpc,
    authorization: `Bearer ${token}`,
    protocol: "connect",
  });
  if (!decision.allowed) throw new Error("refused");
}
