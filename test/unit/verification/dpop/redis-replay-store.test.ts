// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createRedisReplayStore } from "../../../../src/verification/dpop/redis-replay-store.js";
import { createFakeClock } from "../../../support/fake-clock.js";
import { connectToRedis, hasRedis, type RedisClient, type RedisServer, startRedis } from "../../../support/redis.js";
import { createDpopBench, invalidProof } from "./dpop-bench.js";

describe("a replay store in Redis", () => {
  it("adds a key that expires, unless it is there", async () => {
    const commands: (readonly string[])[] = [];
    const answers = ["OK", Buffer.from("OK"), null];
    const store = createRedisReplayStore({
      async command(args) {
        commands.push(args);
        return answers.shift();
      },
    });
    expect(await store.add("a", 70_000.2)).toBe("new");
    expect(await store.add("a", 70_000)).toBe("new");
    expect(await store.add("a", 1)).toBe("seen");
    expect(commands).toEqual([
      ["SET", "meshauth:dpop:a", "1", "PX", "70001", "NX"],
      ["SET", "meshauth:dpop:a", "1", "PX", "70000", "NX"],
      ["SET", "meshauth:dpop:a", "1", "PX", "1", "NX"],
    ]);
  });

  it("takes another prefix", async () => {
    let key: string | undefined;
    const store = createRedisReplayStore({
      prefix: "payments:",
      async command([, name]) {
        key = name;
        return "OK";
      },
    });
    await store.add("a", 1);
    expect(key).toBe("payments:a");
  });

  it.each([undefined, 0, 1, "QUEUED", "", [], {}])("does not take %j for an answer", async (answer) => {
    const store = createRedisReplayStore({ command: async () => answer });
    await expect(store.add("a", 1)).rejects.toThrow("Redis answered with neither OK nor nil");
  });

  it("waits for an answer for a second, and no longer", async () => {
    const clock = createFakeClock();
    const store = createRedisReplayStore({ command: () => new Promise(() => {}), clock });
    const answer = expect(store.add("a", 1)).rejects.toMatchObject({ code: "ETIMEDOUT" });
    expect(clock.pending).toBe(1);
    clock.advance(999);
    expect(clock.pending).toBe(1);
    clock.advance(1);
    await answer;
  });

  it.each<[string, () => Promise<unknown>]>([
    ["answers", async () => "OK"],
    ["fails", () => Promise.reject(new Error("no"))],
    [
      "throws",
      () => {
        throw new Error("no");
      },
    ],
  ])("leaves no timer behind when Redis %s", async (_, command) => {
    const clock = createFakeClock();
    await Promise.allSettled([createRedisReplayStore({ command, clock }).add("a", 1)]);
    expect(clock.pending).toBe(0);
  });

  it.each([
    [{}, "command is missing; give what sends a command to Redis"],
    [{ command: async () => "OK", timeoutMs: 0 }, "timeoutMs is 0; give a number of milliseconds above 0"],
    [
      { command: async () => "OK", timeoutMs: Infinity },
      "timeoutMs is Infinity; give a number of milliseconds above 0",
    ],
  ])("cannot be created with %j", (options, message) => {
    expect(() => createRedisReplayStore(options as never)).toThrow(new TypeError(message));
  });
});

describe.skipIf(!hasRedis())("a replay store in a real Redis (skipped without redis-server on the PATH)", () => {
  let server: RedisServer;
  let clients: RedisClient[];
  beforeAll(async () => {
    server = await startRedis();
    clients = [await connectToRedis(server.port), await connectToRedis(server.port)];
  });
  afterAll(async () => {
    for (const client of clients) client.close();
    await server.stop();
  });

  const storeOf = (client: RedisClient | undefined): ReturnType<typeof createRedisReplayStore> =>
    createRedisReplayStore({ command: (args) => client?.command(args) ?? Promise.reject(new Error("no client")) });

  it("knows a proof that another replica has seen, until it has expired", async () => {
    const [one, two] = clients.map(storeOf);
    expect(await one?.add("shared", 60_000)).toBe("new");
    expect(await two?.add("shared", 60_000)).toBe("seen");
    const ttl = await clients[0]?.command(["PTTL", "meshauth:dpop:shared"]);
    expect(ttl).toBeGreaterThan(0);
    expect(ttl).toBeLessThanOrEqual(60_000);
    await clients[0]?.command(["PEXPIRE", "meshauth:dpop:shared", "0"]);
    expect(await two?.add("shared", 60_000)).toBe("new");
  });

  it("tells one of many replicas that a proof is new", async () => {
    const stores = clients.map(storeOf);
    const verdicts = await Promise.all(
      Array.from({ length: 40 }, (_, index) => stores[index % 2]?.add("raced", 60_000)),
    );
    expect(verdicts.filter((verdict) => verdict === "new")).toHaveLength(1);
  });

  it("is full when Redis is, and lets no call through", async () => {
    await clients[0]?.command(["CONFIG", "SET", "maxmemory", "1"]);
    const { check, mint } = createDpopBench({ replayStore: storeOf(clients[0]) });
    expect(await check(mint())).toMatchObject({
      reason: "AUTHORIZATION_SERVER_UNAVAILABLE",
      cause: "the replay store failed",
    });
    await clients[0]?.command(["CONFIG", "SET", "maxmemory", "0"]);
    expect(await check(mint())).toBeUndefined();
  });

  it("refuses a proof at a second replica, and every proof once Redis is gone", async () => {
    const [one, two] = clients.map((client) => createDpopBench({ replayStore: storeOf(client) }));
    const proof = one?.mint() ?? "";
    expect(await one?.check(proof)).toBeUndefined();
    expect(await two?.check(proof)).toEqual(invalidProof("the DPoP proof was used before"));
    await server.stop();
    expect(await one?.check(one.mint())).toMatchObject({ reason: "AUTHORIZATION_SERVER_UNAVAILABLE" });
    expect(await two?.check(proof)).toMatchObject({ reason: "AUTHORIZATION_SERVER_UNAVAILABLE" });
  });
});
