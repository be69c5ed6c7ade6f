// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import type { Clock } from "../../platform/clock.js";
import { type DpopKeyPair, generateDpopKey, toDpopKey } from "./dpop-key.js";
import { createTokenBinder, type TokenBinder } from "./token-binding.js";

/** How a token source binds its tokens to a key (RFC 9449). */
export interface TokenSourceDpopOptions {
  /**
   * The key pair: the private key with the usage "sign", the public key extractable. By default, a new one for ES256 that
   * cannot be exported and ends with the token source.
   */
  readonly keyPair?: DpopKeyPair;
  /**
   * Accepts tokens that are not bound to the key, and sends them as bearer tokens: whoever steals one can use it. For the
   * time in which an authorization server learns DPoP. By default, they are refused with a TokenError.
   */
  readonly acceptUnboundTokens?: boolean;
}

/** Options that were checked. */
export interface DpopSettings {
  readonly binder: TokenBinder;
  readonly acceptUnboundTokens: boolean;
}

/** Checks the options. Throws a TypeError if one is wrong. */
export function createDpopSettings(options: TokenSourceDpopOptions, clock: Clock): DpopSettings {
  const { keyPair, acceptUnboundTokens = false } = options;
  const key = keyPair === undefined ? generateDpopKey() : toDpopKey(keyPair);
  return { binder: createTokenBinder(key, clock), acceptUnboundTokens };
}
