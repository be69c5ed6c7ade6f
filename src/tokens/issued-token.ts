// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { decodeJwt, decodeProtectedHeader } from "jose";
import { quotes } from "../credentials/quotes.js";
import type { FindingKind, Provider } from "../providers/provider.js";
import { type Claims, readScopes, readType, stringList } from "../providers/read-claims.js";
import { asksByName, expand, spellScopes } from "../providers/template.js";

/** Why servers will refuse a token that was just issued, and what to change at the authorization server. */
export interface Finding {
  readonly kind: FindingKind;
  /** One sentence: what came, what is needed, what to change. Has nothing of the token but audiences, scopes and type. */
  readonly message: string;
}

/** What a token endpoint answered, as far as it matters here. */
export interface IssuedToken {
  readonly accessToken: string;
  /** The `scope` of the answer (RFC 6749 §5.1). */
  readonly scope?: string | undefined;
}

/** What a token was requested for. */
export interface RequestedToken {
  /** The audience as the authorization server calls it: mapped. */
  readonly audience: string;
  /** The scopes as the protos write them. */
  readonly scopes: readonly string[];
}

/**
 * Checks a token that was just issued for what servers will check, so that a wrong set-up shows at the client, which can
 * say what to change. Nothing is verified: the token came from the authorization server itself. What cannot be checked
 * gives no finding. Never throws.
 */
export function checkIssuedToken(answer: IssuedToken, requested: RequestedToken, provider: Provider): Finding[] {
  const context: Context = { answer, requested, provider, jwt: decode(answer.accessToken) };
  return [checkForm(context), checkType(context), checkAudience(context), checkScopes(context)].filter(
    (finding) => finding !== undefined,
  );
}

interface Context {
  readonly answer: IssuedToken;
  readonly requested: RequestedToken;
  readonly provider: Provider;
  readonly jwt: { readonly header: Claims; readonly claims: Claims } | undefined;
}

function decode(token: string): Context["jwt"] {
  try {
    return { header: { ...decodeProtectedHeader(token) }, claims: decodeJwt(token) };
  } catch {
    return undefined; // an opaque token
  }
}

function checkForm(context: Context): Finding | undefined {
  if (context.jwt !== undefined || !context.provider.expectsJwt) return undefined;
  return finding(context, "opaque_token", "issued a token that is not a JWT, but a JWT is needed");
}

function checkType(context: Context): Finding | undefined {
  const { jwt, provider, answer } = context;
  if (jwt === undefined) return undefined;
  const type = readType(jwt.header["typ"]);
  if (type === undefined || provider.types.includes(type)) return undefined;
  const came = type === "" ? "without a typ" : `with the typ ${show([type], answer)}`;
  const needed = provider.types.map((allowed) => (allowed === "" ? "none" : allowed)).join(" or ");
  return finding(context, "wrong_type", `issued a token ${came}, but the typ has to be ${needed}`);
}

function checkAudience(context: Context): Finding | undefined {
  const { jwt, provider, requested, answer } = context;
  if (jwt === undefined || provider.audienceClaim === "none") return undefined;
  const came = jwt.claims["aud"] === undefined ? [] : stringList(jwt.claims["aud"]);
  if (came === undefined || came.includes(requested.audience)) return undefined;
  return came.length === 0
    ? finding(context, "missing_audience", `issued a token without an audience, but ${requested.audience} is needed`)
    : finding(
        context,
        "wrong_audience",
        `issued a token for ${show(came, answer)}, but it has to be for ${requested.audience}`,
      );
}

function checkScopes(context: Context): Finding | undefined {
  const { requested, provider, answer } = context;
  const byName = asksByName(provider);
  const needed = byName ? spellScopes(provider, requested.audience, requested.scopes) : requested.scopes;
  // What a server calls the scope of an answer says nothing about permissions that are not asked for by name.
  const sources = [byName ? readAnswer(answer) : undefined, readToken(context)].filter(
    (scopes) => scopes !== undefined,
  );
  const missing = needed.filter((scope) => sources.some((scopes) => !scopes.has(scope)));
  if (missing.length === 0) return undefined;
  const granted = [...new Set(sources.flatMap((scopes) => [...scopes]))];
  const came = granted.filter((scope) => sources.every((scopes) => scopes.has(scope)));
  const noun = byName ? "scope" : "role";
  const nouns = came.length === 1 ? noun : `${noun}s`;
  const lacks = `but ${enumerate(missing)} ${missing.length === 1 ? "is" : "are"} needed`;
  const text = `granted ${came.length === 0 ? `no ${noun}` : `only the ${nouns} ${show(came, answer)}`}, ${lacks}`;
  return finding(context, byName ? "narrowed_scope" : "missing_roles", text, missing);
}

function readAnswer({ scope }: IssuedToken): ReadonlySet<string> | undefined {
  return typeof scope === "string" ? new Set(scope.split(" ").filter((item) => item !== "")) : undefined;
}

function readToken({ jwt, provider, requested }: Context): ReadonlySet<string> | undefined {
  return jwt === undefined ? undefined : readScopes(jwt.claims, provider, requested.audience);
}

function finding(context: Context, kind: FindingKind, text: string, missing = context.requested.scopes): Finding {
  const { name, advice } = context.provider;
  const values = { audience: context.requested.audience, scope: enumerate(missing) };
  const change = advice[kind];
  return { kind, message: `${name} ${text}${change === undefined ? "" : `; ${expand(change, values)}`}` };
}

const shownValues = 5;
const readValues = 20;
const showable = /^[\x21\x23-\x5b\x5d-\x7e]{1,100}$/;
const tokenLike = /\beyJ/;

/** Names from an answer for people to read, without anything that could be a token. */
function show(values: readonly string[], { accessToken }: IssuedToken): string {
  const shown = values
    .slice(0, readValues)
    .filter((value) => showable.test(value) && !tokenLike.test(value) && !quotes(value, accessToken))
    .slice(0, shownValues);
  const others = values.length - shown.length;
  if (others === 0) return enumerate(shown);
  if (shown.length === 0) return others === 1 ? "one that is not shown here" : `${others} that are not shown here`;
  return enumerate([...shown, others === 1 ? "one other" : `${others} others`]);
}

function enumerate(items: readonly string[]): string {
  return items.length < 2 ? items.join() : `${items.slice(0, -1).join(", ")} and ${items.at(-1)}`;
}
