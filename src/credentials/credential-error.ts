// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

/** A credential cannot be had. Says where it was looked for, and nothing of what was found there. */
export class CredentialError extends Error {
  override readonly name = "CredentialError";
  readonly code = "ERR_MESHAUTH_CREDENTIAL";
  /** "unavailable" may pass by itself; "refused" needs somebody to change something. */
  readonly kind: "unavailable" | "refused";

  constructor(kind: CredentialError["kind"], message: string) {
    super(message);
    this.kind = kind;
  }
}

/** Runs a check of an option: what is wrong with it is a TypeError. */
export function checkOption<T>(check: () => T): T {
  try {
    return check();
  } catch (error) {
    throw error instanceof CredentialError ? new TypeError(error.message) : error;
  }
}
