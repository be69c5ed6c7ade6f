// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import type { Clock } from "../platform/clock.js";
import { CredentialError } from "./credential-error.js";

/**
 * Where a part of a credential comes from. It is read for each token request, and gives the same value (===) as long as
 * nothing has changed. Once there was something, that stays in use while there is nothing better.
 */
export interface Source<T> {
  /**
   * Reads it. `urgent` says that what was read before has been refused. Throws a CredentialError as long as there has
   * never been anything.
   */
  read(urgent: boolean): Promise<T>;
}

/** A source that never changes. */
export function constantSource<T>(value: T): Source<T> {
  return { read: async () => value };
}

/** Reads an environment variable. Throws a CredentialError if it is not set now. */
export function environmentSource(name: string, environment: NodeJS.ProcessEnv = process.env): Source<string> {
  let last = environment[name];
  if (last === undefined || last === "") {
    throw new CredentialError("refused", `the environment variable ${name} is not set; set it to the client secret`);
  }
  return {
    async read() {
      last = environment[name] || last;
      return last as string;
    },
  };
}

const callbackTimeoutMs = 10_000;
const plainCode = /^[A-Z][A-Z0-9_]{1,40}$/;

/** Asks a callback of the user, which may ask a secret store. It has 10 seconds. */
export function callbackSource(callback: () => string | Promise<string>, clock: Clock): Source<string> {
  let last: string | undefined;

  async function ask(): Promise<string> {
    const answer = await within(callbackTimeoutMs, clock, async () => await callback());
    if (typeof answer !== "string" || answer === "") {
      throw new CredentialError("refused", "the callback of clientSecret() returned no secret");
    }
    return answer;
  }

  return {
    async read() {
      try {
        last = await ask();
      } catch (error) {
        last ??= fail(error);
      }
      return last;
    },
  };
}

// Nothing else of the error: it may quote the secret, or what the secret store wanted for it.
function fail(error: unknown): never {
  if (error instanceof CredentialError) throw error;
  const { code } = (error ?? {}) as { code?: unknown };
  const reason = typeof code === "string" && plainCode.test(code) ? ` (${code})` : "";
  throw new CredentialError("unavailable", `the callback of clientSecret() failed${reason}`);
}

function within<T>(ms: number, clock: Clock, action: () => Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const cancel = clock.schedule(ms, () =>
      reject(new CredentialError("unavailable", `the callback of clientSecret() took longer than ${ms / 1000} s`)),
    );
    action().finally(cancel).then(resolve, reject);
  });
}

/**
 * Makes one value of what several sources say. While that cannot be made, because one of them was replaced before
 * another or is written only in part, the last one stays in use.
 */
export function combinedSource<T>(
  sources: readonly Source<string>[],
  combine: (texts: readonly string[]) => Promise<T>,
): Source<T> {
  let texts: readonly string[] | undefined;
  let attempt: Promise<T> | undefined;
  let last: { readonly value: T } | undefined;
  return {
    async read(urgent) {
      const current = await Promise.all(sources.map((source) => source.read(urgent)));
      if (attempt === undefined || current.some((text, i) => text !== texts?.[i])) {
        texts = current;
        attempt = combine(current);
      }
      try {
        last = { value: await attempt };
      } catch (error) {
        if (last === undefined) throw error;
      }
      return last.value;
    },
  };
}

/** What is of no use after some time. */
export interface Expiring {
  /** In milliseconds since the Unix epoch. */
  readonly expiresAt: number;
}

/** What has expired is as good as refused: it is read again urgently. */
export function untilExpired<T extends Expiring>(source: Source<T>, clock: Clock): Source<T> {
  return {
    async read(urgent) {
      const value = await source.read(urgent);
      return urgent || value.expiresAt > clock.now() ? value : await source.read(true);
    },
  };
}

/** Says that something has expired. `name` says what, and where it is. */
export function expiryError(name: string, expiresAt: number): CredentialError {
  const since = new Date(expiresAt).toISOString();
  return new CredentialError("refused", `${name} expired at ${since}; whoever issues it has to renew it`);
}
