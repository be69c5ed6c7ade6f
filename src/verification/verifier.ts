// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { type Clock, elapsed } from "../platform/clock.js";
import { ownText } from "../platform/own-text.js";
import { type Credentials, readCredentials } from "./bearer.js";
import { createOpaqueVerifier } from "./introspection/opaque-verifier.js";
import { createJwtDecoder, looksLikeJwt } from "./jwt/jwt.js";
import { type IssuerKeys, verifyJwt } from "./jwt/jwt-verifier.js";
import { createKeySource } from "./keys/key-source.js";
import { createPrincipal, createScopeSets, type Principal } from "./principal.js";
import type { TokenRefusal } from "./refusal.js";
import { sentAsBearer, sentAsDpop } from "./sender.js";
import type { ServerEvent } from "./server-event.js";
import { createTokenCache, type TokenCache } from "./token-cache.js";
import type { TokenVerdict, VerifiedToken } from "./token-verdict.js";
import type { TrustedIssuer } from "./trusted-issuer.js";

/** Who sent a token, or why it is refused. */
export type Verdict = Principal | TokenRefusal;

/** Turns the credentials of a call into a principal, or says why not. */
export interface Verifier {
  /** Verifies an `authorization` header. At once if the token is known. Never throws for what a caller sends. */
  verify(authorization: string | null | undefined): Verdict | Promise<Verdict>;
}

/** Verifiers for the audiences of a server. They share the issuers and their keys. */
export interface Verifiers {
  /** A verifier for an audience of the protos, which remembers the tokens that it verified. */
  forAudience(audience: string): Verifier;
  /** Fetches the metadata and keys of every issuer now. Throws a DiscoveryError. */
  load(): Promise<void>;
  /** The issuers without keys that can be used at the moment. */
  unready(): readonly string[];
}

/** What verifiers need. */
export interface VerifierOptions {
  readonly issuers: readonly TrustedIssuer[];
  readonly clockToleranceMs: number;
  /** How many tokens are remembered for each audience; 0 for none. */
  readonly maxCachedTokens: number;
  readonly timeoutMs: number;
  readonly fetch: typeof fetch;
  readonly clock: Clock;
  readonly onEvent?: ((event: ServerEvent) => void) | undefined;
}

// A verified token is looked at anew from time to time, whatever its lifetime.
const maxCacheAgeMs = 600_000;

/** Creates verifiers for access tokens of some issuers. */
export function createVerifiers(options: VerifierOptions): Verifiers {
  const issuers = createIssuerKeys(options);
  const opaque = createOpaqueVerifier(options);
  const decodeJwt = createJwtDecoder();
  const { clock, clockToleranceMs } = options;
  const verify: Verify = (token, audience) =>
    opaque === undefined || looksLikeJwt(token)
      ? verifyJwt(token, audience, { issuers, clock, clockToleranceMs, decodeJwt })
      : opaque.verify(token, audience);
  return {
    forAudience: (audience) => createVerifier(options, (token) => verify(token, audience)),
    async load() {
      const sources = [...[...issuers.values()].map(({ keys }) => keys), ...(opaque === undefined ? [] : [opaque])];
      const loads = await Promise.allSettled(sources.map((source) => source.load()));
      const failed = loads.find((load) => load.status === "rejected");
      if (failed !== undefined) throw failed.reason;
    },
    unready: () => [...issuers.values()].filter(({ keys }) => !keys.isReady()).map(({ trusted }) => trusted.issuer),
  };
}

function createIssuerKeys({ issuers, onEvent = () => {}, ...rest }: VerifierOptions): ReadonlyMap<string, IssuerKeys> {
  return new Map(
    issuers.map((trusted) => {
      const { issuer } = trusted;
      return [issuer, { trusted, keys: createKeySource({ ...rest, issuer, onEvent }) }];
    }),
  );
}

type Verify = (token: string, audience: string) => TokenVerdict;

function createVerifier(options: VerifierOptions, verifyToken: (token: string) => TokenVerdict): Verifier {
  const { clock } = options;
  const cache = createTokenCache(options.maxCachedTokens);
  const remember = createMemory(options, cache);
  const report = createReporter(options);

  function verifyAnew({ scheme, token, text }: Credentials): Verdict | Promise<Verdict> {
    const startedAt = elapsed(clock);
    const { issuer, verdict } = verifyToken(token);
    const finish = (result: VerifiedToken | TokenRefusal): Verdict => {
      report?.(startedAt, issuer, result);
      if ("reason" in result) return result;
      return checkScheme(scheme, result) ?? checkStillValid(result, options) ?? remember(text, result);
    };
    return verdict instanceof Promise ? verdict.then(finish) : finish(verdict);
  }

  return {
    verify(authorization) {
      if (typeof authorization === "string") {
        const known = cache.get(authorization, clock.now());
        if (known !== undefined) return known;
      }
      const read = readCredentials(authorization);
      if ("reason" in read) return read;
      const known = read.text === authorization ? undefined : cache.get(read.text, clock.now());
      return known ?? verifyAnew(read);
    },
  };
}

function checkScheme(scheme: Credentials["scheme"], { claims }: VerifiedToken): TokenRefusal | undefined {
  const isBound = claims.confirmation?.keyThumbprint !== undefined;
  if (isBound === (scheme === "DPoP")) return undefined;
  return isBound ? sentAsBearer : sentAsDpop;
}

// Keys, or an answer about the token, may have been waited for longer than the token had to live.
function checkStillValid(
  { claims: { expiresAt } }: VerifiedToken,
  { clock, clockToleranceMs }: VerifierOptions,
): TokenRefusal | undefined {
  if (clock.now() < expiresAt + clockToleranceMs) return undefined;
  return { reason: "TOKEN_EXPIRED", cause: "the token expired while it was verified" };
}

/** Makes a principal of what was verified, and remembers it for as long as the same verification would say the same. */
function createMemory(
  { clock, clockToleranceMs }: VerifierOptions,
  cache: TokenCache,
): (credentials: string, verified: VerifiedToken) => Principal {
  const share = createScopeSets();
  return (credentials, { claims, source, proof, usableUntil }) => {
    const own = ownText(credentials);
    const principal = createPrincipal(claims, share(claims.scopes), source ?? own);
    const now = clock.now();
    cache.set(own, {
      principal,
      proof,
      // Nor is it remembered from before it was verified: the clock may have been set back.
      validFrom: Math.max(claims.validFrom, now) - clockToleranceMs,
      validUntil: Math.min(claims.expiresAt + clockToleranceMs, usableUntil, now + maxCacheAgeMs),
    });
    return principal;
  };
}

type Reporter = (startedAt: number, issuer: string | undefined, result: VerifiedToken | TokenRefusal) => void;

function createReporter({ clock, onEvent }: VerifierOptions): Reporter | undefined {
  if (onEvent === undefined) return undefined;
  return (startedAt, issuer, result) =>
    onEvent({
      kind: "verification",
      issuer,
      outcome: "reason" in result ? result.reason : "valid",
      durationMs: elapsed(clock) - startedAt,
    });
}
