// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { ClientRequestFailure } from "../credentials/client-request-failure.js";
import { isWithinPause } from "../discovery/retry-after.js";
import type { Clock } from "../platform/clock.js";
import type { AccessToken } from "./access-token.js";
import { backoffMs, type RefreshSchedule, scheduleRefresh } from "./schedule.js";
import type { TokenError, TokenFailure } from "./token-error.js";
import type { StaleTokenEvent, TokenRefusedEvent, TokenRequestEvent, TokenSubject } from "./token-event.js";
import { type GetOptions, type WaitOptions, waitBriefly, waitUnlessCancelled } from "./wait.js";

/** What a slot needs. */
export interface TokenSlotOptions {
  readonly request: () => Promise<AccessToken>;
  readonly clock: Clock;
  readonly random: () => number;
  readonly refreshBeforeMs: number | undefined;
  readonly toError: (kind: TokenFailure, reason: string, attempt: number, oauthError?: string) => TokenError;
  /** Is told what happens in the slot. */
  readonly onEvent?: ((event: SlotEvent) => void) | undefined;
}

/** An event, without what it is about. */
export type SlotEvent =
  | Omit<TokenRequestEvent, keyof TokenSubject>
  | Omit<StaleTokenEvent, keyof TokenSubject>
  | Omit<TokenRefusedEvent, keyof TokenSubject>;

const marginWaitMs = 1000;
const trustMs = 1000;
/** Expiries are told in whole seconds: one that advanced by less did not advance. */
const stickyToleranceMs = 1000;

/** The place of one token: handed out while it is valid, refreshed behind the callers, asked for once at a time. */
export class TokenSlot {
  /** When it was asked for a token last, by the wall clock. */
  usedAt = 0;

  readonly #options: TokenSlotOptions;
  #token: AccessToken | undefined;
  #schedule: RefreshSchedule = { softAt: 0, marginAt: 0 };
  /** What the monotonic clock said when the token was asked for. */
  #monotonicStart = 0;
  /** From here to there the token is fresh, as far as the wall clock alone can tell. */
  #checkedAt = 0;
  #freshUntil = 0;
  #inFlight: Promise<AccessToken> | undefined;
  #waiters = 0;
  #failures = 0;
  #lastFailure: { readonly error: TokenError; readonly retryAt: number } | undefined;
  /** The token, if a server refused it and it is to be replaced. */
  #refused: AccessToken | undefined;
  #refusals = 0;
  #refusalsUntil = 0;

  constructor(options: TokenSlotOptions) {
    this.#options = options;
  }

  /**
   * Returns a valid token: at once while one is cached, as a promise otherwise. The promise rejects with a TokenError.
   */
  get(wait?: GetOptions<AccessToken>): AccessToken | Promise<AccessToken> {
    const token = this.#token;
    const wallNow = this.#options.clock.now();
    this.usedAt = wallNow;
    if (token === undefined || token === wait?.otherThan) return this.#waitForNew(wallNow, wait);
    if (wallNow >= this.#checkedAt && wallNow < this.#freshUntil) return token;
    const now = this.#agedNow(token, wallNow, this.#monotonicStart);
    if (now >= token.expiresAt) return this.#waitForNew(wallNow, wait);
    if (now >= this.#schedule.softAt) return this.#refreshBehind(token, wallNow, now, wait);
    this.#checkedAt = wallNow;
    this.#freshUntil = wallNow + Math.min(this.#schedule.softAt - now, this.#trustMs(token));
    return token;
  }

  /**
   * A server refused this token. Returns whether another attempt, with another token, makes sense: the token was replaced
   * meanwhile, or is due for replacement now. Until there is another one it is still handed out, after a moment's wait: one
   * server that is wrong, while the authorization server is down, must not cost the calls of all others. Refusals that
   * follow each other closely change nothing, so that a server that refuses everything does not cost a token request for
   * each call.
   */
  refused(token: AccessToken): boolean {
    const isKnown = token !== this.#token || token === this.#refused;
    const retried = isKnown || this.#isRefusalDue();
    if (retried && !isKnown) {
      this.#refused = token;
      this.#reschedule({ softAt: 0, marginAt: 0 });
    }
    this.#options.onEvent?.({ kind: "refused", retried });
    return retried;
  }

  /**
   * A server missed a scope in this token. A scope may have been granted since it was issued: it is due for a refresh
   * behind the callers, as seldom as refusals may drop a token.
   */
  scopeMissed(token: AccessToken): void {
    if (token !== this.#token || !this.#isRefusalDue()) return;
    this.#reschedule({ ...this.#schedule, softAt: Math.min(this.#schedule.softAt, this.#options.clock.now()) });
  }

  #reschedule(schedule: RefreshSchedule): void {
    this.#schedule = schedule;
    this.#freshUntil = 0;
  }

  // For a moment the wall clock is believed alone: the monotonic one costs as much as all the rest. Were it set back in
  // that moment, the token would be used so much too long; so there has to be that much between refresh and expiry.
  #trustMs(token: AccessToken): number {
    return token.expiresAt - this.#schedule.softAt > trustMs ? trustMs : 0;
  }

  // The wall clock alone would hand out an expired token after it was set back, the monotonic clock alone after the
  // machine slept: the later of the two counts.
  #agedNow(token: AccessToken, wallNow: number, monotonicStart: number): number {
    const monotonic = this.#options.clock.monotonic?.();
    return monotonic === undefined ? wallNow : Math.max(wallNow, token.obtainedAt + monotonic - monotonicStart);
  }

  #isRefusalDue(): boolean {
    const { clock, random } = this.#options;
    const now = clock.now();
    if (isWithinPause(now, this.#refusalsUntil)) return false;
    if (now >= this.#refusalsUntil + 60_000) this.#refusals = 0;
    this.#refusals += 1;
    this.#refusalsUntil = now + backoffMs(this.#refusals, undefined, random);
    return true;
  }

  #refreshBehind(
    token: AccessToken,
    wallNow: number,
    now: number,
    wait: WaitOptions = {},
  ): AccessToken | Promise<AccessToken> {
    const refresh = this.#refresh(wallNow);
    if (now < this.#schedule.marginAt) return token;
    // Timers are no finer than that: who waited would find the token expired.
    const isLastMoment = token.expiresAt - now < 20;
    if (!(refresh instanceof Promise) || isLastMoment) return this.#stale(token, now);
    this.#waiters += 1;
    const { clock } = this.#options;
    const monotonicStart = this.#monotonicStart;
    const rest = wait.deadline === undefined ? Infinity : Math.max(0, (wait.deadline - wallNow) / 2);
    // Not so long that the token expires meanwhile: a call that came in time must not fail.
    const patience = Math.min(marginWaitMs, rest, (token.expiresAt - now) / 2);
    return waitBriefly(refresh, patience, wait.signal, clock, () => {
      const later = this.#agedNow(token, clock.now(), monotonicStart);
      // It may have expired during the wait: then there is nothing left but to wait for the new one.
      return later < token.expiresAt ? this.#stale(token, later) : this.#waitFor(refresh, wait);
    });
  }

  #stale(token: AccessToken, now: number): AccessToken {
    this.#options.onEvent?.({ kind: "stale", remainingMs: token.expiresAt - now });
    return token;
  }

  async #waitForNew(wallNow: number, wait: WaitOptions = {}): Promise<AccessToken> {
    const refresh = this.#refresh(wallNow);
    if (!(refresh instanceof Promise)) throw refresh;
    this.#waiters += 1;
    return await this.#waitFor(refresh, wait);
  }

  #waitFor(refresh: Promise<AccessToken>, wait: WaitOptions): Promise<AccessToken> {
    return waitUnlessCancelled(refresh, wait, this.#options.clock, (reason) => {
      const last = this.#lastFailure === undefined ? "" : `; before that: ${this.#lastFailure.error.message}`;
      return this.#options.toError("cancelled", `${reason} while the token was requested${last}`, this.#failures + 1);
    });
  }

  /** Starts a request unless one is in flight; the last failure while that says to leave the server alone. */
  #refresh(wallNow: number): Promise<AccessToken> | TokenError {
    if (this.#inFlight !== undefined) return this.#inFlight;
    const failure = this.#lastFailure;
    if (failure !== undefined && isWithinPause(wallNow, failure.retryAt)) return failure.error;
    this.#waiters = 0;
    const request = this.#request(wallNow);
    this.#inFlight = request;
    // Nobody may be waiting: a failure is remembered, not thrown at the process.
    request.catch(() => {});
    return request;
  }

  async #request(sentAt: number): Promise<AccessToken> {
    const previousFailures = this.#failures;
    const monotonicStart = this.#options.clock.monotonic?.() ?? 0;
    try {
      const token = await this.#options.request();
      const refreshLagMs = this.#store(token, monotonicStart + this.#delay(token, sentAt, monotonicStart));
      this.#tell(sentAt, previousFailures, { outcome: "issued", token, refreshLagMs });
      return token;
    } catch (error) {
      const failure = this.#remember(error);
      const outcome = failure.kind === "refused" ? "refused" : "unavailable";
      this.#tell(sentAt, previousFailures, { outcome, oauthError: failure.oauthError });
      throw failure;
    } finally {
      this.#inFlight = undefined;
    }
  }

  /** How long it took until the token was asked for: discovery may come first, and is no part of a token's life. */
  #delay(token: AccessToken, startedAt: number, monotonicStart: number): number {
    const elapsed = (this.#options.clock.monotonic?.() ?? 0) - monotonicStart;
    return Math.min(Math.max(token.obtainedAt - startedAt, 0), Math.max(elapsed, 0));
  }

  #tell(
    sentAt: number,
    previousFailures: number,
    end: {
      readonly outcome: TokenRequestEvent["outcome"];
      readonly token?: AccessToken;
      readonly refreshLagMs?: number | undefined;
      readonly oauthError?: string | undefined;
    },
  ): void {
    const { outcome, token, refreshLagMs, oauthError } = end;
    this.#options.onEvent?.({
      kind: "request",
      outcome,
      oauthError,
      durationMs: this.#options.clock.now() - sentAt,
      previousFailures,
      waiters: this.#waiters,
      lifetimeMs: token === undefined ? undefined : token.expiresAt - token.obtainedAt,
      refreshLagMs,
    });
  }

  /** Keeps a new token. Returns how long after its due time it came, if it replaces one. */
  #store(token: AccessToken, monotonicStart: number): number | undefined {
    const { clock, random, refreshBeforeMs } = this.#options;
    const now = this.#agedNow(token, clock.now(), monotonicStart);
    if (token.expiresAt <= now) {
      throw new ClientRequestFailure("refused", "the authorization server issued a token that has expired already");
    }
    const previous = this.#token;
    // A refused token was not due, whatever the schedule says.
    const { softAt } = this.#schedule;
    const lag = previous === undefined || softAt === 0 ? undefined : Math.max(0, now - softAt);
    this.#reschedule(scheduleRefresh(token, refreshBeforeMs, random));
    if (previous !== undefined && token.expiresAt - previous.expiresAt < stickyToleranceMs) {
      // The same token once more: ask again at half of what is left, not with every call.
      this.#reschedule({ ...this.#schedule, softAt: now + (token.expiresAt - now) / 2 });
    }
    this.#monotonicStart = monotonicStart;
    this.#token = token;
    this.#failures = 0;
    this.#lastFailure = undefined;
    return lag;
  }

  #remember(reason: unknown): TokenError {
    const { clock, random, toError } = this.#options;
    const failure =
      reason instanceof ClientRequestFailure
        ? reason
        : new ClientRequestFailure("refused", "the token request could not be made; check the credential");
    this.#failures += 1;
    const lifetime = this.#token === undefined ? undefined : this.#token.expiresAt - this.#token.obtainedAt;
    const pause = failure.retryAfterMs ?? backoffMs(this.#failures, lifetime, random);
    const error = toError(failure.kind, failure.message, this.#failures, failure.oauthError);
    this.#lastFailure = { error, retryAt: clock.now() + pause };
    return error;
  }
}
