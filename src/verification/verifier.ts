// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { compactVerify, errors, type JWSHeaderParameters } from "jose";
import type { Clock } from "../platform/clock.js";
import type { Provider } from "../providers/provider.js";
import { checkClaims } from "./claims.js";
import { decodeJwt, type UnverifiedJwt } from "./jwt.js";
import { createKeySource } from "./keys.js";
import type { Principal } from "./principal.js";
import { invalid, type TokenRefusal } from "./refusal.js";

/** Turns an access token into a principal, or says why not. */
export interface Verifier {
  /** Verifies a token for an audience. */
  verify(token: string, audience: string): Promise<Principal | TokenRefusal>;
  /** Fetches the metadata and keys of the issuer now. Throws a DiscoveryError. */
  load(): Promise<void>;
}

/** What a verifier needs. */
export interface VerifierOptions {
  readonly issuer: string;
  readonly algorithms: readonly string[];
  readonly provider: Provider;
  readonly clockToleranceMs: number;
  readonly timeoutMs: number;
  readonly fetch: typeof fetch;
  readonly clock: Clock;
}

/**
 * Creates a verifier for JWT access tokens (RFC 9068 §4) of one issuer. Whatever can be told without a key is told
 * first; jose verifies signatures.
 */
export function createVerifier(options: VerifierOptions): Verifier {
  const keys = createKeySource(options);
  const { issuer, provider, clock, clockToleranceMs } = options;
  const algorithms = new Set(options.algorithms);

  return {
    load: () => keys.load(),
    async verify(token, audience) {
      const jwt = decodeJwt(token);
      if (typeof jwt === "string") return invalid(jwt);
      const headerProblem = checkHeader(jwt, algorithms);
      if (headerProblem !== undefined) return invalid(headerProblem);
      const principal = checkClaims(jwt, { issuer, audience, provider, now: clock.now(), clockToleranceMs });
      if ("reason" in principal) return principal;
      const candidates = await keys.find(signingHeader(jwt));
      if ("reason" in candidates) return candidates;
      for (const key of candidates) {
        if (await isSignedBy(token, key, options.algorithms)) return principal;
      }
      return invalid("the signature does not verify");
    },
  };
}

function checkHeader({ header }: UnverifiedJwt, algorithms: ReadonlySet<string>): string | undefined {
  const { alg, kid } = header;
  if (typeof alg !== "string" || !algorithms.has(alg)) return `alg is not one of ${[...algorithms].join(", ")}`;
  if (kid !== undefined && typeof kid !== "string") return "kid is no string";
  // No extension is understood here, so none can be critical (RFC 7515 §4.1.11).
  if (Object.hasOwn(header, "crit")) return "crit names an extension that is not supported";
  return undefined;
}

// Nothing else of the header takes part in finding a key: no jku, jwk, x5u, x5c.
function signingHeader({ header: { alg, kid } }: UnverifiedJwt): JWSHeaderParameters {
  return { alg: alg as string, ...(kid === undefined ? {} : { kid: kid as string }) };
}

async function isSignedBy(
  token: string,
  key: Parameters<typeof compactVerify>[1],
  algorithms: readonly string[],
): Promise<boolean> {
  try {
    await compactVerify(token, key, { algorithms: [...algorithms] });
    return true;
  } catch (error) {
    // A key that does not fit the algorithm, or is too weak for it, is a TypeError: nothing that it signs is accepted.
    if (error instanceof errors.JOSEError || error instanceof TypeError) return false;
    throw error;
  }
}
