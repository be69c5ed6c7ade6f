// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import type { TokenBinding } from "./dpop/token-binding.js";

/** What else is known of an access token. */
export interface AccessTokenDetails {
  readonly refreshAt?: number | undefined;
  /** What proves that its sender holds the key that it is bound to. By default, it is a bearer token. */
  readonly dpop?: TokenBinding | undefined;
}

/**
 * An access token in the hands of a client. It shows itself to nobody who does not ask for its value: converted to a
 * string, to JSON, or inspected, it says only when it expires (util.inspect cannot reach private fields, but it can be
 * told to call getters).
 */
export class AccessToken {
  readonly #value: string;
  readonly #authorization: string;
  readonly #dpop: TokenBinding | undefined;
  /** When it was obtained: the time at which it was asked for, in milliseconds since the Unix epoch. */
  readonly obtainedAt: number;
  /** When it expires, in milliseconds since the Unix epoch. */
  readonly expiresAt: number;
  /** When the authorization server would like to be asked for the next one, if it said so. */
  readonly refreshAt: number | undefined;

  constructor(value: string, obtainedAt: number, expiresAt: number, { refreshAt, dpop }: AccessTokenDetails = {}) {
    this.#value = value;
    this.#authorization = `${dpop === undefined ? "Bearer" : "DPoP"} ${value}`;
    this.#dpop = dpop;
    this.obtainedAt = obtainedAt;
    this.expiresAt = expiresAt;
    this.refreshAt = refreshAt;
  }

  /** The token itself. */
  get value(): string {
    return this.#value;
  }

  /** How it is sent: "DPoP" if it is bound to a key (RFC 9449 §7.1), "Bearer" otherwise (RFC 6750 §2.1). */
  get scheme(): "Bearer" | "DPoP" {
    return this.#dpop === undefined ? "Bearer" : "DPoP";
  }

  /** The value of the `authorization` header. With the scheme DPoP, a proof has to go with it. */
  get authorization(): string {
    return this.#authorization;
  }

  /** With the scheme DPoP, what makes proofs; `undefined` otherwise. */
  get dpop(): TokenBinding | undefined {
    return this.#dpop;
  }

  toString(): string {
    return `[access token, expires ${new Date(this.expiresAt).toISOString()}]`;
  }

  toJSON(): string {
    return this.toString();
  }

  static {
    const inspect = Symbol.for("nodejs.util.inspect.custom");
    Object.defineProperty(AccessToken.prototype, inspect, { value: AccessToken.prototype.toString });
  }
}
