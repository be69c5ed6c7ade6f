// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { type Confirmation, checkCertificate } from "./confirmation.js";
import { type CallerVerdict, isPrincipal } from "./decision/decide.js";
import type { DpopVerifier } from "./dpop/dpop-verifier.js";
import type { IncomingCall } from "./incoming-call.js";
import type { Principal } from "./principal.js";
import { invalid, type Refusal, type TokenRefusal } from "./refusal.js";
import type { Verdict } from "./verifier.js";

/**
 * Checks that whoever sent a bound token holds the key that it is bound to: with every call, for it is the call that
 * proves it, not the token. A token that is bound to nothing, or refused already, stays what it is.
 */
export function checkSender(
  verdict: Verdict,
  call: IncomingCall,
  dpop: DpopVerifier | undefined,
): Verdict | Promise<Verdict> {
  return "reason" in verdict || verdict.confirmation === undefined
    ? verdict
    : checkBinding(verdict, verdict.confirmation, call, dpop);
}

function checkBinding(
  principal: Principal,
  { certificateThumbprint, keyThumbprint: jkt }: Confirmation,
  { authorization, transport }: IncomingCall,
  dpop: DpopVerifier | undefined,
): Verdict | Promise<Verdict> {
  if (certificateThumbprint !== undefined) {
    const problem = checkCertificate(certificateThumbprint, transport?.certificateThumbprint);
    if (problem !== undefined) return problem;
  }
  if (jkt === undefined) return principal;
  if (dpop === undefined) return invalid("the token is bound to a key (DPoP), and proofs are not looked at here");
  const token = authorization?.slice("DPoP ".length) ?? "";
  return dpop.check({ token, jkt, transport }).then((problem) => problem ?? principal);
}

const dpopScheme = /^dpop( |$)/i;

/** A refusal that tells a caller with DPoP, or with a token that needs it, to go on with DPoP (RFC 9449 §7.1). */
export function withScheme(refusal: Refusal, { authorization }: IncomingCall, dpop: DpopVerifier | undefined): Refusal {
  if (dpop === undefined) return refusal;
  const isDpop = refusal.scheme === "DPoP" || dpopScheme.test(authorization ?? "");
  return isDpop ? { ...refusal, scheme: "DPoP", dpopAlgorithms: dpop.algorithms } : refusal;
}

/** The nonce that goes with the answer to a call that was let in (RFC 9449 §8.2). */
export function nonceFor(verdict: CallerVerdict, dpop: DpopVerifier | undefined): string | undefined {
  const isBound = isPrincipal(verdict) && verdict.confirmation?.keyThumbprint !== undefined;
  return isBound ? dpop?.nonce() : undefined;
}

/** A token that is bound to a key, but came as a bearer token, would be good for whoever stole it (RFC 9449 §7.2). */
export const sentAsBearer: TokenRefusal = {
  ...invalid("the token is bound to a key (jkt), and came as a bearer token"),
  scheme: "DPoP",
};

/** A token that is not bound proves nothing by its scheme. */
export const sentAsDpop: TokenRefusal = invalid("the token is not bound to a key, and came as DPoP");
