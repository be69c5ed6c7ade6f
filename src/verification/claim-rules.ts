// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import type { Clock } from "../platform/clock.js";
import type { ClaimRules } from "./claims.js";
import type { TrustedIssuer } from "./trusted-issuer.js";

/** What an issuer's claims have to say for an audience of the protos, now. */
export function claimRules(
  { issuer, provider, checksAudience, clientIds, audienceOf }: TrustedIssuer,
  audience: string,
  { clock, clockToleranceMs }: { readonly clock: Clock; readonly clockToleranceMs: number },
): ClaimRules {
  const now = clock.now();
  return { issuer, provider, checksAudience, clientIds, audience: audienceOf(audience), now, clockToleranceMs };
}
