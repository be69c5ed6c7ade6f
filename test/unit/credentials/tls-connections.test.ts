// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { afterEach, describe, expect, it, vi } from "vitest";
import { createTlsConnections } from "../../../src/credentials/tls-connections.js";

const one = { certificate: "one", key: "key", ca: undefined };
const two = { certificate: "two", key: "key", ca: undefined };

afterEach(() => {
  vi.doUnmock("undici");
});

/** An undici without sockets, whose requests end when the test says so. */
function fakeUndici() {
  const closed: string[] = [];
  const requests: { resolve(response: Response): void; reject(error: Error): void }[] = [];
  class Agent {
    readonly #name: string;

    constructor({ connect }: { connect: { cert: string } }) {
      this.#name = connect.cert;
    }

    async close(): Promise<void> {
      closed.push(this.#name);
      throw new Error("nobody may hear of this");
    }
  }
  const send = (): Promise<Response> => new Promise((resolve, reject) => requests.push({ resolve, reject }));
  vi.doMock("undici", () => ({ Agent, fetch: send }));
  return { closed, requests };
}

describe("connections with client certificates", () => {
  it("say what to do when the package undici is not installed", async () => {
    vi.doMock("undici", () => {
      throw new Error("Cannot find package 'undici'");
    });
    await expect(createTlsConnections().use(one)).rejects.toMatchObject({
      name: "CredentialError",
      kind: "refused",
      message: "tlsClientAuth() needs the package undici, which is not installed; run: npm install undici@7",
    });
  });

  it("are closed after a change when the last of their requests has ended, well or badly", async () => {
    const { closed, requests } = fakeUndici();
    const connections = createTlsConnections();
    const send = await connections.use(one);
    const [first, second] = [send("https://login.test"), send("https://login.test")];
    await connections.use(two);
    expect(closed).toEqual([]);
    requests[0]?.resolve(new Response());
    await first;
    expect(closed).toEqual([]);
    requests[1]?.reject(new Error("reset"));
    await expect(second).rejects.toThrow("reset");
    expect(closed).toEqual(["one"]);
  });

  it("stay open while nothing changes", async () => {
    const { closed, requests } = fakeUndici();
    const connections = createTlsConnections();
    for (let i = 0; i < 2; i += 1) {
      const answer = (await connections.use(one))("https://login.test");
      requests[i]?.resolve(new Response());
      await answer;
    }
    expect(closed).toEqual([]);
  });
});
