// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type ProviderName, providers } from "../../../src/providers/presets.js";
import { type FindingKind, type Provider, standardProvider } from "../../../src/providers/provider.js";
import { checkIssuedToken, type Finding } from "../../../src/tokens/issued-token.js";
import { createTokenRequest, mapAudience } from "../../../src/tokens/token-request.js";
import { encodePart } from "../../support/issuer.js";

type Part = Readonly<Record<string, unknown>>;

const mint = (header: Part, claims: Part): string =>
  `${encodePart({ alg: "RS256", kid: "key-1", ...header })}.${encodePart(claims)}.${encodePart("signature")}`;

const requirement = { audience: "payments", scopes: ["payments:write", "payments:read"] };
const guid = "6f0a3b52-0c5e-4d5c-9d3f-3a1f0c9b7e21";
const times = { iat: 1767225600, exp: 1767229200 };

/** A token as one server issues it, and what its answer says beside. */
interface Shape {
  readonly audiences?: Readonly<Record<string, string>>;
  readonly header: Part;
  readonly claims: Part;
  readonly scope?: string;
}

/** A good token of each row of PROVIDERS.md. */
const good: Record<ProviderName, Shape> = {
  generic: {
    header: { typ: "at+jwt" },
    claims: { ...times, aud: "payments", client_id: "orders", sub: "orders", scope: "payments:write payments:read" },
    scope: "payments:write payments:read",
  },
  keycloak: {
    header: { typ: "JWT" },
    claims: {
      ...times,
      iss: "https://sso.example.com/realms/main",
      aud: ["payments", "account"],
      azp: "orders",
      client_id: "orders",
      typ: "Bearer",
      realm_access: { roles: ["offline_access"] },
      scope: "email profile payments:read payments:write",
    },
    scope: "email profile payments:read payments:write",
  },
  auth0: {
    header: { typ: "JWT" },
    claims: {
      ...times,
      iss: "https://example.eu.auth0.com/",
      sub: "orders@clients",
      aud: "payments",
      azp: "orders",
      gty: "client-credentials",
      scope: "payments:read payments:write",
    },
  },
  entra: {
    audiences: { payments: guid },
    header: { typ: "JWT", x5t: "x" },
    claims: { ...times, ver: "2.0", aud: guid, azp: "orders", roles: ["payments:read", "payments:write", "refund"] },
  },
  cognito: {
    header: {},
    claims: {
      ...times,
      token_use: "access",
      client_id: "orders",
      sub: "orders",
      scope: "payments/payments:read payments/payments:write",
    },
  },
  okta: {
    header: { typ: "JWT" },
    claims: { ...times, ver: 1, aud: "payments", cid: "orders", scp: ["payments:read", "payments:write"] },
    scope: "payments:read payments:write",
  },
  hydra: {
    header: { typ: "JWT" },
    claims: { ...times, aud: ["payments"], client_id: "orders", scp: ["payments:read", "payments:write"] },
    scope: "payments:read payments:write",
  },
  zitadel: {
    audiences: { payments: "271828182845904523" },
    header: { typ: "JWT" },
    claims: {
      ...times,
      aud: ["314159265358979323", "271828182845904523"],
      client_id: "orders",
      "urn:zitadel:iam:org:project:271828182845904523:roles": {
        "payments:read": { "1": "example.com" },
        "payments:write": { "1": "example.com" },
      },
    },
    scope: "openid",
  },
  authentik: {
    header: { typ: "JWT" },
    claims: { ...times, aud: "payments", azp: "payments", scope: "payments:read payments:write" },
    scope: "payments:read payments:write",
  },
};

function check(name: ProviderName, shape: Shape, token = mint(shape.header, shape.claims)): Finding[] {
  const mapped = mapAudience(requirement, shape.audiences);
  return checkIssuedToken({ accessToken: token, scope: shape.scope }, mapped, providers[name]);
}

const withClaims = (name: ProviderName, claims: Part): Shape => ({
  ...good[name],
  claims: { ...good[name].claims, ...claims },
});
const withHeader = (name: ProviderName, header: Part): Shape => ({ ...good[name], header });

describe.each(Object.keys(providers) as ProviderName[])("a token as %s issues it", (name) => {
  it("gives no finding where all is well", () => {
    expect(check(name, good[name])).toEqual([]);
  });

  it("gives no finding where no scope is needed", () => {
    const mapped = mapAudience({ ...requirement, scopes: [] }, good[name].audiences);
    const accessToken = mint(good[name].header, good[name].claims);
    expect(checkIssuedToken({ accessToken }, mapped, providers[name])).toEqual([]);
  });

  it("is one that the request asked for", () => {
    const asked = (createTokenRequest(providers[name], requirement, good[name].audiences).get("scope") ?? "").split(
      " ",
    );
    const { scope } = good[name].claims;
    if (typeof scope === "string") {
      expect(scope.split(" ")).toEqual(expect.arrayContaining(asked));
    } else {
      expect(asked).not.toEqual([]);
    }
  });
});

/** What is set up wrong, what comes then, what is found, and what its message has to say. */
const mistakes: readonly [ProviderName, string, Shape, FindingKind, readonly (string | RegExp)[]][] = [
  [
    "generic",
    "the resource is another",
    withClaims("generic", { aud: "orders" }),
    "wrong_audience",
    ["orders", "resource"],
  ],
  [
    "generic",
    "resource is ignored",
    withClaims("generic", { aud: undefined }),
    "missing_audience",
    ["register payments"],
  ],
  ["generic", "the type is JWT", withHeader("generic", { typ: "JWT" }), "wrong_type", ["typ jwt", "at+jwt"]],
  [
    "keycloak",
    "there is no audience mapper",
    withClaims("keycloak", { aud: undefined }),
    "missing_audience",
    ["Included Custom Audience payments", "Client scopes"],
  ],
  [
    "keycloak",
    "there is no audience mapper, but roles of the account",
    withClaims("keycloak", { aud: "account" }),
    "wrong_audience",
    ["for account", "Included Custom Audience payments"],
  ],
  [
    "keycloak",
    "the client scope is not in the token",
    withClaims("keycloak", { scope: "email profile payments:read" }),
    "narrowed_scope",
    [
      "only the scopes email, profile and payments:read",
      "create payments:write under Client scopes",
      "Include in token scope",
    ],
  ],
  [
    "keycloak",
    "the token is of something else",
    withHeader("keycloak", {}),
    "wrong_type",
    ["without a typ", "jwt or at+jwt"],
  ],
  [
    "auth0",
    "the audience is another API",
    withClaims("auth0", { aud: ["https://other.example.com"] }),
    "wrong_audience",
    ["https://other.example.com", "Identifier"],
  ],
  [
    "auth0",
    "the application has not all scopes of the API",
    { ...withClaims("auth0", { scope: "payments:read" }), scope: "payments:read" },
    "narrowed_scope",
    ["add payments:write to the API", "Machine to Machine Applications"],
  ],
  [
    "auth0",
    "no scope is granted at all",
    withClaims("auth0", { scope: undefined }),
    "narrowed_scope",
    ["granted no scope", "payments:write and payments:read are needed"],
  ],
  ["auth0", "the dialect is another", withHeader("auth0", { typ: "secevent+jwt" }), "wrong_type", ["(JWT) Profile"]],
  [
    "entra",
    "the audience is mapped to the App ID URI, but the API takes v2.0 tokens",
    { ...good.entra, audiences: { payments: "api://payments" } },
    "wrong_audience",
    [guid, "api://payments", "requestedAccessTokenVersion", "Application (client) ID"],
  ],
  [
    "entra",
    "the API takes v1.0 tokens, but the audience is mapped to the GUID",
    withClaims("entra", { aud: "api://payments", ver: "1.0" }),
    "wrong_audience",
    [guid, "Application ID URI"],
  ],
  [
    "entra",
    "the client has no app role",
    withClaims("entra", { roles: undefined }),
    "missing_roles",
    ["granted no role", "create the app role payments:write and payments:read", "Grant admin consent"],
  ],
  [
    "entra",
    "the client has not all app roles",
    withClaims("entra", { roles: ["payments:read"] }),
    "missing_roles",
    ["only the role payments:read", "payments:write is needed"],
  ],
  ["entra", "the token is for another API", withHeader("entra", { typ: "pop" }), "wrong_type", ["Expose an API"]],
  [
    "cognito",
    "the app client is not allowed to have a custom scope",
    withClaims("cognito", { scope: "payments/payments:read" }),
    "narrowed_scope",
    ["payments/payments:write", "resource server payments", "Custom scopes"],
  ],
  [
    "cognito",
    "the scopes are those of another resource server",
    withClaims("cognito", { scope: "other/payments:read other/payments:write" }),
    "narrowed_scope",
    ["granted only the scopes other/payments:read and other/payments:write"],
  ],
  ["cognito", "the issuer is another", withHeader("cognito", { typ: "at+jwt" }), "wrong_type", ["has to be none"]],
  [
    "okta",
    "the issuer is the org authorization server",
    withClaims("okta", { aud: "https://example.okta.com" }),
    "wrong_audience",
    ["https://example.okta.com", "Authorization Servers"],
  ],
  [
    "okta",
    "there is no audience",
    withClaims("okta", { aud: undefined }),
    "missing_audience",
    ["Audience is payments"],
  ],
  [
    "okta",
    "the access policy has not all scopes",
    { ...withClaims("okta", { scp: ["payments:read"] }), scope: "payments:read" },
    "narrowed_scope",
    ["payments:write", "Access Policies"],
  ],
  [
    "okta",
    "the typ is another",
    withHeader("okta", { typ: "okta-internal+jwt" }),
    "wrong_type",
    ["org authorization server"],
  ],
  [
    "hydra",
    "the audience is not allowed to the client",
    withClaims("hydra", { aud: [] }),
    "missing_audience",
    ["allow payments to this client", "--audience"],
  ],
  ["hydra", "another audience is", withClaims("hydra", { aud: ["orders"] }), "wrong_audience", ["--audience"]],
  [
    "hydra",
    "the scope is not allowed to the client",
    { ...withClaims("hydra", { scp: [] }), scope: "" },
    "narrowed_scope",
    ["granted no scope", "--scope"],
  ],
  ["hydra", "the typ is another", withHeader("hydra", { typ: "x" }), "wrong_type", ["strategies.access_token"]],
  [
    "zitadel",
    "the audience is the name of the project, and not its id",
    { ...good.zitadel, audiences: {} },
    "wrong_audience",
    ["Resource Id of the project", "271828182845904523"],
  ],
  [
    "zitadel",
    "the service account has no role in the project",
    withClaims("zitadel", { "urn:zitadel:iam:org:project:271828182845904523:roles": undefined }),
    "missing_roles",
    ["create the role payments:write and payments:read", "Authorizations"],
  ],
  ["zitadel", "the typ is another", withHeader("zitadel", { typ: "x" }), "wrong_type", ["Access Token Type"]],
  [
    "authentik",
    "the audience is not mapped to the client id of the provider",
    withClaims("authentik", { aud: "nTqW3x" }),
    "wrong_audience",
    ["nTqW3x", "Client ID of the provider"],
  ],
  [
    "authentik",
    "no scope mapping writes the scopes",
    withClaims("authentik", { scope: undefined }),
    "narrowed_scope",
    ["Scope Mapping", "Property Mappings"],
  ],
  ["authentik", "the typ is another", withHeader("authentik", { typ: "x" }), "wrong_type", ["authentik"]],
];

describe("a mistake in the set-up", () => {
  it.each(mistakes)("at %s: %s", (name, _, shape, kind, texts) => {
    const findings = check(name, shape);
    const found = findings.find((finding) => finding.kind === kind);
    // A project's roles cannot be found by a name that is not its id.
    const beside = name === "zitadel" && kind === "wrong_audience" ? ["missing_roles"] : [];
    expect(findings.map((finding) => finding.kind).sort()).toEqual([kind, ...beside].sort());
    for (const text of texts) expect(found?.message).toMatch(text instanceof RegExp ? text : literally(text));
    expect(found?.message).toMatch(literally(providers[name].name));
    expect(found?.message).not.toMatch(/\n|\{|\}|undefined|\.$/);
  });

  it.each(Object.keys(providers).filter((name) => name !== "hydra") as ProviderName[])(
    "at %s: a token that is no JWT",
    (name) => {
      const { scope: _, ...shape } = good[name];
      const [finding, ...others] = check(name, shape, "opaque-4f1d0c9b");
      expect(others).toEqual([]);
      expect(finding?.kind).toBe("opaque_token");
      expect(finding?.message).toMatch(
        literally(`${providers[name].name} issued a token that is not a JWT, but a JWT is needed; `),
      );
    },
  );

  it("is none where opaque tokens are normal, unless the answer says that the scope is narrower", () => {
    const { scope: _, ...shape } = good.hydra;
    const opaque = "ory_at_4f1d0c9b";
    expect(check("hydra", shape, opaque)).toEqual([]);
    expect(check("hydra", { ...shape, scope: "payments:read payments:write offline" }, opaque)).toEqual([]);
    expect(check("hydra", { ...shape, scope: "" }, opaque).map(({ kind }) => kind)).toEqual(["narrowed_scope"]);
    expect(check("hydra", { ...shape, scope: "payments:read" }, opaque)).toEqual([
      {
        kind: "narrowed_scope",
        message:
          "Hydra granted only the scope payments:read, but payments:write is needed; allow payments:write to this client (hydra update client, --scope), beside whatever else the client has",
      },
    ]);
  });
});

const literally = (text: string): RegExp => new RegExp(text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"));

describe("a message", () => {
  const { header, claims } = good.generic;
  const bare: Provider = { ...standardProvider, name: "The server", advice: {} };
  const messages = (token: string, scope?: string): string[] =>
    checkIssuedToken({ accessToken: token, scope }, requirement, bare).map(({ message }) => message);

  it("says what came and what is needed, and needs no advice", () => {
    expect(messages("opaque")).toEqual(["The server issued a token that is not a JWT, but a JWT is needed"]);
    expect(messages(mint({ typ: "JWT" }, { aud: ["a", "b"], scope: "c" }))).toEqual([
      "The server issued a token with the typ jwt, but the typ has to be at+jwt",
      "The server issued a token for a and b, but it has to be for payments",
      "The server granted only the scope c, but payments:write and payments:read are needed",
    ]);
    expect(messages(mint({}, {}))).toEqual([
      "The server issued a token without a typ, but the typ has to be at+jwt",
      "The server issued a token without an audience, but payments is needed",
      "The server granted no scope, but payments:write and payments:read are needed",
    ]);
  });

  it("counts a scope that either the answer or the token lacks", () => {
    const [onlyAnswer] = messages(mint(header, claims), "payments:write");
    expect(onlyAnswer).toBe("The server granted only the scope payments:write, but payments:read is needed");
    const [onlyToken] = messages(mint(header, { ...claims, scope: "payments:read" }), "payments:read payments:write");
    expect(onlyToken).toBe("The server granted only the scope payments:read, but payments:write is needed");
    const [both] = messages(mint(header, { ...claims, scope: "payments:read" }), "payments:write");
    expect(both).toBe("The server granted no scope, but payments:write and payments:read are needed");
  });

  it("lists a few values, and counts the others", () => {
    const aud = ["a1", "a2", "a3", "a4", "a5", "a6"];
    expect(messages(mint(header, { ...claims, aud }))[0]).toMatch(/for a1, a2, a3, a4, a5 and one other,/);
    expect(messages(mint(header, { ...claims, aud: [...aud, "a7"] }))[0]).toMatch(/ a5 and 2 others,/);
  });

  it("shows no value that could be a token, cannot be read, or is too long", () => {
    const other = mint(header, claims);
    const short = "eyJ4IjoxfQ.e30.c2ln";
    for (const aud of [short, `Bearer:${short}`, other, other.slice(0, 40), "a\nb", "a b", "ä", "", "x".repeat(101)]) {
      expect(messages(mint(header, { ...claims, aud }))[0]).toBe(
        "The server issued a token for one that is not shown here, but it has to be for payments",
      );
    }
    expect(messages(mint(header, { ...claims, aud: ["", " "] }))[0]).toMatch(/ for 2 that are not shown here,/);
    expect(messages(mint({ typ: "a b" }, claims))[0]).toMatch(/with the typ one that is not shown here,/);
  });

  it("does not look for something to show in a list that is too long", () => {
    const aud = [...Array.from({ length: 20 }, () => "ä"), "a"];
    expect(messages(mint(header, { ...claims, aud }))[0]).toMatch(/ for 21 that are not shown here,/);
  });

  it("shows no scope of an answer that quotes an opaque token", () => {
    const [, narrowed] = messages("s3cr3t-t0ken-4f1d0c9b", "s3cr3t-t0ken-4f1d0c9b t0ken-4f payments:read");
    expect(narrowed).toBe(
      "The server granted only the scopes payments:read and 2 others, but payments:write is needed",
    );
  });

  it("fills the advice with the missing scopes and the mapped audience", () => {
    const provider: Provider = { ...bare, advice: { narrowed_scope: "grant {scope} of {audience}" } };
    const answer = { accessToken: mint(header, { ...claims, aud: "{scope}", scope: "payments:read" }) };
    const requested = { ...requirement, audience: "{scope}" };
    expect(checkIssuedToken(answer, requested, provider)[0]?.message).toMatch(/; grant payments:write of \{scope\}$/);
  });
});

describe("what cannot be checked", () => {
  const { header, claims } = good.generic;
  const kinds = (token: string): string[] =>
    checkIssuedToken({ accessToken: token }, requirement, standardProvider).map(({ kind }) => kind);

  it.each([
    ["an audience that is an object", header, { ...claims, aud: { payments: true } }],
    ["an audience that is null", header, { ...claims, aud: null }],
    ["an audience that is a list of numbers", header, { ...claims, aud: [7] }],
    ["scopes that are an object", header, { ...claims, scope: { "payments:write": true } }],
    ["a type that is no text", { typ: 7 }, claims],
  ])("gives no finding: %s", (_, head, body) => {
    expect(kinds(mint(head, body))).toEqual([]);
  });

  it.each([
    ["nothing", ""],
    ["an encrypted JWT", "eyJhbGciOiJkaXIifQ.a.b.c.d"],
    ["a payload that is no object", `${encodePart(header)}.${encodePart("[]")}.x`],
    ["a header that is no JSON", `${encodePart("{")}.${encodePart(claims)}.x`],
    ["two parts", `${encodePart(header)}.${encodePart(claims)}`],
  ])("is taken for opaque: %s", (_, token) => {
    expect(kinds(token)).toEqual(["opaque_token"]);
  });

  const anyPart = fc.dictionary(
    fc.oneof(fc.constantFrom("aud", "scope", "scp", "roles", "typ", "permissions", "__proto__"), fc.string()),
    fc.jsonValue({ maxDepth: 3 }),
  );
  const anyToken = fc.oneof(
    fc.string(),
    fc.string({ unit: "binary" }),
    fc.tuple(fc.string(), fc.string(), fc.string()).map((parts) => parts.join(".")),
    fc.tuple(anyPart, anyPart).map(([head, body]) => mint(head, body)),
    fc
      .tuple(fc.jsonValue(), fc.jsonValue())
      .map((parts) => [...parts.map((p) => encodePart(JSON.stringify(p))), ""].join(".")),
  );
  const anyRequest = fc.record({ audience: fc.string(), scopes: fc.array(fc.string(), { maxLength: 3 }) });
  const anyProvider = fc.constantFrom(...Object.values(providers));

  it("never throws, whatever the token, the answer and the request are", () => {
    fc.assert(
      fc.property(
        anyToken,
        fc.option(fc.string(), { nil: undefined }),
        anyRequest,
        anyProvider,
        (accessToken, scope, requested, provider) => {
          const findings = checkIssuedToken({ accessToken, scope }, requested, provider);
          for (const { message } of findings) expect(message.startsWith(provider.name)).toBe(true);
        },
      ),
      { numRuns: 500 },
    );
  });

  it("never shows a part of the token", () => {
    const base64 = fc.base64String({ minLength: 16, maxLength: 60 });
    fc.assert(
      fc.property(base64, fc.array(base64), anyProvider, (secret, others, provider) => {
        const scope = [secret, secret.slice(4), `x${secret.slice(0, 12)}`, ...others].join(" ");
        const answer = { accessToken: secret, scope };
        const messages = checkIssuedToken(answer, requirement, provider).map(({ message }) => message);
        const advice = Object.values(provider.advice).join();
        for (let start = 0; start + 8 <= secret.length; start += 1) {
          const part = secret.slice(start, start + 8);
          // fast-check likes hasOwnProperty, and authentik has Property Mappings.
          if (!advice.includes(part)) expect(messages.filter((message) => message.includes(part))).toEqual([]);
        }
      }),
    );
  });
});
