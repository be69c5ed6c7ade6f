// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { decodeJwt } from "jose";
import { ClientRequestFailure } from "../../credentials/client-request-failure.js";
import type { DpopSettings } from "./dpop-options.js";
import type { TokenBinding } from "./token-binding.js";

/** What a token endpoint answered, as far as it matters here. */
export interface TypedAnswer {
  readonly access_token: string;
  /** In lower case. */
  readonly token_type: string;
}

/**
 * Binds a token that was just issued to the key of its token source; `undefined` for a bearer token. Throws a
 * ClientRequestFailure if the token is not of the type that was asked for (RFC 6749 §7.1, RFC 9449 §5).
 */
export function bindToken(answer: TypedAnswer, dpop: DpopSettings | undefined): TokenBinding | undefined {
  const { access_token: token, token_type: type } = answer;
  if (type === "dpop" && dpop !== undefined) {
    const isForeign = isBoundTo(token, dpop.binder.key.thumbprint) === false;
    if (isForeign && !dpop.acceptUnboundTokens) throw unbound("a token that is not bound to the key of its request");
    return dpop.binder.bind(token);
  }
  if (type !== "bearer") {
    throw unusableTokenType();
  }
  if (dpop !== undefined && !dpop.acceptUnboundTokens) throw unbound("a bearer token");
  return undefined;
}

/** The token endpoint answered with a token of a type that nobody asked for. */
export function unusableTokenType(): ClientRequestFailure {
  return new ClientRequestFailure("refused", "the token endpoint answered with a token that is no bearer token");
}

function unbound(what: string): ClientRequestFailure {
  return new ClientRequestFailure(
    "refused",
    `the token endpoint answered with ${what}, where DPoP was asked for; let the authorization server bind the tokens ` +
      "of this client (dpop_bound_access_tokens), or set dpop.acceptUnboundTokens until it does",
  );
}

/** Whether a JWT says that it is bound to a key (RFC 9449 §6.1); `undefined` for a token that nobody can read here. */
function isBoundTo(token: string, thumbprint: string): boolean | undefined {
  try {
    const { cnf } = decodeJwt(token) as { readonly cnf?: { readonly jkt?: unknown } };
    return cnf?.jkt === thumbprint;
  } catch {
    return undefined; // an opaque token
  }
}
