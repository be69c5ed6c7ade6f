// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import type { Clock } from "../platform/clock.js";
import type { AccessToken } from "./access-token.js";
import { backoffMs, isWithinPause, type RefreshSchedule, scheduleRefresh } from "./schedule.js";
import { TokenRequestFailure } from "./token-endpoint.js";
import type { TokenError, TokenFailure } from "./token-error.js";

/** How long a caller is willing to wait for a token. */
export interface WaitOptions {
  /** Ends this caller's wait, and only that: a token request goes on for the others. */
  readonly signal?: AbortSignal | undefined;
  /** When the call must be done, in milliseconds since the Unix epoch. */
  readonly deadline?: number | undefined;
}

/** What a slot needs. */
export interface TokenSlotOptions {
  readonly request: () => Promise<AccessToken>;
  readonly clock: Clock;
  readonly random: () => number;
  readonly refreshBeforeMs: number | undefined;
  readonly toError: (kind: TokenFailure, reason: string, attempt: number, oauthError?: string) => TokenError;
}

const marginWaitMs = 1000;

/** The place of one token: handed out while it is valid, refreshed behind the callers, asked for once at a time. */
export class TokenSlot {
  readonly #options: TokenSlotOptions;
  #token: AccessToken | undefined;
  #schedule: RefreshSchedule = { softAt: 0, marginAt: 0 };
  #inFlight: Promise<AccessToken> | undefined;
  #failures = 0;
  #lastFailure: { readonly error: TokenError; readonly retryAt: number } | undefined;
  #refusals = 0;
  #refusalsUntil = 0;

  constructor(options: TokenSlotOptions) {
    this.#options = options;
  }

  /**
   * Returns a valid token: at once while one is cached, as a promise otherwise. The promise rejects with a TokenError.
   */
  get(wait: WaitOptions = {}): AccessToken | Promise<AccessToken> {
    const token = this.#token;
    const now = this.#options.clock.now();
    if (token === undefined || now >= token.expiresAt) return this.#waitForNew(now, wait);
    if (now < this.#schedule.softAt) return token;
    const refresh = this.#refresh(now);
    if (!(refresh instanceof Promise) || now < this.#schedule.marginAt) return token;
    return this.#waitBriefly(refresh, token, now, wait);
  }

  /**
   * A server refused this token. Returns whether another attempt with get() makes sense: the token was replaced
   * meanwhile, or is dropped now. Refusals that follow each other closely drop nothing, so that a server that refuses
   * everything does not cost a token request for each call.
   */
  refused(token: AccessToken): boolean {
    if (token !== this.#token) return true;
    const { clock, random } = this.#options;
    const now = clock.now();
    if (isWithinPause(now, this.#refusalsUntil)) return false;
    if (now >= this.#refusalsUntil + 60_000) this.#refusals = 0;
    this.#refusals += 1;
    this.#refusalsUntil = now + backoffMs(this.#refusals, undefined, random);
    this.#token = undefined;
    return true;
  }

  async #waitForNew(now: number, wait: WaitOptions): Promise<AccessToken> {
    const refresh = this.#refresh(now);
    if (refresh instanceof Promise) return await this.#waitUnlessCancelled(refresh, wait);
    throw refresh;
  }

  /** Starts a request unless one is in flight; the last failure while that says to leave the server alone. */
  #refresh(now: number): Promise<AccessToken> | TokenError {
    if (this.#inFlight !== undefined) return this.#inFlight;
    const failure = this.#lastFailure;
    if (failure !== undefined && isWithinPause(now, failure.retryAt)) return failure.error;
    const request = this.#request();
    this.#inFlight = request;
    // Nobody may be waiting: a failure is remembered, not thrown at the process.
    request.catch(() => {});
    return request;
  }

  async #request(): Promise<AccessToken> {
    try {
      const token = await this.#options.request();
      this.#store(token);
      return token;
    } catch (error) {
      throw this.#remember(error);
    } finally {
      this.#inFlight = undefined;
    }
  }

  #store(token: AccessToken): void {
    const { clock, random, refreshBeforeMs } = this.#options;
    const now = clock.now();
    if (token.expiresAt <= now) {
      throw new TokenRequestFailure("refused", "the authorization server issued a token that has expired already");
    }
    const advanced = this.#token === undefined || token.expiresAt > this.#token.expiresAt;
    this.#schedule = scheduleRefresh(token.obtainedAt, token.expiresAt, refreshBeforeMs, random);
    // The same token once more: ask again at half of what is left, not with every call.
    if (!advanced) this.#schedule = { ...this.#schedule, softAt: now + (token.expiresAt - now) / 2 };
    this.#token = token;
    this.#failures = 0;
    this.#lastFailure = undefined;
  }

  #remember(reason: unknown): TokenError {
    const { clock, random, toError } = this.#options;
    const failure =
      reason instanceof TokenRequestFailure
        ? reason
        : new TokenRequestFailure("refused", "the token request could not be made; check the credential");
    this.#failures += 1;
    const lifetime = this.#token === undefined ? undefined : this.#token.expiresAt - this.#token.obtainedAt;
    const pause = failure.retryAfterMs ?? backoffMs(this.#failures, lifetime, random);
    const error = toError(failure.kind, failure.message, this.#failures, failure.oauthError);
    this.#lastFailure = { error, retryAt: clock.now() + pause };
    return error;
  }

  #waitBriefly(
    refresh: Promise<AccessToken>,
    current: AccessToken,
    now: number,
    wait: WaitOptions,
  ): Promise<AccessToken> {
    const { clock } = this.#options;
    const { signal, deadline } = wait;
    const patience = Math.min(marginWaitMs, deadline === undefined ? Infinity : Math.max(0, (deadline - now) / 2));
    return new Promise((resolve) => {
      let waiting = true;
      const settle = (answer: () => AccessToken | Promise<AccessToken>): void => {
        if (!waiting) return;
        waiting = false;
        cancel();
        signal?.removeEventListener("abort", fallBack);
        resolve(answer());
      };
      // The current token may have expired during the wait: then there is nothing left but to wait for the new one.
      const fallBack = (): void =>
        settle(() => (clock.now() < current.expiresAt ? current : this.#waitUnlessCancelled(refresh, wait)));
      const cancel = clock.schedule(patience, fallBack);
      if (signal?.aborted === true) return fallBack();
      signal?.addEventListener("abort", fallBack);
      refresh.then((token) => settle(() => token), fallBack);
    });
  }

  #waitUnlessCancelled(refresh: Promise<AccessToken>, { signal, deadline }: WaitOptions): Promise<AccessToken> {
    if (signal === undefined && deadline === undefined) return refresh;
    return new Promise((resolve, reject) => {
      const { clock } = this.#options;
      const giveUp = (reason: string): void => {
        const last = this.#lastFailure === undefined ? "" : `; before that: ${this.#lastFailure.error.message}`;
        settle(() =>
          reject(
            this.#options.toError("cancelled", `${reason} while the token was requested${last}`, this.#failures + 1),
          ),
        );
      };
      const onAbort = (): void => giveUp("the call was cancelled or ran out of time");
      const cancelDeadline =
        deadline === undefined
          ? undefined
          : clock.schedule(deadline - clock.now(), () => giveUp("the deadline passed"));
      const settle = (action: () => void): void => {
        signal?.removeEventListener("abort", onAbort);
        cancelDeadline?.();
        action();
      };
      if (signal?.aborted === true) return onAbort();
      signal?.addEventListener("abort", onAbort);
      refresh.then(
        (token) => settle(() => resolve(token)),
        (error: unknown) => settle(() => reject(error)),
      );
    });
  }
}
