// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type ProviderName, providers } from "../../../src/providers/presets.js";
import { type Provider, standardProvider } from "../../../src/providers/provider.js";
import {
  createTokenRequest,
  fingerprint,
  mapAudience,
  type TokenRequestIdentity,
  validateAudiences,
} from "../../../src/tokens/token-request.js";

const two = { audience: "payments", scopes: ["write", "read"] };
const none = { audience: "payments", scopes: [] };

/** Each row of PROVIDERS.md that takes client credentials: the form for two scopes, and for none. */
const rows: Record<ProviderName, readonly [forTwo: string, forNone: string]> = {
  generic: [
    "grant_type=client_credentials&resource=payments&scope=read+write",
    "grant_type=client_credentials&resource=payments",
  ],
  keycloak: ["grant_type=client_credentials&scope=read+write", "grant_type=client_credentials"],
  auth0: [
    "audience=payments&grant_type=client_credentials&scope=read+write",
    "audience=payments&grant_type=client_credentials",
  ],
  entra: [
    "grant_type=client_credentials&scope=payments%2F.default",
    "grant_type=client_credentials&scope=payments%2F.default",
  ],
  cognito: ["grant_type=client_credentials&scope=payments%2Fread+payments%2Fwrite", "grant_type=client_credentials"],
  okta: ["grant_type=client_credentials&scope=read+write", "grant_type=client_credentials"],
  hydra: [
    "audience=payments&grant_type=client_credentials&scope=read+write",
    "audience=payments&grant_type=client_credentials",
  ],
  zitadel: [
    "grant_type=client_credentials&scope=openid+urn%3Azitadel%3Aiam%3Aorg%3Aproject%3Aid%3Apayments%3Aaud+urn%3Azitadel%3Aiam%3Aorg%3Aprojects%3Aroles",
    "grant_type=client_credentials&scope=openid+urn%3Azitadel%3Aiam%3Aorg%3Aproject%3Aid%3Apayments%3Aaud+urn%3Azitadel%3Aiam%3Aorg%3Aprojects%3Aroles",
  ],
  authentik: ["grant_type=client_credentials&scope=read+write", "grant_type=client_credentials"],
};

const names = Object.keys(providers) as ProviderName[];

describe.each(names)("a token request to %s", (name) => {
  it("is exactly this for two scopes, and for none", () => {
    expect(createTokenRequest(providers[name], two).toString()).toBe(rows[name][0]);
    expect(createTokenRequest(providers[name], none).toString()).toBe(rows[name][1]);
  });

  it("calls the audience what the map says, and nothing else", () => {
    const audiences = { payments: "api://2f1c", inventory: "api://77aa" };
    const sent = createTokenRequest(providers[name], two, audiences).toString();
    expect(sent).toBe(createTokenRequest(providers[name], { ...two, audience: "api://2f1c" }).toString());
    expect(createTokenRequest(providers[name], { ...two, audience: "ledger" }, audiences).toString()).toBe(
      createTokenRequest(providers[name], { ...two, audience: "ledger" }).toString(),
    );
  });
});

describe("a token request", () => {
  it("is the same for the same scopes in another order, or twice", () => {
    for (const scopes of [
      ["read", "write"],
      ["write", "read", "write"],
    ]) {
      expect(createTokenRequest(standardProvider, { ...two, scopes }).toString()).toBe(rows.generic[0]);
    }
    expect(two.scopes).toEqual(["write", "read"]);
  });

  it("sorts scopes by code unit, in no language", () => {
    const form = createTokenRequest(standardProvider, { ...two, scopes: ["b", "a", "B", "a-b", "a:b", "10", "9"] });
    expect(form.get("scope")).toBe("10 9 B a a-b a:b b");
  });

  it("asks once for what two templates come to", () => {
    const provider = { ...standardProvider, extraScopes: ["read", "openid"] };
    expect(createTokenRequest(provider, two).get("scope")).toBe("openid read write");
  });

  it("asks for nothing where the template is empty", () => {
    const provider = { ...standardProvider, scopeFormat: "" };
    expect(createTokenRequest(provider, two).has("scope")).toBe(false);
    expect(createTokenRequest({ ...provider, extraScopes: ["openid"] }, two).get("scope")).toBe("openid");
  });

  it("fills each template once: what is filled in is no template", () => {
    const provider: Provider = { ...standardProvider, scopeFormat: "{audience}|{scope}|{audience}" };
    const form = createTokenRequest(provider, { audience: "{scope}$&", scopes: ["{audience}$1"] });
    expect(form.get("scope")).toBe("{scope}$&|{audience}$1|{scope}$&");
    expect(form.get("resource")).toBe("{scope}$&");
  });

  it("has nothing that authenticates the client", () => {
    for (const name of names) {
      for (const key of createTokenRequest(providers[name], two).keys()) {
        expect(key).toMatch(/^(audience|grant_type|resource|scope)$/);
      }
    }
  });
});

describe("the map of audiences", () => {
  it("changes the audience alone, and keeps a requirement that is not in it", () => {
    expect(mapAudience(two, { payments: "p" })).toEqual({ audience: "p", scopes: two.scopes });
    expect(mapAudience(two, { inventory: "i" })).toBe(two);
    expect(mapAudience(two)).toBe(two);
  });

  it("maps once, and nothing that objects have anyway", () => {
    expect(mapAudience(two, { payments: "inventory", inventory: "i" }).audience).toBe("inventory");
    expect(mapAudience({ ...two, audience: "constructor" }, {}).audience).toBe("constructor");
    expect(mapAudience({ ...two, audience: "__proto__" }, {}).audience).toBe("__proto__");
  });

  it("is refused where a name cannot be an audience", () => {
    expect(() => validateAudiences({ payments: "2f1c6a3e-0000-4000-8000-000000000001" })).not.toThrow();
    expect(() => validateAudiences({ ok: "ok", payments: "" })).toThrow(
      new TypeError('audiences maps "payments" to what is empty'),
    );
    expect(() => validateAudiences({ payments: "api://a admin" })).toThrow(TypeError);
    expect(() => validateAudiences({ payments: undefined as unknown as string })).toThrow(
      new TypeError('audiences maps "payments" to what is no text'),
    );
  });
});

describe("the fingerprint", () => {
  const identity = (form: URLSearchParams): TokenRequestIdentity => ({
    issuer: "https://login.test",
    clientId: "order-service",
    method: "client_secret_basic",
    audience: "payments",
    form,
  });
  const base = identity(createTokenRequest(standardProvider, two));

  it("is JSON, and says all that makes the request and nothing more", () => {
    expect(JSON.parse(fingerprint({ ...base, method: "private_key_jwt", keyId: "k1" }))).toEqual([
      "https://login.test",
      "order-service",
      "private_key_jwt",
      "k1",
      "payments",
      [
        ["grant_type", "client_credentials"],
        ["resource", "payments"],
        ["scope", "read write"],
      ],
    ]);
  });

  it("is one for all roles of one audience at Entra ID, and two for two audiences", () => {
    const of = (audience: string, scopes: string[]): string =>
      fingerprint(identity(createTokenRequest(providers.entra, { audience, scopes })));
    expect(of("payments", ["read"])).toBe(of("payments", ["write", "refund"]));
    expect(of("payments", ["read"])).toBe(of("payments", []));
    expect(of("payments", ["read"])).not.toBe(of("inventory", ["read"]));
  });

  it("differs where the issuer, the client, the method or the key differs", () => {
    const others: Partial<TokenRequestIdentity>[] = [
      { issuer: "https://login.test/" },
      { clientId: "order-service-2" },
      { method: "client_secret_post" },
      { keyId: "k1" },
      { keyId: "null" },
      { keyId: "" },
      { dpopThumbprint: "k1" },
      { dpopThumbprint: "k2" },
    ];
    const all = [base, ...others.map((other) => ({ ...base, ...other }))].map(fingerprint);
    expect(new Set(all).size).toBe(all.length);
  });

  it("does not depend on the order of parameters, and leaves the form as it is", () => {
    const form = new URLSearchParams([...base.form].reverse());
    const before = form.toString();
    expect(fingerprint(identity(form))).toBe(fingerprint(base));
    expect(form.toString()).toBe(before);
  });

  const word = fc.oneof(fc.constantFrom("a", "b", "a b", "a/b", "payments", "{scope}", '"', "\\"), fc.string());
  const requirement = fc.record({ audience: word, scopes: fc.array(word, { maxLength: 3 }) });

  it("is the same exactly where the form is the same", () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...names),
        fc.constantFrom(...names),
        requirement,
        requirement,
        fc.boolean(),
        (a, b, first, other, same) => {
          const second = same ? { ...first, scopes: [...first.scopes].reverse() } : other;
          const one = createTokenRequest(providers[a], first);
          const two = createTokenRequest(providers[b], second);
          expect(fingerprint(identity(one)) === fingerprint(identity(two))).toBe(one.toString() === two.toString());
        },
      ),
    );
  });

  it("is the same for any order of the scopes", () => {
    fc.assert(
      fc.property(fc.constantFrom(...names), requirement, fc.nat(), (name, first, seed) => {
        const scopes = [...first.scopes, ...first.scopes.slice(0, seed % 2)].sort((a, b) => (b < a ? -1 : 1));
        const [one, two] = [first, { ...first, scopes }].map((each) => createTokenRequest(providers[name], each));
        expect(two?.toString()).toBe(one?.toString());
      }),
    );
  });
});
