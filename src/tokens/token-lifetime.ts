// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { decodeJwt } from "jose";

const fallbackLifetimeMs = 300_000;
const lastDateMs = 8.64e15;

/** What a token endpoint says of a token's lifetime. */
export interface TokenAnswer {
  readonly access_token: string;
  readonly expires_in?: number;
}

/**
 * When a token expires. Lifetimes are counted from when the request was sent: the clock of the authorization server may
 * differ from ours. A token never lives longer than it says itself, and never forever.
 */
export function tokenExpiry(answer: TokenAnswer, sentAt: number, now: number): number {
  return Math.min(sentAt + Math.max(0, lifetimeMs(answer, now)), lastDateMs);
}

function lifetimeMs({ access_token: token, expires_in: seconds }: TokenAnswer, now: number): number {
  const { exp, iat } = readTimes(token);
  const own = exp === undefined || iat === undefined ? Infinity : (exp - iat) * 1000;
  if (seconds !== undefined) return Math.min(seconds * 1000, own);
  // RFC 6749 §5.1 only recommends expires_in.
  return exp === undefined ? fallbackLifetimeMs : Math.min(exp * 1000 - now, own);
}

function readTimes(token: string): { exp?: number; iat?: number } {
  try {
    const { exp, iat } = decodeJwt(token);
    return {
      ...(Number.isFinite(exp) ? { exp: exp as number } : {}),
      ...(Number.isFinite(iat) ? { iat: iat as number } : {}),
    };
  } catch {
    return {}; // an opaque token
  }
}
