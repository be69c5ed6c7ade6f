// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { createHash, randomUUID } from "node:crypto";
import { CompactSign } from "jose";
import type { Clock } from "../../platform/clock.js";
import type { DpopKey } from "./dpop-key.js";
import { createNonceCache } from "./nonce-cache.js";

/** A request that a proof is for. */
export interface ProvenRequest {
  /** The HTTP method, in upper case. Every RPC is a POST, but for the GET of Connect. */
  readonly method: string;
  /** The URL; query and fragment are no part of a proof. */
  readonly url: string;
}

/** Proves that the sender of an access token holds the key that it is bound to (RFC 9449). */
export interface TokenBinding {
  /** SHA-256 thumbprint of the public key (RFC 7638), as `cnf.jkt` of the token has it. */
  readonly thumbprint: string;
  /**
   * Creates a proof for one request with this token, for its `DPoP` header: a new one for each attempt (RFC 9449 §4.2).
   * Has the last nonce that was noted for the origin of the URL.
   */
  prove(request: ProvenRequest): Promise<string>;
  /** Notes the `dpop-nonce` of an answer from a URL, for further proofs there (RFC 9449 §8.2, §9). */
  noteNonce(url: string, nonce: string): void;
}

/** Binds the tokens of one token source to its key. */
export interface TokenBinder {
  readonly key: DpopKey;
  bind(token: string): TokenBinding;
}

/** Creates a binder. What servers want for nonces holds for all tokens of it. */
export function createTokenBinder(key: DpopKey, clock: Clock): TokenBinder {
  const nonces = createNonceCache();

  async function prove(ath: string, { method, url }: ProvenRequest): Promise<string> {
    const { origin, pathname } = new URL(url);
    const nonce = nonces.of(origin);
    const claims = {
      jti: randomUUID(),
      htm: method,
      htu: origin + pathname,
      iat: Math.floor(clock.now() / 1000),
      ath,
      ...(nonce === undefined ? {} : { nonce }),
    };
    const { privateKey } = await key.pair();
    return await new CompactSign(new TextEncoder().encode(JSON.stringify(claims)))
      .setProtectedHeader({ typ: "dpop+jwt", alg: key.algorithm, jwk: key.publicJwk })
      .sign(privateKey);
  }

  return {
    key,
    bind(token) {
      const ath = createHash("sha256").update(token).digest("base64url");
      return {
        thumbprint: key.thumbprint,
        prove: (request) => prove(ath, request),
        noteNonce: (url, nonce) => nonces.note(new URL(url).origin, nonce),
      };
    },
  };
}
