// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { createHash, generateKeyPairSync, type KeyObject, X509Certificate } from "node:crypto";
import { join } from "node:path";
import { inspect } from "node:util";
import { exportJWK, generateKeyPair, type JWK, jwtVerify } from "jose";
import { beforeAll, describe, expect, it } from "vitest";
import type { ClientAuthenticationContext, Credential } from "../../../src/credentials/credential.js";
import {
  type PrivateKeyJwtOptions,
  type PrivateKeySource,
  privateKeyJwt,
} from "../../../src/credentials/private-key-jwt.js";
import { importSigningKey, readPrivateKey, type SigningAlgorithm } from "../../../src/credentials/signing-key.js";
import { hasOpenssl, type Pair, selfSigned } from "./certificates.js";
import { createFolder, writeOld } from "./folder.js";
import { requestWith } from "./token-request.js";

interface Keys {
  readonly privateKey: KeyObject;
  readonly publicKey: KeyObject;
}

function ec(namedCurve: string): Keys {
  return generateKeyPairSync("ec", { namedCurve });
}

function rsa(modulusLength: number): Keys {
  return generateKeyPairSync("rsa", { modulusLength });
}

function pem({ privateKey }: Keys, type: "pkcs8" | "pkcs1" | "sec1" = "pkcs8"): string {
  return privateKey.export({ type: type as "pkcs8", format: "pem" }).toString();
}

const p256 = ec("P-256");
const rsa2048 = rsa(2048);
const ed25519 = generateKeyPairSync("ed25519");

async function assertionOf(
  credential: Credential,
  { publicKey }: Pick<Keys, "publicKey">,
  changes: Partial<ClientAuthenticationContext> = {},
) {
  const { form } = await requestWith(credential, changes);
  return await jwtVerify(form.get("client_assertion") ?? "", publicKey);
}

async function headerOf(source: PrivateKeySource, keys: Keys, options: PrivateKeyJwtOptions = {}) {
  return (await assertionOf(privateKeyJwt(source, options), keys)).protectedHeader;
}

describe("a private key", () => {
  it("signs an assertion of who the client is", async () => {
    const { privateKey, publicKey } = await generateKeyPair("ES256");
    const { headers, form } = await requestWith(privateKeyJwt(privateKey));
    expect(headers.has("authorization")).toBe(false);
    expect(form.has("client_secret")).toBe(false);
    expect(form.get("client_id")).toBe("order-service");
    expect(form.get("client_assertion_type")).toBe("urn:ietf:params:oauth:client-assertion-type:jwt-bearer");
    const { payload, protectedHeader } = await jwtVerify(form.get("client_assertion") ?? "", publicKey);
    expect(payload).toMatchObject({ iss: "order-service", sub: "order-service", jti: expect.any(String) });
    expect((payload.exp ?? 0) - (payload.iat ?? 0)).toBe(60);
    expect(protectedHeader).toEqual({ alg: "ES256" });
  });

  it.each([
    ["issuer", "https://login.test"],
    ["token_endpoint", "https://login.test/oauth/token"],
  ] as const)("signs for the %s if the authorization server wants that", async (assertionAudience, aud) => {
    const { payload } = await assertionOf(privateKeyJwt({ pem: pem(p256) }), p256, { assertionAudience });
    expect(payload.aud).toBe(aud);
  });

  it("never signs the same twice", async () => {
    const credential = privateKeyJwt({ pem: pem(p256) });
    const [one, two] = [await assertionOf(credential, p256), await assertionOf(credential, p256)];
    expect(one.payload.jti).not.toBe(two.payload.jti);
  });

  it("is named if told how", async () => {
    const { privateKey, publicKey } = await generateKeyPair("ES256");
    const credential = privateKeyJwt(privateKey, { keyId: "key-1" });
    expect(credential.keyId).toBe("key-1");
    const { form } = await requestWith(credential);
    const { protectedHeader } = await jwtVerify(form.get("client_assertion") ?? "", publicKey);
    expect(protectedHeader).toEqual({ alg: "ES256", kid: "key-1" });
  });

  it("says which method it uses, and is in no text", () => {
    const credential = privateKeyJwt({ pem: pem(p256) });
    expect(credential.method).toBe("private_key_jwt");
    expect(credential).not.toHaveProperty("keyId");
    expect(credential.isIn(pem(p256))).toBe(false);
  });

  it("that is written in the code has nothing to be renewed with", async () => {
    const credential = privateKeyJwt({ pem: pem(p256) });
    expect(await credential.renew((await requestWith(credential)).authentication)).toBe(false);
  });

  it("is shown by nothing that can be printed", async () => {
    const jwk = p256.privateKey.export({ format: "jwk" });
    const credential = privateKeyJwt({ jwk: jwk as JWK });
    const { authentication } = await requestWith(credential);
    const shown = inspect([credential, authentication], { showHidden: true, depth: Infinity, getters: true });
    expect(shown + JSON.stringify([credential, authentication])).not.toContain(jwk.d);
  });
});

describe("the algorithm", () => {
  it.each<[string, Keys]>([
    ["ES256", p256],
    ["ES384", ec("P-384")],
    ["ES512", ec("P-521")],
    ["RS256", rsa2048],
    ["Ed25519", ed25519],
  ])("is %s where the key is for that", async (alg, keys) => {
    expect(await headerOf({ pem: pem(keys) }, keys)).toEqual({ alg });
  });

  it.each<[SigningAlgorithm, Keys]>([
    ["RS384", rsa2048],
    ["RS512", rsa2048],
    ["PS256", rsa2048],
    ["PS384", rsa2048],
    ["PS512", rsa2048],
    ["ES256", p256],
    ["Ed25519", ed25519],
    ["EdDSA", ed25519],
  ])("is %s if told so", async (algorithm, keys) => {
    expect(await headerOf({ pem: pem(keys) }, keys, { algorithm })).toEqual({ alg: algorithm });
  });

  it("is what the JWK says, unless told otherwise, or unless that is for something else", async () => {
    const jwk = { ...(rsa2048.privateKey.export({ format: "jwk" }) as JWK), kid: "key-1" };
    const ps256 = { jwk: { ...jwk, alg: "PS256" } };
    expect(await headerOf(ps256, rsa2048)).toEqual({ alg: "PS256", kid: "key-1" });
    expect(await headerOf(ps256, rsa2048, { algorithm: "RS512" })).toEqual({ alg: "RS512", kid: "key-1" });
    expect(await headerOf({ jwk: { ...jwk, alg: "RSA-OAEP" } }, rsa2048)).toEqual({ alg: "RS256", kid: "key-1" });
  });

  it.each<[string, SigningAlgorithm, { name: string; [more: string]: unknown }]>([
    ["ES384", "ES384", { name: "ECDSA", namedCurve: "P-384" }],
    ["PS256", "PS256", { name: "RSA-PSS", modulusLength: 2048, publicExponent: rsaExponent(), hash: "SHA-256" }],
    [
      "RS512",
      "RS512",
      { name: "RSASSA-PKCS1-v1_5", modulusLength: 2048, publicExponent: rsaExponent(), hash: "SHA-512" },
    ],
    ["EdDSA", "EdDSA", { name: "Ed25519" }],
  ])("%s can be said of a CryptoKey that is for it, and no other", async (alg, algorithm, parameters) => {
    const { privateKey, publicKey } = (await crypto.subtle.generateKey(parameters, false, [
      "sign",
      "verify",
    ])) as CryptoKeyPair;
    const { form } = await requestWith(privateKeyJwt(privateKey, { algorithm }));
    const { protectedHeader } = await jwtVerify(form.get("client_assertion") ?? "", publicKey);
    expect(protectedHeader).toEqual({ alg });
    expect(() => privateKeyJwt(privateKey, { algorithm: "ES256" })).toThrow(
      new TypeError(`the private key is for ${parameters.name}, and so not for ES256`),
    );
  });
});

function rsaExponent(): Uint8Array {
  return new Uint8Array([1, 0, 1]);
}

describe("a private key as a text", () => {
  it("is read as PKCS#8, PKCS#1 and SEC 1", async () => {
    expect(await headerOf({ pem: pem(rsa2048, "pkcs1") }, rsa2048)).toEqual({ alg: "RS256" });
    expect(await headerOf({ pem: pem(p256, "sec1") }, p256)).toEqual({ alg: "ES256" });
    expect(await headerOf({ pem: `\n${pem(p256)}\n` }, p256)).toEqual({ alg: "ES256" });
  });

  it("is read as a JWK, which names it", async () => {
    const { privateKey, publicKey } = await generateKeyPair("ES256", { extractable: true });
    const jwk = { ...(await exportJWK(privateKey)), kid: "key-1" };
    const credential = privateKeyJwt({ jwk });
    expect(credential.keyId).toBe("key-1");
    const { form } = await requestWith(credential);
    const verified = await jwtVerify(form.get("client_assertion") ?? "", publicKey);
    expect(verified.protectedHeader).toEqual({ alg: "ES256", kid: "key-1" });
    const renamed = privateKeyJwt({ jwk }, { keyId: "key-2" });
    expect(renamed.keyId).toBe("key-2");
    const { form: another } = await requestWith(renamed);
    const { protectedHeader } = await jwtVerify(another.get("client_assertion") ?? "", publicKey);
    expect(protectedHeader).toEqual({ alg: "ES256", kid: "key-2" });
  });

  it("cannot be exported again", async () => {
    expect((await importSigningKey(readPrivateKey(pem(p256), "the key"))).extractable).toBe(false);
  });

  const publicPem = p256.publicKey.export({ type: "spki", format: "pem" }).toString();
  const encrypted = p256.privateKey
    .export({ type: "pkcs8", format: "pem", cipher: "aes-256-cbc", passphrase: "hunter2" })
    .toString();
  it.each<[string, PrivateKeySource, PrivateKeyJwtOptions, string]>([
    ["a public key", { pem: publicPem }, {}, "the private key holds no private key"],
    ["text", { pem: "hunter2" }, {}, "the private key holds no private key"],
    ["half a key", { pem: pem(p256).slice(0, 60) }, {}, "the private key holds no private key"],
    ["encrypted", { pem: encrypted }, {}, "the private key is encrypted; decrypt it"],
    ["half a JWK", { pem: '{"kty":"EC","d":"hunter2' }, {}, "the private key is neither PEM nor a JWK"],
    [
      "a public JWK",
      { jwk: p256.publicKey.export({ format: "jwk" }) as JWK },
      {},
      "the private key holds no private key",
    ],
    ["a symmetric JWK", { jwk: { kty: "oct", k: "hunter2" } }, {}, "the private key holds no private key"],
    ["too short", { pem: pem(rsa(1024)) }, {}, "the private key has 1024 bits; an RSA key needs 2048"],
    [
      "for something else",
      { pem: pem(p256) },
      { algorithm: "ES384" },
      "the private key is of the type ec on prime256v1: no key for ES384",
    ],
    [
      "not for signing",
      { pem: pem(generateKeyPairSync("x25519")) },
      {},
      "the private key is of the type x25519: no key for signing",
    ],
    [
      "on a curve without an algorithm",
      { pem: pem(ec("secp256k1")) },
      {},
      "the private key is of the type ec on secp256k1: no key for signing",
    ],
    ["empty", { pem: "" }, {}, "the private key has no source; give PEM or { file }"],
    ["nowhere", {} as PrivateKeySource, {}, "the private key has no source; give PEM or { file }"],
    ["nothing", null as unknown as PrivateKeySource, {}, "the private key has no source; give PEM or { file }"],
    [
      "for an algorithm that is none",
      { pem: pem(p256) },
      { algorithm: "HS256" as SigningAlgorithm },
      "algorithm is HS256; give one such as ES256, RS256, PS256 or Ed25519",
    ],
  ])("is refused when it is %s, and not quoted", (_, source, options, message) => {
    expect(() => privateKeyJwt(source, options)).toThrow(new TypeError(message));
  });

  it("is refused when it is a CryptoKey that cannot sign", async () => {
    const { publicKey } = await generateKeyPair("ES256");
    expect(() => privateKeyJwt(publicKey)).toThrow(
      new TypeError("the private key cannot sign: it is a public key for verify"),
    );
    const { privateKey } = await generateKeyPair("ECDH-ES");
    expect(() => privateKeyJwt(privateKey)).toThrow("it is a private key for deriveBits");
  });
});

describe("a private key in a file", () => {
  it("is used when it changes, and the one before it when it is refused", async () => {
    const path = join(createFolder(), "key.pem");
    const [old, next] = [ec("P-256"), ec("P-256")];
    writeOld(path, pem(old));
    const credential = privateKeyJwt({ file: path });
    await assertionOf(credential, old);
    writeOld(path, pem(next));
    await assertionOf(credential, next);
    expect(await credential.renew((await requestWith(credential)).authentication)).toBe(true);
    await assertionOf(credential, old);
    await assertionOf(credential, old);
    expect(await credential.renew((await requestWith(credential)).authentication)).toBe(true);
    await assertionOf(credential, next);
  });

  it("is named by its JWK, each one anew", async () => {
    const path = join(createFolder(), "key.json");
    const write = (kid: string, keys: Keys): void =>
      writeOld(path, JSON.stringify({ ...keys.privateKey.export({ format: "jwk" }), kid }));
    write("key-1", p256);
    const credential = privateKeyJwt({ file: path });
    expect((await assertionOf(credential, p256)).protectedHeader.kid).toBe("key-1");
    write("key-2", rsa2048);
    expect((await assertionOf(credential, rsa2048)).protectedHeader).toEqual({ alg: "RS256", kid: "key-2" });
  });

  it("stays in use while the file holds no whole key", async () => {
    const path = join(createFolder(), "key.pem");
    writeOld(path, pem(p256));
    const credential = privateKeyJwt({ file: path });
    await assertionOf(credential, p256);
    for (const broken of ["", pem(rsa2048).slice(0, 400), "{"]) {
      writeOld(path, broken);
      await assertionOf(credential, p256);
    }
    writeOld(path, pem(rsa2048));
    await assertionOf(credential, rsa2048);
  });

  it("fails the token request with its name, and quotes nothing, when it is none", async () => {
    const path = join(createFolder(), "key.pem");
    const credential = privateKeyJwt({ file: path });
    await expect(requestWith(credential)).rejects.toThrow(
      `the private key cannot be read: the file ${path} does not exist`,
    );
    writeOld(path, pem(p256).slice(0, 100));
    const error = await requestWith(credential).catch((reason: unknown) => reason);
    const message = `the private key in ${path} holds no private key`;
    expect(error).toMatchObject({ name: "CredentialError", kind: "refused", message });
    expect(inspect(error, { showHidden: true, depth: Infinity })).not.toContain(pem(p256).slice(40, 60));
    writeOld(path, pem(p256));
    await assertionOf(credential, p256);
  });
});

describe.skipIf(!hasOpenssl)("the certificate of a private key (needs the openssl command)", () => {
  let pair: Pair;
  let other: Pair;
  beforeAll(() => {
    pair = selfSigned("one", ["rsa:2048"]);
    other = selfSigned("two", ["rsa:2048"]);
  });

  const publicKeyOf = ({ certificate }: Pair): KeyObject => new X509Certificate(certificate).publicKey;
  const thumbprintOf = ({ certificate }: Pair): string => {
    const der = Buffer.from(certificate.replace(/-----.*-----|\s/g, ""), "base64");
    return createHash("sha256").update(der).digest("base64url");
  };

  it("is named in the header by its SHA-256 thumbprint, as Entra ID wants it", async () => {
    const credential = privateKeyJwt({ pem: pair.key }, { certificate: pair.certificate, algorithm: "PS256" });
    const { protectedHeader, payload } = await assertionOf(
      credential,
      { publicKey: publicKeyOf(pair) },
      { assertionAudience: "token_endpoint" },
    );
    expect(protectedHeader).toEqual({ alg: "PS256", "x5t#S256": thumbprintOf(pair) });
    expect(payload.aud).toBe("https://login.test/oauth/token");
  });

  it("is used with a CryptoKey", async () => {
    const { privateKey, publicKey } = await generateKeyPair("ES256");
    const { form } = await requestWith(privateKeyJwt(privateKey, { certificate: pair.certificate }));
    const { protectedHeader } = await jwtVerify(form.get("client_assertion") ?? "", publicKey);
    expect(protectedHeader).toEqual({ alg: "ES256", "x5t#S256": thumbprintOf(pair) });
    expect(() => privateKeyJwt(privateKey, { certificate: "hunter2" })).toThrow(
      new TypeError("the client certificate holds no certificate; give PEM"),
    );
  });

  it("is refused when it is none, or of another key", () => {
    expect(() => privateKeyJwt({ pem: pair.key }, { certificate: "hunter2" })).toThrow(
      new TypeError("the client certificate holds no certificate; give PEM"),
    );
    expect(() => privateKeyJwt({ pem: pair.key }, { certificate: other.certificate })).toThrow(
      new TypeError("the certificate does not belong to the private key"),
    );
    expect(() => privateKeyJwt({ pem: pair.key }, { certificate: "" })).toThrow(TypeError);
  });

  it("and the key are used together when one file is replaced before the other", async () => {
    const folder = createFolder();
    const files = { key: join(folder, "tls.key"), certificate: join(folder, "tls.crt") };
    writeOld(files.key, pair.key);
    writeOld(files.certificate, pair.certificate);
    const credential = privateKeyJwt({ file: files.key }, { certificate: { file: files.certificate } });
    const thumbprint = async (keys: Pair): Promise<unknown> =>
      (await assertionOf(credential, { publicKey: publicKeyOf(keys) })).protectedHeader["x5t#S256"];
    expect(await thumbprint(pair)).toBe(thumbprintOf(pair));
    writeOld(files.key, other.key);
    expect(await thumbprint(pair)).toBe(thumbprintOf(pair));
    writeOld(files.certificate, other.certificate);
    expect(await thumbprint(other)).toBe(thumbprintOf(other));
  });
});
