// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { inspect } from "node:util";
import { describe, expect, it, onTestFinished } from "vitest";
import { clientSecret } from "../../../src/credentials/client-secret.js";
import type { ClientAuthentication, Credential } from "../../../src/credentials/credential.js";
import { createFakeClock, settle } from "../../support/fake-clock.js";
import { createFolder, writeOld } from "./folder.js";
import { basicSecret, context, requestWith } from "./token-request.js";

async function secretOf(credential: Credential): Promise<string> {
  return basicSecret(await requestWith(credential));
}

async function used(credential: Credential): Promise<ClientAuthentication> {
  return (await requestWith(credential)).authentication;
}

function setVariable(name: string, value: string): void {
  process.env[name] = value;
  onTestFinished(() => {
    delete process.env[name];
  });
}

describe("a client secret", () => {
  it("goes into the header by default, both parts encoded as RFC 6749 §2.3.1 says", async () => {
    const { headers, form } = await requestWith(clientSecret("p@ss: wörd+%&"), { clientId: "order:service" });
    expect(headers.get("authorization")).toBe(`Basic ${btoa("order%3Aservice:p%40ss%3A+w%C3%B6rd%2B%25%26")}`);
    expect([...form.keys()]).toEqual(["grant_type"]);
  });

  it("goes into the header if told so", async () => {
    const { headers } = await requestWith(clientSecret("s3cr3t", { method: "client_secret_basic" }));
    expect(headers.get("authorization")).toBe(`Basic ${btoa("order%2Dservice:s3cr3t")}`);
  });

  it("goes into the body if told so, and into no header", async () => {
    const { headers, form } = await requestWith(clientSecret("s3cr3t", { method: "client_secret_post" }));
    expect(headers.has("authorization")).toBe(false);
    expect(form.get("client_id")).toBe("order-service");
    expect(form.get("client_secret")).toBe("s3cr3t");
  });

  it("says which method it uses", () => {
    expect(clientSecret("s3cr3t").method).toBe("client_secret_basic");
    expect(clientSecret("s3cr3t", { method: "client_secret_post" }).method).toBe("client_secret_post");
    expect(clientSecret("s3cr3t")).not.toHaveProperty("keyId");
  });

  it.each(["", undefined, 17])("is refused when it is %j", (secret) => {
    expect(() => clientSecret(secret as string)).toThrow(new TypeError("the client secret is empty; set one"));
  });

  it.each([null, {}, { file: "" }, { env: "" }, { file: 1 }])("is refused when its source is %j", (source) => {
    expect(() => clientSecret(source as unknown as string)).toThrow(TypeError);
  });

  it("is refused with a method that it has not", () => {
    expect(() => clientSecret("s3cr3t", { method: "private_key_jwt" as "client_secret_post" })).toThrow(
      new TypeError("method is private_key_jwt; give client_secret_basic or client_secret_post"),
    );
  });

  it("that is written in the code has nothing to be renewed with", async () => {
    const credential = clientSecret("s3cr3t");
    expect(await credential.renew(await used(credential))).toBe(false);
    expect(await secretOf(credential)).toBe("s3cr3t");
  });

  it("recognises itself in a text, before it was used and afterwards", async () => {
    const credential = clientSecret("p@ss wörd");
    expect(credential.isIn("bad p%40ss+w%C3%B6rd!")).toBe(true);
    await used(credential);
    expect(credential.isIn("bad p%40ss+w%C3%B6rd!")).toBe(true);
    expect(credential.isIn("bad p@ss word!")).toBe(false);
  });
});

describe("a client secret in an environment variable", () => {
  const env = "MESHAUTH_TEST_CLIENT_SECRET";

  it("is read for each token request", async () => {
    setVariable(env, "one");
    const credential = clientSecret({ env });
    expect(await secretOf(credential)).toBe("one");
    process.env[env] = "two";
    expect(await secretOf(credential)).toBe("two");
    process.env[env] = "";
    expect(await secretOf(credential)).toBe("two");
  });

  it.each([undefined, ""])("has to be there from the beginning: %j", (value) => {
    if (value !== undefined) setVariable(env, value);
    expect(() => clientSecret({ env })).toThrow(
      new TypeError(`the environment variable ${env} is not set; set it to the client secret`),
    );
  });
});

describe("a client secret in a file", () => {
  it("is used when it changes, and the one before it when it is refused", async () => {
    const path = join(createFolder(), "secret");
    writeOld(path, "old-secret\n");
    const credential = clientSecret({ file: path });
    expect(await secretOf(credential)).toBe("old-secret");
    writeOld(path, "new-secret\n");
    expect(await secretOf(credential)).toBe("new-secret");
    expect(await credential.renew(await used(credential))).toBe(true);
    expect(await secretOf(credential)).toBe("old-secret");
    expect(await secretOf(credential)).toBe("old-secret");
    expect(await credential.renew(await used(credential))).toBe(true);
    expect(await secretOf(credential)).toBe("new-secret");
  });

  it("is read again when the old one is refused", async () => {
    const path = join(createFolder(), "secret");
    writeOld(path, "old-secret");
    const credential = clientSecret({ file: path });
    const refused = await used(credential);
    writeFileSync(path, "new-secret");
    expect(await secretOf(credential)).toBe("old-secret");
    expect(await credential.renew(refused)).toBe(true);
    expect(await secretOf(credential)).toBe("new-secret");
  });

  it("moves on once when many requests are refused together", async () => {
    const path = join(createFolder(), "secret");
    writeOld(path, "old-secret");
    const credential = clientSecret({ file: path });
    await used(credential);
    writeOld(path, "new-secret");
    const refused = await Promise.all(Array.from({ length: 50 }, () => credential.authenticate(context)));
    for (const each of refused) {
      expect(await credential.renew(each)).toBe(true);
      expect(await secretOf(credential)).toBe("old-secret");
    }
  });

  it("may be missing when the credential is created, not when it is used", async () => {
    const path = join(createFolder(), "secret");
    const credential = clientSecret({ file: path });
    await expect(used(credential)).rejects.toMatchObject({
      name: "CredentialError",
      kind: "refused",
      message: `the client secret cannot be read: the file ${path} does not exist`,
    });
    writeOld(path, "secret");
    expect(await secretOf(credential)).toBe("secret");
  });

  it("recognises the old one and the new one in a text", async () => {
    const path = join(createFolder(), "secret");
    writeOld(path, "old-secret");
    const credential = clientSecret({ file: path });
    await used(credential);
    writeOld(path, "new-secret");
    await used(credential);
    expect([credential.isIn("bad old-secret"), credential.isIn("bad new-secret")]).toEqual([true, true]);
    expect(credential.isIn("bad secret")).toBe(false);
  });

  it("is shown by nothing that can be printed", async () => {
    const path = join(createFolder(), "secret");
    writeOld(path, "old-secret");
    const credential = clientSecret({ file: path });
    const first = await used(credential);
    writeOld(path, "new-secret");
    for (const value of [credential, { ...credential }, first, await used(credential)]) {
      const shown = [inspect(value, { showHidden: true, depth: Infinity, getters: true }), JSON.stringify(value)];
      expect(shown.join()).not.toMatch(/(old|new)-sec/);
    }
  });
});

describe("a client secret that a function returns", () => {
  it("is asked for with each token request", async () => {
    const secrets = ["secret-1", "secret-2"];
    const credential = clientSecret(() => secrets.shift() ?? "");
    expect(await secretOf(credential)).toBe("secret-1");
    expect(await secretOf(credential)).toBe("secret-2");
    const asynchronous = clientSecret(async () => "s3cr3t");
    expect(await secretOf(asynchronous)).toBe("s3cr3t");
  });

  it.each<[string, () => unknown, string, string]>([
    ["throws", () => fails("E_VAULT"), "unavailable", "the callback of clientSecret() failed (E_VAULT)"],
    ["throws something", () => fails("top secret"), "unavailable", "the callback of clientSecret() failed"],
    ["rejects with nothing", () => Promise.reject(null), "unavailable", "the callback of clientSecret() failed"],
    ["returns nothing", () => undefined, "refused", "the callback of clientSecret() returned no secret"],
    ["returns an empty one", () => "", "refused", "the callback of clientSecret() returned no secret"],
  ])("fails the token request when it %s, and is asked again", async (_, broken, kind, message) => {
    let callback = broken as () => string;
    const credential = clientSecret(() => callback());
    const error = await used(credential).then(
      () => undefined,
      (reason: unknown) => reason,
    );
    expect(error).toMatchObject({ name: "CredentialError", kind, message });
    expect(inspect(error, { showHidden: true })).not.toContain("top secret");
    callback = () => "s3cr3t";
    expect(await secretOf(credential)).toBe("s3cr3t");
    callback = broken as () => string;
    expect(await secretOf(credential)).toBe("s3cr3t");
  });

  it("has ten seconds", async () => {
    const clock = createFakeClock();
    const credential = clientSecret(() => new Promise<string>(() => {}), { clock });
    const failure = credential.authenticate(context).then(
      () => undefined,
      (reason: unknown) => reason,
    );
    let settled = false;
    void failure.then(() => {
      settled = true;
    });
    await settle();
    await clock.run(9_999);
    expect(settled).toBe(false);
    await clock.run(1);
    expect(await failure).toMatchObject({
      kind: "unavailable",
      message: "the callback of clientSecret() took longer than 10 s",
    });
    expect(clock.pending).toBe(0);
  });

  it("leaves no timer behind", async () => {
    const clock = createFakeClock();
    await used(clientSecret(() => "s3cr3t", { clock }));
    expect(clock.pending).toBe(0);
  });
});

function fails(code: string): never {
  throw Object.assign(new Error(`top secret ${code}`), { code });
}
