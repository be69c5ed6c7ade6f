// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { describe, expect, it } from "vitest";
import { type Provider, standardProvider } from "../../../src/providers/provider.js";
import { type CheckedClaims, checkClaims, checkType } from "../../../src/verification/claims.js";
import { createJwtDecoder } from "../../../src/verification/jwt/jwt.js";
import type { TokenRefusal } from "../../../src/verification/refusal.js";
import {
  audience,
  claimsWith,
  expectNothingOf,
  headerWith,
  invalidBecause,
  issuerUrl,
  mint,
  start,
} from "./harness.js";

const decodeJwt = createJwtDecoder();

interface Given {
  readonly typ?: unknown;
  /** Milliseconds after the start of the test. */
  readonly afterMs?: number;
  readonly issuer?: string;
  readonly provider?: Provider;
  readonly clockToleranceMs?: number;
  readonly checksAudience?: boolean;
  readonly clientIds?: readonly string[];
}

/** Checks the claims of a token that was really minted: what JSON cannot say does not get in. */
function check(claims: Parameters<typeof mint>[0], given: Given = {}): CheckedClaims | TokenRefusal {
  const token = mint(claims, "typ" in given ? headerWith({ typ: given.typ }) : headerWith());
  const jwt = decodeJwt(token);
  if (typeof jwt === "string") throw new Error(jwt);
  const { issuer = issuerUrl, provider = standardProvider, clockToleranceMs = 5_000, afterMs = 0 } = given;
  const verdict =
    checkType(jwt.header["typ"], provider.types) ??
    checkClaims(jwt.claims, {
      issuer,
      audience,
      provider,
      checksAudience: given.checksAudience ?? true,
      clientIds: given.clientIds && new Set(given.clientIds),
      now: start * 1000 + afterMs,
      clockToleranceMs,
    });
  if ("reason" in verdict) expectNothingOf(token, verdict);
  return verdict;
}

function principal(claims: Parameters<typeof mint>[0], given: Given = {}): CheckedClaims {
  const verdict = check(claims, given);
  if ("reason" in verdict) throw new Error(verdict.cause);
  return verdict;
}

/** A good token whose JSON has one claim written by hand. */
function withRaw(name: string, json: string): string {
  return JSON.stringify(claimsWith({ [name]: "here" })).replace(`"${name}":"here"`, `"${name}":${json}`);
}

const expired = (exp: number): TokenRefusal => ({ reason: "TOKEN_EXPIRED", cause: `exp ${exp} has passed` });
const notYetValid: TokenRefusal = { reason: "TOKEN_NOT_YET_VALID", cause: "nbf or iat lies in the future" };

describe("checkClaims", () => {
  it("makes a principal of the claims", () => {
    expect(check(claimsWith({ sub: "user-1", extra: [1] }))).toEqual({
      clientId: "order-service",
      subject: "user-1",
      issuer: issuerUrl,
      audience: [audience],
      scopes: new Set(["payments:read", "payments:write"]),
      expiresAt: (start + 300) * 1000,
      validFrom: start * 1000,
      tokenId: "token-7",
      confirmation: undefined,
    });
  });

  describe("typ", () => {
    it.each(["at+jwt", "AT+JWT", "application/at+jwt", "APPLICATION/AT+JWT", "Application/At+Jwt"])(
      "reads %s as an access token",
      (typ) => {
        expect(principal(claimsWith(), { typ }).clientId).toBe("order-service");
      },
    );

    it.each([
      undefined,
      null,
      "",
      "JWT",
      "jwt",
      "id_token",
      "id_token+jwt",
      "logout+jwt",
      "dpop+jwt",
      "secevent+jwt",
      "application/jwt",
      "application/application/at+jwt",
      "text/at+jwt",
      "at+jwt/application/",
      "at+jwt ",
      "at+jwtx",
      "xat+jwt",
      "at jwt",
      7,
      ["at+jwt"],
      { "at+jwt": true },
    ])("refuses the typ %j", (typ) => {
      expect(check(claimsWith(), { typ })).toEqual(invalidBecause("typ is not at+jwt"));
    });

    it("takes the types of the provider, and no other", () => {
      const provider = { ...standardProvider, types: ["jwt", "x+jwt"] };
      expect(principal(claimsWith(), { typ: "JWT", provider }).clientId).toBe("order-service");
      expect(principal(claimsWith(), { typ: "x+jwt", provider }).clientId).toBe("order-service");
      expect(check(claimsWith(), { provider })).toEqual(invalidBecause("typ is not jwt or x+jwt"));
    });

    it("may be missing where the provider has such tokens, but not be something else", () => {
      const provider = { ...standardProvider, types: [""] };
      expect(principal(claimsWith(), { typ: undefined, provider }).clientId).toBe("order-service");
      for (const typ of [null, 7, ["at+jwt"], "JWT"]) {
        expect(check(claimsWith(), { typ, provider })).toEqual(invalidBecause("typ is not absent"));
      }
    });

    it("refuses an ID token whatever else it says", () => {
      const idToken = claimsWith({ nonce: "n", at_hash: "h" });
      expect(check(idToken, { typ: "JWT" })).toEqual(invalidBecause("typ is not at+jwt"));
    });
  });

  describe("a token of another kind, where an issuer gives all of its tokens the same typ", () => {
    const provider = { ...standardProvider, types: ["jwt"] };
    const judge = (claims: Record<string, unknown>) => check(claimsWith(claims), { typ: "JWT", provider });

    it.each(["nonce", "at_hash", "c_hash", "s_hash", "events"])("shows by its claim %s", (name) => {
      expect(judge({ [name]: "x" })).toEqual(invalidBecause(`${name} marks a token of another kind`));
      expect(judge({ [name]: null })).toEqual(invalidBecause(`${name} marks a token of another kind`));
    });

    it.each(["ID", "Refresh", "Logout", "bearer", "", null, 7])(
      "shows by its claim typ, as Keycloak has it: %j",
      (typ) => {
        expect(judge({ typ })).toEqual(invalidBecause("the claim typ is not Bearer"));
      },
    );

    it.each(["id", "Access", "", null, 7])("shows by its claim token_use, as Cognito has it: %j", (use) => {
      expect(judge({ token_use: use })).toEqual(invalidBecause("token_use is not access"));
    });

    it("is no access token that says what it is", () => {
      expect(judge({ typ: "Bearer", token_use: "access" })).toMatchObject({ clientId: "order-service" });
    });
  });

  describe("iss", () => {
    it.each([
      undefined,
      null,
      "",
      "https://evil.example.com",
      `${issuerUrl}/`,
      `${issuerUrl}/realms/a`,
      `${issuerUrl}.evil.example.com`,
      issuerUrl.slice(0, -1),
      issuerUrl.toUpperCase(),
      "HTTPS://login.example.com",
      "https://login.example.com:443",
      ` ${issuerUrl}`,
      [issuerUrl],
      { issuer: issuerUrl },
      7,
    ])("refuses the iss %j", (iss) => {
      expect(check(claimsWith({ iss }))).toEqual(invalidBecause("iss is not the issuer"));
    });

    it("demands a trailing slash where the issuer has one", () => {
      const issuer = `${issuerUrl}/`;
      expect(principal(claimsWith({ iss: issuer }), { issuer }).issuer).toBe(issuer);
      expect(check(claimsWith(), { issuer })).toEqual(invalidBecause("iss is not the issuer"));
    });
  });

  describe("aud", () => {
    it.each([
      ["ours alone", audience],
      ["a list of ours alone", [audience]],
      ["a list that begins with ours", [audience, "https://other.internal"]],
      ["a list that ends with ours", ["https://other.internal", audience]],
    ])("accepts %s", (_, aud) => {
      expect(principal(claimsWith({ aud })).audience).toEqual([aud].flat());
    });

    it.each([
      ["is missing", undefined],
      ["is null", null],
      ["is empty", ""],
      ["is another one", "https://inventory-service.internal"],
      ["is a prefix of ours", audience.slice(0, -1)],
      ["is an even shorter prefix of ours", "https://payment-service"],
      ["is longer than ours", `${audience}.evil.example.com`],
      ["is ours with a trailing slash", `${audience}/`],
      ["has ours inside", `https://evil.example.com/${audience}`],
      ["is ours in upper case", audience.toUpperCase()],
      ["lists ours in one string with another", `${audience} https://other.internal`],
      ["is an empty list", []],
      ["is a list without ours", ["https://inventory-service.internal", "https://order-service.internal"]],
      ["is a list of parts of ours", ["https://payment-service", ".internal"]],
      ["is a list that has ours and a number", [audience, 7]],
      ["is a list that has ours and null", [null, audience]],
      ["is a list inside a list", [[audience]]],
      ["is a number", 7],
      ["is true", true],
      ["is an object", { [audience]: true }],
      ["is an object like a list", { 0: audience, length: 1 }],
    ])("refuses a token whose audience %s", (_, aud) => {
      expect(check(claimsWith({ aud }))).toEqual(invalidBecause(`aud does not include ${audience}`));
    });
  });

  describe("client_id", () => {
    it.each([undefined, null, "", 7, true, ["order-service"], { id: "order-service" }])(
      "refuses the client_id %j",
      (client_id) => {
        expect(check(claimsWith({ client_id }))).toEqual(invalidBecause("no client id in client_id"));
      },
    );

    const provider = { ...standardProvider, clientIdClaims: ["azp", "client_id"] };

    it("takes the first claim of the provider that is there", () => {
      expect(principal(claimsWith({ azp: "back-office" }), { provider }).clientId).toBe("back-office");
      expect(principal(claimsWith(), { provider }).clientId).toBe("order-service");
    });

    it("takes no later claim for a first one that is empty", () => {
      expect(check(claimsWith({ azp: "" }), { provider })).toEqual(invalidBecause("no client id in azp, client_id"));
      expect(check(claimsWith({ azp: null }), { provider })).toEqual(invalidBecause("no client id in azp, client_id"));
    });

    it("takes no claim from the prototype of objects", () => {
      const inherited = { ...standardProvider, clientIdClaims: ["constructor", "client_id"] };
      expect(principal(claimsWith(), { provider: inherited }).clientId).toBe("order-service");
    });
  });

  describe("sub", () => {
    it.each([undefined, null, "", 7, ["order-service"], {}])("refuses the sub %j", (sub) => {
      expect(check(claimsWith({ sub }))).toEqual(invalidBecause("sub is missing or no string"));
    });
  });

  describe("jti", () => {
    it.each([undefined, null, 7, ["token-7"]])("does without the jti %j", (jti) => {
      expect(principal(claimsWith({ jti })).tokenId).toBeUndefined();
    });
  });

  describe("cnf", () => {
    const thumbprint = "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I";

    it.each([
      [{ jkt: thumbprint }, { keyThumbprint: thumbprint }],
      [{ "x5t#S256": thumbprint }, { certificateThumbprint: thumbprint }],
      [
        { jkt: thumbprint, "x5t#S256": thumbprint },
        { keyThumbprint: thumbprint, certificateThumbprint: thumbprint },
      ],
    ])("reads the key that a token is bound to: %j", (cnf, confirmation) => {
      expect(principal(claimsWith({ cnf })).confirmation).toEqual(confirmation);
    });

    const unknown = "the token is bound to a key in a way that is not known";

    it.each([
      [null, "cnf is no object"],
      ["jkt", "cnf is no object"],
      [[thumbprint], "cnf is no object"],
      [{}, "cnf is empty"],
      [{ jwk: { kty: "EC" } }, unknown],
      [{ jkt: thumbprint, kid: "key-1" }, unknown],
      [{ "x5t#s256": thumbprint }, unknown],
      [{ jkt: "" }, "cnf has a jkt that is no SHA-256"],
      [{ jkt: [thumbprint] }, "cnf has a jkt that is no SHA-256"],
      [{ jkt: `${thumbprint}=` }, "cnf has a jkt that is no SHA-256"],
      [{ "x5t#S256": thumbprint.slice(1) }, "cnf has a x5t#S256 that is no SHA-256"],
      [{ "x5t#S256": null, jkt: thumbprint }, "cnf has a x5t#S256 that is no SHA-256"],
    ])("refuses a token whose binding cannot be checked: %j", (cnf, cause) => {
      expect(check(claimsWith({ cnf }))).toEqual(invalidBecause(cause));
    });
  });

  describe("scope", () => {
    it.each([
      ["one scope", "payments:read", ["payments:read"]],
      ["several scopes", "payments:read payments:write", ["payments:read", "payments:write"]],
      ["spaces everywhere", "  payments:read   payments:write ", ["payments:read", "payments:write"]],
      ["a scope twice", "payments:read payments:read", ["payments:read"]],
      ["nothing", "", []],
      ["spaces alone", "   ", []],
      ["a tab, which separates nothing", "payments:read\tpayments:write", ["payments:read\tpayments:write"]],
      ["a comma, which separates nothing", "payments:read,payments:write", ["payments:read,payments:write"]],
    ])("reads a string with %s", (_, scope, scopes) => {
      expect([...principal(claimsWith({ scope })).scopes]).toEqual(scopes);
    });

    it.each([
      ["two scopes", ["payments:read", "payments:write"], ["payments:read", "payments:write"]],
      ["no scope", [], []],
      ["a string of two, which is one scope", ["payments:read payments:write"], ["payments:read payments:write"]],
    ])("reads a list of %s", (_, scope, scopes) => {
      expect([...principal(claimsWith({ scope })).scopes]).toEqual(scopes);
    });

    it("takes a token without the claim for one without scopes", () => {
      expect(principal(claimsWith({ scope: undefined })).scopes).toEqual(new Set());
    });

    it.each([
      ["null", null],
      ["a number", 7],
      ["true", true],
      ["an object", { "payments:read": true }],
      ["a list that has a number", ["payments:read", 7]],
      ["a list of lists", [["payments:read"]]],
    ])("refuses %s", (_, scope) => {
      expect(check(claimsWith({ scope }))).toEqual(invalidBecause("the scopes in scope cannot be read"));
    });

    const provider = { ...standardProvider, scopeClaims: ["scp", "roles"] };

    it("takes the first claim of the provider that is there", () => {
      const both = claimsWith({ roles: ["payments:admin"], scp: "payments:read" });
      expect([...principal(both, { provider }).scopes]).toEqual(["payments:read"]);
      expect([...principal(claimsWith({ roles: ["payments:admin"] }), { provider }).scopes]).toEqual([
        "payments:admin",
      ]);
      expect([...principal(claimsWith(), { provider }).scopes]).toEqual([]);
    });

    it("names the claims of the provider where they cannot be read", () => {
      expect(check(claimsWith({ scp: 7 }), { provider })).toEqual(
        invalidBecause("the scopes in scp, roles cannot be read"),
      );
    });
  });

  describe("exp", () => {
    it("refuses a token without it", () => {
      expect(check(claimsWith({ exp: undefined }))).toEqual(invalidBecause("exp is missing or no time"));
    });

    it.each([
      "null",
      "true",
      '""',
      `"${start + 300}"`,
      '"NaN"',
      '"Infinity"',
      '"2026-01-01T00:05:00Z"',
      "1e400",
      "-1e400",
      "-1",
      "-1e-9",
      "8640000000001",
      `${(start + 300) * 1000_000}`,
      `[${start + 300}]`,
      "{}",
    ])("refuses the exp %s", (raw) => {
      expect(check(withRaw("exp", raw))).toEqual(invalidBecause("exp is missing or no time"));
    });

    it("accepts the last moment that a Date can hold", () => {
      const { expiresAt } = principal(claimsWith({ exp: 8.64e12 }));
      expect(new Date(expiresAt).toISOString()).toBe("+275760-09-13T00:00:00.000Z");
    });

    it("accepts a fraction of a second", () => {
      expect(principal(claimsWith({ exp: start + 0.5 })).expiresAt).toBe(start * 1000 + 500);
    });

    it("takes 0 for a time that has passed", () => {
      expect(check(claimsWith({ exp: 0 }))).toEqual(expired(0));
      expect(check(withRaw("exp", "-0"))).toEqual(expired(0));
    });

    it.each([0, 1, 5_000, 300_000])(
      "accepts a token until just before the end of a tolerance of %i ms",
      (tolerance) => {
        const at = (afterMs: number): Given => ({ clockToleranceMs: tolerance, afterMs });
        expect(principal(claimsWith({ exp: start, iat: undefined }), at(tolerance - 1)).expiresAt).toBe(start * 1000);
        expect(check(claimsWith({ exp: start }), at(tolerance))).toEqual(expired(start));
        expect(check(claimsWith({ exp: start }), at(tolerance + 1))).toEqual(expired(start));
      },
    );

    it("does not add the tolerance to what it says of the expiry", () => {
      expect(principal(claimsWith({ exp: start }), { afterMs: 4_999 }).expiresAt).toBe(start * 1000);
    });
  });

  describe.each(["nbf", "iat"])("%s", (name) => {
    it("may be missing", () => {
      expect(principal(claimsWith({ [name]: undefined })).clientId).toBe("order-service");
    });

    it.each(["null", "true", `"${start}"`, '"NaN"', "1e400", "-1", "8640000000001", "[]", "{}"])(
      "refuses what is no time: %s",
      (raw) => {
        expect(check(withRaw(name, raw))).toEqual(invalidBecause(`${name} is no time`));
      },
    );

    it("may lie in the future as far as clocks may be apart", () => {
      expect(principal(claimsWith({ [name]: start + 5 })).clientId).toBe("order-service");
      expect(principal(claimsWith({ [name]: start }), { clockToleranceMs: 0 }).clientId).toBe("order-service");
    });

    it("may not lie further in the future", () => {
      expect(check(claimsWith({ [name]: start + 5.001 }))).toEqual(notYetValid);
      expect(check(claimsWith({ [name]: start + 0.001 }), { clockToleranceMs: 0 })).toEqual(notYetValid);
    });

    it("counts although the other one lies in the past", () => {
      expect(check(claimsWith({ nbf: start - 60, iat: start - 60, [name]: start + 60 }))).toEqual(notYetValid);
    });
  });

  describe("what is wrong for good", () => {
    const late = { afterMs: 3_600_000 };
    const never = { exp: start - 60, nbf: start + 60 };

    it.each([
      ["another type", {}, { typ: "JWT" }, "typ is not at+jwt"],
      ["another issuer", { iss: "https://evil.example.com" }, {}, "iss is not the issuer"],
      ["another audience", { aud: "https://order-service.internal" }, {}, `aud does not include ${audience}`],
      ["no client id", { client_id: "" }, {}, "no client id in client_id"],
      ["no subject", { sub: "" }, {}, "sub is missing or no string"],
      ["a binding to a key", { cnf: {} }, {}, "cnf is empty"],
      ["scopes that cannot be read", { scope: 7 }, {}, "the scopes in scope cannot be read"],
      ["a broken nbf", { nbf: "soon" }, {}, "nbf is no time"],
      ["a broken iat", { iat: "now" }, {}, "iat is no time"],
    ])("%s: said even of a token that has expired, or is not valid yet", (_, wrong, given, cause) => {
      expect(check(claimsWith(wrong), { ...late, ...given })).toEqual(invalidBecause(cause));
      const early = claimsWith({ nbf: start + 60, ...wrong });
      expect(check(early, given)).toEqual(invalidBecause(cause));
    });

    it("says of a token that has expired before it was valid that it has expired", () => {
      expect(check(claimsWith(never))).toEqual(expired(start - 60));
    });
  });
});
