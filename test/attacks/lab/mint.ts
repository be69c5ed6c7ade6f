// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { mintKey, signToken, type TestKey, type TokenPart } from "../../support/issuer.js";

/** The audience of every service but Hall, which stands beside them on the same server. */
export const audience = "https://vault.internal";
export const hallAudience = "https://hall.internal";
export const issuerUrl = "https://login.example.com";
/** A second issuer, which publishes other keys under the same key ids. */
export const otherIssuerUrl = "https://other.example.com";
/** Where the attacker serves keys and metadata. */
export const attackerUrl = "https://attacker.example.net";

/** The moment at which every attack starts, in seconds. */
export const start: number = Date.UTC(2026, 0, 1) / 1000;

/** The keys that the issuer publishes. */
export const es256: TestKey = await mintKey("ES256", "es-1");
export const rs256: TestKey = await mintKey("RS256", "rs-1");
export const es384: TestKey = await mintKey("ES384", "es384-1");
export const ed25519: TestKey = await mintKey("Ed25519", "ed-1");
export const published: readonly TestKey[] = [es256, rs256, es384, ed25519];

/** Keys that it does not publish, under key ids that it does. */
export const attackerEs256: TestKey = await mintKey("ES256", es256.kid);
export const attackerRs256: TestKey = await mintKey("RS256", rs256.kid);

type Members = Readonly<Record<string, unknown>>;

/** The claims of a good token, changed as an attack needs; `undefined` leaves a claim out. */
export function claims(changes: Members = {}): Members {
  return {
    iss: issuerUrl,
    aud: audience,
    sub: "teller",
    client_id: "teller",
    scope: "vault:read ledger:write ledger:refund",
    iat: start - 10,
    exp: start + 300,
    jti: "token-7",
    ...changes,
  };
}

/** The header of a good token, changed as an attack needs; `undefined` leaves a parameter out. */
export function header(changes: Members = {}, key: TestKey = es256): Members {
  return { alg: key.alg, kid: key.kid, typ: "at+jwt", ...changes };
}

/** A token, signed with the issuer's ES256 key unless an attack says otherwise. */
export function mint(payload: TokenPart = claims(), head: TokenPart = header(), key: TestKey = es256): string {
  return signToken(key, head, payload);
}

/** A token that is good but for a claim or several. */
export function mintWith(changes: Members): string {
  return mint(claims(changes));
}

/** A token that is good but for a header parameter or several. */
export function mintUnder(changes: Members, key: TestKey = es256): string {
  return mint(claims(), header(changes, key), key);
}

/** A good token. */
export const good: string = mint();

/** The three parts of a token. */
export function partsOf(token: string): readonly [string, string, string] {
  const [head = "", payload = "", signature = ""] = token.split(".");
  return [head, payload, signature];
}

/** A token with another signature, made from its own. */
export function withSignature(token: string, change: (signature: Buffer) => Uint8Array | string): string {
  const [head, payload, signature] = partsOf(token);
  const changed = change(Buffer.from(signature, "base64url"));
  return `${head}.${payload}.${typeof changed === "string" ? changed : Buffer.from(changed).toString("base64url")}`;
}

/** JSON with a text in the place of another: for what JSON.stringify() would not write. */
export function spelled(value: Members, find: string, replacement: string): string {
  const text = JSON.stringify(value);
  if (!text.includes(find)) throw new Error(`no ${find} in ${text}`);
  return text.replace(find, () => replacement);
}
