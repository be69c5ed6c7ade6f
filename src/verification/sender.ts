// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { type Confirmation, checkCertificate } from "./confirmation.js";
import type { IncomingCall } from "./incoming-call.js";
import type { Principal } from "./principal.js";
import { invalid, type TokenRefusal } from "./refusal.js";

/**
 * Checks that whoever sent a bound token holds the key that it is bound to: with every call, for it is the call that
 * proves it, not the token.
 */
export function checkSender(
  principal: Principal,
  { certificateThumbprint, keyThumbprint }: Confirmation,
  { transport }: IncomingCall,
): Principal | TokenRefusal | Promise<Principal | TokenRefusal> {
  if (certificateThumbprint !== undefined) {
    const problem = checkCertificate(certificateThumbprint, transport?.certificateThumbprint);
    if (problem !== undefined) return problem;
  }
  if (keyThumbprint !== undefined)
    return invalid("the token is bound to a key (DPoP), and proofs are not looked at here");
  return principal;
}
