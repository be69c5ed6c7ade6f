// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { once } from "node:events";
import { createServer, type Server } from "node:https";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import type { TLSSocket } from "node:tls";
import { inspect } from "node:util";
import { clientCredentialsGrant } from "openid-client";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { Credential } from "../../../src/credentials/credential.js";
import { tlsClientAuth } from "../../../src/credentials/tls-client-auth.js";
import { createTlsConnections } from "../../../src/credentials/tls-connections.js";
import { configureRequest } from "../../../src/discovery/discovery.js";
import { createFakeClock } from "../../support/fake-clock.js";
import { type CertificateAuthority, createCertificateAuthority, hasOpenssl, type Pair } from "./certificates.js";
import { createFolder, writeOld } from "./folder.js";
import { context } from "./token-request.js";

interface Seen {
  readonly commonName: string;
  readonly body: string;
  readonly url: string | undefined;
  readonly socket: TLSSocket;
}

describe.skipIf(!hasOpenssl)("a client certificate (needs the openssl command)", () => {
  let authority: CertificateAuthority;
  let one: Pair;
  let two: Pair;
  let server: Server;
  let origin: string;
  const seen: Seen[] = [];
  /** Holds answers back until it resolves. */
  let gate: Promise<void> | undefined;

  beforeAll(async () => {
    authority = createCertificateAuthority();
    [one, two] = [authority.issue("one"), authority.issue("two")];
    const { certificate: cert, key } = authority.issue("server");
    server = createServer({ cert, key, ca: authority.certificate, requestCert: true, rejectUnauthorized: true });
    // Connections that nobody closes stay open for longer than a test lasts.
    server.keepAliveTimeout = 60_000;
    server.on("request", async (request, response) => {
      const socket = request.socket as TLSSocket;
      let body = "";
      for await (const chunk of request) body += String(chunk);
      seen.push({ commonName: String(socket.getPeerCertificate().subject.CN), body, url: request.url, socket });
      await gate;
      response.setHeader("content-type", "application/json");
      response.end(JSON.stringify({ access_token: "token", token_type: "Bearer", expires_in: 300 }));
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    origin = `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  beforeEach(() => {
    seen.length = 0;
    gate = undefined;
  });
  afterAll(() => {
    server?.closeAllConnections();
    server?.close();
  });

  async function request(credential: Credential, aliases = false): Promise<unknown> {
    const { clientAuth, fetch: send = fetch } = await credential.authenticate(context);
    const configuration = await configureRequest({
      server: {
        issuer: origin,
        token_endpoint: aliases ? "https://elsewhere.test/token" : `${origin}/token`,
        mtls_endpoint_aliases: { token_endpoint: `${origin}/mtls/token` },
      },
      clientId: "order-service",
      metadata: { use_mtls_endpoint_aliases: aliases },
      authentication: clientAuth,
      timeoutMs: 5000,
      fetch: send,
    });
    return (await clientCredentialsGrant(configuration)).access_token;
  }

  const trusting = (pair: Pair): Credential => tlsClientAuth({ ...pair, ca: authority.certificate });

  it("is what the connection presents; the request says the client id only", async () => {
    const credential = trusting(one);
    expect(credential.method).toBe("tls_client_auth");
    expect(await request(credential)).toBe("token");
    expect(seen).toMatchObject([{ commonName: "one", url: "/token" }]);
    expect(Object.fromEntries(new URLSearchParams(seen[0]?.body))).toEqual({
      grant_type: "client_credentials",
      client_id: "order-service",
    });
  });

  it("goes to the endpoint that is for it, where the metadata names one (RFC 8705 §5)", async () => {
    expect(await request(trusting(one), true)).toBe("token");
    expect(seen).toMatchObject([{ commonName: "one", url: "/mtls/token" }]);
  });

  it("has no connection of its own for each request", async () => {
    const credential = trusting(one);
    for (let i = 0; i < 10; i += 1) await request(credential);
    // A second one is opened if the first is not known to be idle yet.
    expect(new Set(seen.map(({ socket }) => socket)).size).toBeLessThan(4);
  });

  it("is not sent to a server that nobody vouches for", async () => {
    await expect(request(tlsClientAuth({ ...one }))).rejects.toMatchObject({
      cause: { code: "SELF_SIGNED_CERT_IN_CHAIN" },
    });
    expect(seen).toEqual([]);
  });

  function writePair(folder: string, pair: Pair): { certificate: { file: string }; key: { file: string } } {
    const files = { certificate: { file: join(folder, "tls.crt") }, key: { file: join(folder, "tls.key") } };
    writeOld(files.certificate.file, pair.certificate);
    writeOld(files.key.file, pair.key);
    return files;
  }

  it("in files is used when both have changed; the old connection is closed", async () => {
    const folder = createFolder();
    const files = writePair(folder, one);
    const credential = tlsClientAuth({ ...files, ca: authority.certificate });
    await request(credential);
    writeOld(files.key.file, two.key);
    await request(credential);
    writeOld(files.certificate.file, two.certificate);
    await request(credential);
    expect(seen.map(({ commonName }) => commonName)).toEqual(["one", "one", "two"]);
    const [before, , after] = seen.map(({ socket }) => socket);
    if (before?.closed === false) await once(before, "close");
    expect(after?.closed).toBe(false);
  });

  it("that is replaced while requests are under way lets them end", async () => {
    const folder = createFolder();
    const files = writePair(folder, one);
    const credential = tlsClientAuth({ ...files, ca: authority.certificate });
    const { promise: opened, resolve: open } = createGate();
    gate = opened;
    // The second one was authenticated, but is sent only after the change.
    const early = request(credential);
    const { fetch: late = fetch } = await credential.authenticate(context);
    while (seen.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    writePair(folder, two);
    const next = request(credential);
    while (seen.length === 1) await new Promise((resolve) => setTimeout(resolve, 5));
    const lateAnswer = late(`${origin}/late`, { method: "POST", body: "late" });
    while (seen.length === 2) await new Promise((resolve) => setTimeout(resolve, 5));
    open();
    expect(await Promise.all([early, next])).toEqual(["token", "token"]);
    expect((await lateAnswer).status).toBe(200);
    expect(seen.map(({ commonName }) => commonName)).toEqual(["one", "two", "one"]);
    for (const { commonName, socket } of seen) {
      if (commonName === "one" && !socket.closed) await once(socket, "close");
    }
  });

  it("that is replaced before a request has got hold of its connection lets that get through", async () => {
    const connections = createTlsConnections();
    const ca = authority.certificate;
    const send = await connections.use({ ...one, ca });
    const answer = send(`${origin}/token`);
    await connections.use({ ...two, ca });
    expect(await (await answer).json()).toMatchObject({ access_token: "token" });
    const [socket] = seen.map((each) => each.socket);
    if (socket?.closed === false) await once(socket, "close");
  });

  it("that is replaced has its connections closed, even if nothing is asked for with the new one", async () => {
    const connections = createTlsConnections();
    const ca = authority.certificate;
    const send = await connections.use({ ...one, ca });
    await (await send(`${origin}/token`)).text();
    const [socket] = seen.map((each) => each.socket);
    expect(socket?.closed).toBe(false);
    await connections.use({ ...two, ca });
    if (socket?.closed === false) await once(socket, "close");
  });

  it("comes with its own authorities in a file", async () => {
    const folder = createFolder();
    const file = join(folder, "ca.crt");
    writeOld(file, authority.certificate);
    const credential = tlsClientAuth({ ...writePair(folder, one), ca: { file } });
    expect(await request(credential)).toBe("token");
  });

  it("that has expired is an error that names the file and the expiry", async () => {
    const folder = createFolder();
    const clock = createFakeClock(Date.now() + 2 * 86_400_000);
    const files = writePair(folder, one);
    await expect(request(tlsClientAuth({ ...files, clock }))).rejects.toThrow(
      /^the client certificate in .*tls\.crt expired at 20..-..-..T.*Z; whoever issues it has to renew it$/,
    );
  });

  it("that is missing is an error that names the file", async () => {
    const file = join(createFolder(), "tls.crt");
    await expect(request(tlsClientAuth({ certificate: { file }, key: one.key }))).rejects.toThrow(
      `the client certificate cannot be read: the file ${file} does not exist`,
    );
  });

  it("is refused when a text is none, or not for the other", () => {
    const wrong = (options: Parameters<typeof tlsClientAuth>[0]) => () => tlsClientAuth(options);
    const { certificate, key } = one;
    expect(wrong({ certificate: "x", key })).toThrow(
      new TypeError("the client certificate holds no certificate; give PEM"),
    );
    expect(wrong({ certificate, key: "hunter2" })).toThrow(new TypeError("the private key holds no private key"));
    expect(wrong({ certificate, key: two.key })).toThrow(
      new TypeError("the certificate does not belong to the private key"),
    );
    expect(wrong({ certificate, key, ca: "x" })).toThrow(
      new TypeError("the certificate authority holds no certificate; give PEM"),
    );
    expect(wrong({ certificate, key: "" })).toThrow(
      new TypeError("the private key has no source; give PEM or { file }"),
    );
  });

  it("and its key are shown by nothing that can be printed", async () => {
    const credential = trusting(one);
    const authentication = await credential.authenticate(context);
    const shown = inspect([credential, authentication], { showHidden: true, depth: Infinity });
    for (const line of one.key.split("\n").filter((text) => text.length > 20)) expect(shown).not.toContain(line);
    expect(credential.isIn("anything")).toBe(false);
  });
});

function createGate(): { promise: Promise<void>; resolve: () => void } {
  let resolve = (): void => {};
  const promise = new Promise<void>((done) => {
    resolve = done;
  });
  return { promise, resolve };
}
