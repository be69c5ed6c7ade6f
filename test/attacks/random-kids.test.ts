// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { randomBytes } from "node:crypto";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { describe, expect, it, vi } from "vitest";
import { rpcName } from "../../src/rules/problem.js";
import type { Decision } from "../../src/verification/decision/decision.js";
import { settle } from "../support/fake-clock.js";
import { encodePart, hold, type TestKey } from "../support/issuer.js";
import { attackerEs256, claims, es256, good, header, mint, partsOf, published, rs256 } from "./lab/mint.js";
import { vault } from "./lab/vault.js";
import { createWorld, type World } from "./lab/world.js";

vi.setConfig({ testTimeout: 60_000 });

const [read] = vault.Vault.methods;
if (read === undefined) throw new Error("no RPC");
const method = read;

function authorize({ resourceServer }: World, token: string): Decision | Promise<Decision> {
  return resourceServer.authorize({
    method,
    rpc: rpcName(method),
    authorization: `Bearer ${token}`,
    protocol: "connect",
  });
}

const flood = 10_000;
const [, payload, signature] = partsOf(good);
const randomKid = (): string =>
  `${encodePart(header({ kid: randomBytes(12).toString("hex") }))}.${payload}.${signature}`;
/** Good tokens, none of which was seen before. */
const fresh = (count: number, key: TestKey = es256): string[] =>
  Array.from({ length: count }, (_, at) => mint(claims({ jti: `fresh-${at}` }), header({}, key), key));

setFlagsFromString("--expose-gc");
const collectGarbage = runInNewContext("gc") as () => void;

async function heap(): Promise<number> {
  await settle();
  collectGarbage();
  return process.memoryUsage().heapUsed;
}

describe(`${flood} tokens with random key ids`, () => {
  it("cost at most two requests, keep nothing, and refuse no good call meanwhile", async () => {
    const world = await createWorld();
    const before = await heap();
    const strangers = fresh(200);
    const refused: Decision[] = [];
    const admitted: Decision[] = [];
    for (let sent = 0; sent < flood; sent += 100) {
      // A hundred at a time, with good ones of both kinds in between.
      const attacks = Array.from({ length: 100 }, () => authorize(world, randomKid()));
      const goods = [good, ...strangers.splice(0, 2)].map((token) => authorize(world, token));
      refused.push(...(await Promise.all(attacks)));
      admitted.push(...(await Promise.all(goods)));
      world.decisions.length = 0;
    }
    expect(refused.filter(({ allowed }) => allowed)).toEqual([]);
    expect(new Set(refused.map((decision) => (decision.allowed ? "allowed" : decision.refusal.reason)))).toEqual(
      new Set(["TOKEN_INVALID"]),
    );
    expect(admitted.every(({ allowed }) => allowed)).toBe(true);
    expect(world.outbound).toBeLessThanOrEqual(2);
    refused.length = 0;
    admitted.length = 0;
    expect((await heap()) - before).toBeLessThan(8 * 1024 * 1024);
  });

  it("do not keep good calls waiting while the keys do not come", async () => {
    const world = await createWorld();
    const held = hold(world.issuer.jwks);
    world.issuer.jwks = held.answer;
    const attacks = Array.from({ length: flood }, () => authorize(world, randomKid()));
    for (const token of [good, ...fresh(20)]) expect((await authorize(world, token)).allowed).toBe(true);
    expect(world.outbound).toBe(1);
    held.release();
    expect((await Promise.all(attacks)).some(({ allowed }) => allowed)).toBe(false);
    expect(world.outbound).toBe(1);
  });

  it("cost one request in each half minute if they go on", async () => {
    const world = await createWorld();
    for (let minute = 0; minute < 10; minute++) {
      await Promise.all(Array.from({ length: 100 }, () => authorize(world, randomKid())));
      world.clock.advance(60_000);
    }
    expect(world.outbound).toBeLessThanOrEqual(11);
  });
});

describe("keys that change under load", () => {
  /** Calls with tokens of some keys, while something happens; says how many were refused. */
  async function refusals(world: World, tokens: readonly string[]): Promise<number> {
    const decisions = await Promise.all(
      Array.from({ length: 300 }, (_, at) =>
        authorize(world, at % 3 === 0 ? randomKid() : (tokens[at % tokens.length] ?? "")),
      ),
    );
    return decisions.filter(({ allowed }, at) => at % 3 !== 0 && !allowed).length;
  }
  const lasting = (key: TestKey): string => mint(claims({ exp: 2 ** 33 }), header({}, key), key);

  it("refuse no good call when a key is added, used, and the old one withdrawn", async () => {
    const world = await createWorld({ keys: [es256] });
    expect(await refusals(world, [lasting(es256)])).toBe(0);
    world.issuer.publish(es256, rs256);
    world.clock.advance(31_000);
    expect(await refusals(world, [lasting(es256), lasting(rs256)])).toBe(0);
    world.issuer.publish(rs256);
    world.clock.advance(31_000);
    expect(await refusals(world, [lasting(rs256)])).toBe(0);
    expect((await authorize(world, lasting(es256))).allowed).toBe(false);
  });

  it("refuse no good call while the keys cannot be fetched for most of an hour, and after", async () => {
    const world = await createWorld();
    world.issuer.jwks = async () => new Response("<html>", { status: 502 });
    for (let minute = 0; minute < 58; minute += 2) {
      expect(await refusals(world, [lasting(es256), lasting(rs256)])).toBe(0);
      world.clock.advance(120_000);
    }
    world.issuer.publish(...published);
    expect(await refusals(world, [lasting(es256), lasting(rs256)])).toBe(0);
    expect((await authorize(world, mint(claims(), header(), attackerEs256))).allowed).toBe(false);
  });
});
