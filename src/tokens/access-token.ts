// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

/**
 * An access token in the hands of a client. It shows itself to nobody who does not ask for its value: converted to a
 * string, to JSON, or inspected, it says only when it expires (util.inspect cannot reach private fields, but it can be
 * told to call getters).
 */
export class AccessToken {
  readonly #value: string;
  readonly #authorization: string;
  /** When it was obtained: the time at which it was asked for, in milliseconds since the Unix epoch. */
  readonly obtainedAt: number;
  /** When it expires, in milliseconds since the Unix epoch. */
  readonly expiresAt: number;
  /** When the authorization server would like to be asked for the next one, if it said so. */
  readonly refreshAt: number | undefined;

  constructor(value: string, obtainedAt: number, expiresAt: number, refreshAt?: number) {
    this.#value = value;
    this.#authorization = `Bearer ${value}`;
    this.obtainedAt = obtainedAt;
    this.expiresAt = expiresAt;
    this.refreshAt = refreshAt;
  }

  /** The token itself. */
  get value(): string {
    return this.#value;
  }

  /** The value of the `authorization` header (RFC 6750 §2.1). */
  get authorization(): string {
    return this.#authorization;
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
