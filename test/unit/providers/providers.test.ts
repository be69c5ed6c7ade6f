// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { describe, expect, it } from "vitest";
import { type ProviderName, providers } from "../../../src/providers/presets.js";
import { type FindingKind, type Provider, standardProvider } from "../../../src/providers/provider.js";
import { validateProvider } from "../../../src/providers/validate-provider.js";

const names = Object.keys(providers) as ProviderName[];

describe.each(names)("the preset %s", (name) => {
  const provider = providers[name];

  it("is data: it survives JSON", () => {
    expect(JSON.parse(JSON.stringify(provider))).toEqual(provider);
  });

  it("is valid", () => {
    expect(() => validateProvider(provider)).not.toThrow();
  });

  it("has advice for every finding that it can lead to", () => {
    const kinds: FindingKind[] = [
      provider.scopeFormat.includes("{scope}") ? "narrowed_scope" : "missing_roles",
      "opaque_token",
      "wrong_type",
    ];
    if (provider.audienceClaim === "aud") kinds.push("wrong_audience", "missing_audience");
    expect(Object.keys(provider.advice)).toEqual(expect.arrayContaining(kinds));
  });

  it("has advice that continues a sentence", () => {
    for (const advice of Object.values(provider.advice)) {
      expect(advice).toMatch(/^[a-z]/);
      expect(advice).not.toMatch(/[.;]( |$)|\n/);
    }
  });
});

describe("the presets", () => {
  /** The columns of PROVIDERS.md that a table can hold: permission claim, client id claim, typ. */
  it.each<[ProviderName, Pick<Provider, "scopeClaims" | "clientIdClaims" | "types">]>([
    ["generic", { scopeClaims: ["scope"], clientIdClaims: ["client_id"], types: ["at+jwt"] }],
    ["keycloak", { scopeClaims: ["scope"], clientIdClaims: ["azp", "client_id"], types: ["jwt", "at+jwt"] }],
    [
      "auth0",
      { scopeClaims: ["scope", "permissions"], clientIdClaims: ["azp", "client_id"], types: ["jwt", "at+jwt"] },
    ],
    ["entra", { scopeClaims: ["roles"], clientIdClaims: ["azp", "appid"], types: ["jwt"] }],
    ["cognito", { scopeClaims: ["scope"], clientIdClaims: ["client_id"], types: [""] }],
    ["okta", { scopeClaims: ["scp"], clientIdClaims: ["cid"], types: ["jwt"] }],
    ["hydra", { scopeClaims: ["scp", "scope"], clientIdClaims: ["client_id"], types: ["jwt"] }],
    [
      "zitadel",
      {
        scopeClaims: [["urn:zitadel:iam:org:project:{audience}:roles", "*"]],
        clientIdClaims: ["client_id"],
        types: ["jwt"],
      },
    ],
    ["authentik", { scopeClaims: ["scope"], clientIdClaims: ["azp"], types: ["jwt"] }],
  ])("read tokens of %s where their claims are", (name, columns) => {
    expect(providers[name]).toMatchObject(columns);
  });

  it("differ in what they expect of a token", () => {
    const those = (wanted: (provider: Provider) => boolean): string[] =>
      names.filter((name) => wanted(providers[name]));
    expect(those(({ audienceClaim }) => audienceClaim === "none")).toEqual(["cognito"]);
    expect(those(({ expectsJwt }) => !expectsJwt)).toEqual(["hydra"]);
    expect(those(({ assertionAudience }) => assertionAudience === "token_endpoint")).toContain("entra");
    expect(providers.generic).toBe(standardProvider);
  });
});

describe("a provider of one's own", () => {
  const broken = (fields: Record<string, unknown>): Provider =>
    ({ ...standardProvider, ...fields }) as unknown as Provider;

  it("may leave advice, extra scopes and the scope template empty", () => {
    const provider: Provider = {
      ...standardProvider,
      scopeFormat: "",
      extraScopes: [],
      advice: {},
      scopeClaims: [["realm_access", "roles"], "{audience}/roles"],
      types: ["", "jwt"],
    };
    expect(() => validateProvider(provider)).not.toThrow();
  });

  it.each<[fields: Record<string, unknown>, problem: string]>([
    [{ name: "" }, "has no name"],
    [{ name: undefined }, "has no name"],
    [{ audienceParameter: "aud" }, 'has the audienceParameter "aud"; give resource, audience, none'],
    [{ audienceParameter: undefined }, "has the audienceParameter undefined; give resource, audience, none"],
    [{ assertionAudience: "token" }, 'has the assertionAudience "token"; give issuer, token_endpoint'],
    [{ audienceClaim: true }, "has the audienceClaim true; give aud, none"],
    [{ expectsJwt: "no" }, "has no expectsJwt; give true or false"],
    [{ scopeFormat: undefined }, "has something in scopeFormat that is no text"],
    [{ scopeFormat: "{scopes}" }, "has {scopes} in scopeFormat, where only {audience} and {scope} can be filled in"],
    [
      { scopeFormat: "{scope}{ scope }" },
      "has { scope } in scopeFormat, where only {audience} and {scope} can be filled in",
    ],
    [{ extraScopes: undefined }, "has no extraScopes; give a list"],
    [{ extraScopes: "openid" }, "has no extraScopes; give a list"],
    [{ extraScopes: [7] }, "has something in extraScopes that is no text"],
    [{ extraScopes: ["openid", "role:{scope}"] }, "has {scope} in extraScopes, where only {audience} can be filled in"],
    [{ scopeClaims: "scope" }, "has no scopeClaims; give a list"],
    [{ scopeClaims: [{}] }, "has no scopeClaims; give a list"],
    [{ scopeClaims: ["scope", ["a", 7]] }, "has something in scopeClaims that is no text"],
    [{ scopeClaims: [["a", "{scope}"]] }, "has {scope} in scopeClaims, where only {audience} can be filled in"],
    [{ clientIdClaims: undefined }, "has no clientIdClaims; give a list"],
    [{ clientIdClaims: [undefined] }, "has something in clientIdClaims that is no text"],
    [{ clientIdClaims: [] }, "has no clientIdClaims; name at least one"],
    [{ types: [] }, 'has no types; name at least one, or "" for tokens without a typ'],
    [{ types: [null] }, "has something in types that is no text"],
    [{ types: ["at+jwt", "JWT"] }, 'has the type "JWT"; write it in lower case, without application/'],
    [
      { types: ["application/at+jwt"] },
      'has the type "application/at+jwt"; write it in lower case, without application/',
    ],
    [{ advice: undefined }, "has no advice; give an object, which may be empty"],
    [{ advice: null }, "has no advice; give an object, which may be empty"],
    [{ advice: { wrong_type: 7 } }, "has something in advice that is no text"],
    [
      { advice: { wrong_type: "ask {name}" } },
      "has {name} in advice, where only {audience} and {scope} can be filled in",
    ],
  ])("is refused with %j", (fields, problem) => {
    expect(() => validateProvider(broken(fields))).toThrow(new TypeError(`provider ${problem}`));
  });
});
