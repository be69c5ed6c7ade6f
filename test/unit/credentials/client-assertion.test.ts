// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { inspect } from "node:util";
import { SignJWT } from "jose";
import { describe, expect, it } from "vitest";
import { clientAssertionFromFile } from "../../../src/credentials/client-assertion.js";
import { createFakeClock } from "../../support/fake-clock.js";
import { createFolder, writeOld } from "./folder.js";
import { requestWith } from "./token-request.js";

const start = Date.UTC(2026, 0, 1);

/** A token as the platform projects it, which expires so many seconds after the start. */
async function mint(seconds: number | undefined, subject = "system:serviceaccount:shop:order"): Promise<string> {
  const jwt = new SignJWT({ sub: subject }).setProtectedHeader({ alg: "HS256" });
  if (seconds !== undefined) jwt.setExpirationTime(start / 1000 + seconds);
  return await jwt.sign(new TextEncoder().encode("0123456789abcdef0123456789abcdef"));
}

async function createAssertion(seconds: number | undefined = 600) {
  const clock = createFakeClock(start);
  const path = join(createFolder(), "token");
  const jwt = await mint(seconds);
  writeOld(path, `${jwt}\n`);
  const credential = clientAssertionFromFile(path, { clock });
  const sent = async (): Promise<string | null> => (await requestWith(credential)).form.get("client_assertion");
  return { clock, path, jwt, credential, sent };
}

describe("a client assertion from a file", () => {
  it("is sent as RFC 7523 §2.2 says", async () => {
    const { credential, jwt } = await createAssertion();
    const { headers, form } = await requestWith(credential);
    expect(Object.fromEntries(form)).toEqual({
      grant_type: "client_credentials",
      client_id: "order-service",
      client_assertion_type: "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
      client_assertion: jwt,
    });
    expect(headers.has("authorization")).toBe(false);
    expect(credential.method).toBe("private_key_jwt");
  });

  it("is read again when it changes", async () => {
    const { path, sent } = await createAssertion();
    await sent();
    const next = await mint(1200);
    writeOld(path, next);
    expect(await sent()).toBe(next);
  });

  it("stays in use while the file holds no whole JWT", async () => {
    const { path, jwt, sent } = await createAssertion();
    await sent();
    for (const broken of ["", jwt.slice(0, 30), "not.a.jwt"]) {
      writeOld(path, broken);
      expect(await sent()).toBe(jwt);
    }
  });

  it("that was replaced just now is used when the old one has expired", async () => {
    const { clock, path, jwt, sent } = await createAssertion();
    await sent();
    const next = await mint(1200);
    writeFileSync(path, next);
    expect(await sent()).toBe(jwt);
    clock.advance(600_000);
    expect(await sent()).toBe(next);
  });

  it("that has expired is an error that names the file and the expiry, and nothing of the token", async () => {
    const { clock, path, jwt, sent } = await createAssertion();
    clock.advance(599_999);
    await sent();
    clock.advance(1);
    const error = await sent().then(
      () => undefined,
      (reason: unknown) => reason,
    );
    expect(error).toMatchObject({
      name: "CredentialError",
      kind: "refused",
      message: `the client assertion in ${path} expired at 2026-01-01T00:10:00.000Z; whoever issues it has to renew it`,
    });
    for (const part of jwt.split(".")) expect(inspect(error, { showHidden: true })).not.toContain(part);
  });

  it("that does not say when it expires is used", async () => {
    const { jwt, sent } = await createAssertion(undefined);
    expect(await sent()).toBe(jwt);
  });

  it("that says that it never expires is used", async () => {
    const { path, sent } = await createAssertion();
    const next = await mint(1e15);
    writeOld(path, next);
    expect(await sent()).toBe(next);
  });

  it("that has expired before there was a calendar is an error like any other", async () => {
    const { sent } = await createAssertion(-1e17);
    await expect(sent()).rejects.toThrow("expired at 1970-01-01T00:00:00.000Z");
  });

  it("that is no JWT is an error that quotes nothing of it", async () => {
    const { path, sent } = await createAssertion();
    writeOld(path, "hunter2.hunter2.hunter2");
    await expect(sent()).rejects.toThrow(`the client assertion in ${path} is no JWT`);
    await expect(sent()).rejects.not.toThrow("hunter2");
  });

  it("that is missing is an error that names the file", async () => {
    const path = join(createFolder(), "token");
    await expect(requestWith(clientAssertionFromFile(path))).rejects.toThrow(
      `the client assertion cannot be read: the file ${path} does not exist`,
    );
  });

  it("is renewed by a new one in the file, and by nothing else", async () => {
    const { path, credential, sent } = await createAssertion();
    const { authentication } = await requestWith(credential);
    expect(await credential.renew(authentication)).toBe(false);
    const next = await mint(1200);
    writeFileSync(path, next);
    expect(await credential.renew(authentication)).toBe(true);
    expect(await sent()).toBe(next);
    expect(await credential.renew((await requestWith(credential)).authentication)).toBe(false);
  });

  it("is recognised in a text, and shown by nothing that can be printed", async () => {
    const { credential, jwt } = await createAssertion();
    const { authentication } = await requestWith(credential);
    expect(credential.isIn(`bad ${jwt.slice(60, 80)}`)).toBe(true);
    expect(credential.isIn("bad token")).toBe(false);
    const shown = inspect([credential, authentication], { showHidden: true, depth: Infinity });
    for (const part of jwt.split(".")) expect(shown).not.toContain(part);
  });

  it("needs a path", () => {
    expect(() => clientAssertionFromFile("")).toThrow(new TypeError("the path of the client assertion is empty"));
    expect(() => clientAssertionFromFile(undefined as unknown as string)).toThrow(TypeError);
  });
});
