// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { generateKeyPairSync } from "node:crypto";
import { mkdtempSync, renameSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { JWK } from "jose";
import { afterEach, beforeEach, describe, expect, it, onTestFinished } from "vitest";
import {
  type AuthorizationServer,
  type ClientRegistration,
  startAuthorizationServer,
} from "../../services/authorization-server/server.js";
import { readExampleMesh } from "../../services/shared/example-mesh.js";
import { type Credential, clientSecret, createTokenSource, privateKeyJwt, type TokenSource } from "../../src/index.js";
import { createTestClock, type TestClock } from "../../src/testing.js";

const clientId = "order-service";
const lifetimeSeconds = 60;
const requirements = [
  { audience: "https://payment-service.internal", scopes: ["payments:write"] },
  { audience: "https://inventory-service.internal", scopes: ["inventory:read"] },
];
const replicas = 8;
const rounds = 18;

/** One way to authenticate, in an old and in a new version. */
interface Kind {
  readonly name: string;
  readonly old: { readonly text: string; readonly registration: ClientRegistration };
  readonly next: { readonly text: string; readonly registration: ClientRegistration };
  readonly create: (file: string) => Credential;
}

function secret(text: string, method: "client_secret_basic" | "client_secret_post"): Kind["old"] {
  return { text: `${text}\n`, registration: { method, secret: text } };
}

function key(kid: string): Kind["old"] {
  const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  return {
    text: JSON.stringify({ ...privateKey.export({ format: "jwk" }), kid }),
    registration: { method: "private_key_jwt", publicKey: { ...(publicKey.export({ format: "jwk" }) as JWK), kid } },
  };
}

const kinds: Kind[] = [
  {
    name: "client_secret_basic",
    old: secret("an old secret with + % : and &", "client_secret_basic"),
    next: secret("a new secret with + % : and &", "client_secret_basic"),
    create: (file) => clientSecret({ file }),
  },
  {
    name: "client_secret_post",
    old: secret("the old secret", "client_secret_post"),
    next: secret("the new secret", "client_secret_post"),
    create: (file) => clientSecret({ file }, { method: "client_secret_post" }),
  },
  { name: "private_key_jwt", old: key("old"), next: key("new"), create: (file) => privateKeyJwt({ file }) },
];

describe.each(kinds)("a rotation of $name under load", { timeout: 60_000 }, ({ old, next, create }) => {
  let server: AuthorizationServer;
  let folder: string;
  let file: string;
  let clock: TestClock;
  let sources: TokenSource[];
  /** Token requests, by how the authorization server answered. */
  let answers: { ok: number; refused: number };

  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), "meshauth-rotation-"));
    file = join(folder, "credential");
    write(old.text);
    server = await startAuthorizationServer({
      mesh: readExampleMesh(),
      port: 0,
      lifetimeSeconds,
      clients: new Map([[clientId, old.registration]]),
      replaceable: true,
    });
    clock = createTestClock(Date.now());
    answers = { ok: 0, refused: 0 };
    const credential = create(file);
    sources = Array.from({ length: replicas }, () =>
      createTokenSource({ issuer: server.issuer, clientId, credential, clock, fetch: count }),
    );
  });
  afterEach(async () => {
    rmSync(folder, { recursive: true, force: true });
    await server.close();
  });

  const count: typeof fetch = async (input, init) => {
    const response = await fetch(input, init);
    if (init?.method === "POST") answers[response.ok ? "ok" : "refused"] += 1;
    return response;
  };

  // As if it had been written some time ago: the settling time of a second is another test's.
  function write(text: string, seconds = 5): void {
    writeFileSync(`${file}.new`, text);
    const time = Date.now() / 1000 - seconds;
    utimesSync(`${file}.new`, time, time);
    renameSync(`${file}.new`, file);
  }

  const accept = (...registrations: [ClientRegistration, ...ClientRegistration[]]): void =>
    server.replaceCredential(clientId, ...registrations);

  /**
   * Lets every source ask for every token, again and again while tokens expire, and does something between the rounds, and
   * in the middle of one. Returns how many tokens there were.
   */
  async function underLoad(steps: Record<number, () => void>): Promise<number> {
    const values = new Set<string>();
    for (let round = 0; round < rounds; round += 1) {
      const step = steps[round];
      const half = Math.floor(sources.length / 2);
      const ask = (some: TokenSource[]): Promise<string>[] =>
        some.flatMap((source) => requirements.map(async (each) => (await source.get(each)).value));
      const first = ask(sources.slice(0, half));
      step?.();
      const second = ask(sources.slice(half));
      for (const value of await Promise.all([...first, ...second])) values.add(value);
      await clock.advance(lifetimeSeconds * 1000);
    }
    return values.size;
  }

  const everything = replicas * requirements.length * rounds;

  it("fails no call when the file is changed before the authorization server, which has an overlap", async () => {
    const tokens = await underLoad({
      4: () => write(next.text),
      8: () => accept(next.registration, old.registration),
      16: () => accept(next.registration),
    });
    expect(tokens).toBe(everything);
    expect(answers.ok).toBe(everything);
    expectFewRefusals(2);
  });

  it("fails no call when the authorization server is changed before the file, with an overlap", async () => {
    const tokens = await underLoad({
      4: () => accept(next.registration, old.registration),
      12: () => write(next.text),
      16: () => accept(next.registration),
    });
    expect(tokens).toBe(everything);
    // What was on its way with the old one when that ended.
    expectFewRefusals(1);
  });

  it("fails no call without an overlap when the file is changed before the authorization server", async () => {
    const tokens = await underLoad({ 4: () => write(next.text), 12: () => accept(next.registration) });
    expect(tokens).toBe(everything);
    expectFewRefusals(2);
  });

  it("fails no call without an overlap when the file is written at that moment", async () => {
    const tokens = await underLoad({
      12: () => {
        // Not in one step, and not long enough ago to be used without need.
        writeFileSync(file, next.text.slice(0, 5));
        accept(next.registration);
        setTimeout(() => writeFileSync(file, next.text), 15);
      },
    });
    expect(tokens).toBe(everything);
    expectFewRefusals(1);
  });

  it("fails no call when it is taken back", async () => {
    const tokens = await underLoad({
      4: () => accept(next.registration, old.registration),
      8: () => write(next.text, 8),
      12: () => write(old.text),
      16: () => accept(old.registration),
    });
    expect(tokens).toBe(everything);
    expectFewRefusals(1);
  });

  it("costs two requests for each token while neither is accepted, and works again once one is", async () => {
    await underLoad({ 4: () => write(next.text) });
    const { publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
    const other: ClientRegistration =
      old.registration.method === "private_key_jwt"
        ? { method: "private_key_jwt", publicKey: publicKey.export({ format: "jwk" }) as JWK }
        : { method: old.registration.method, secret: "something else" };
    accept(other);
    const before = answers.refused;
    const failures = await Promise.all(
      sources.flatMap((source) =>
        requirements.map(async (each) => await Promise.resolve(source.get(each)).catch((error: unknown) => error)),
      ),
    );
    for (const failure of failures) expect(failure).toMatchObject({ kind: "refused", oauthError: "invalid_client" });
    expect(answers.refused - before).toBe(2 * failures.length);
    accept(next.registration);
    await clock.advance(300_000);
    for (const source of sources) expect((await source.get(requirements[0] as never)).value).toBeTruthy();
  });

  // Each turn costs those requests once that are on their way at that moment: not one in every round.
  function expectFewRefusals(turns: number): void {
    expect(answers.refused).toBeLessThanOrEqual(turns * replicas * requirements.length);
  }
});

describe("the embedded authorization server", () => {
  it("replaces no credential unless it was told that it may", async () => {
    const server = await startAuthorizationServer({ mesh: readExampleMesh(), port: 0 });
    onTestFinished(() => server.close());
    expect(() => server.replaceCredential(clientId, { method: "client_secret_basic", secret: "new" })).toThrow(
      "credentials can be replaced with the option replaceable only",
    );
  });

  it("accepts what it was told to, and nothing else", async () => {
    const server = await startAuthorizationServer({ mesh: readExampleMesh(), port: 0, replaceable: true });
    onTestFinished(() => server.close());
    const accepts = async (text: string): Promise<boolean> => {
      const source = createTokenSource({ issuer: server.issuer, clientId, credential: clientSecret(text) });
      return await Promise.resolve(source.get(requirements[0] as never)).then(
        () => true,
        () => false,
      );
    };
    const registration = (text: string): ClientRegistration => ({ method: "client_secret_basic", secret: text });
    const each = async (): Promise<boolean[]> => await Promise.all(["order-service-secret", "one", "two"].map(accepts));
    expect(await each()).toEqual([true, false, false]);
    server.replaceCredential(clientId, registration("one"), registration("two"));
    expect(await each()).toEqual([false, true, true]);
    server.replaceCredential(clientId, registration("two"));
    expect(await each()).toEqual([false, false, true]);
  });
});
