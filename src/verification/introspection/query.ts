// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { ClientRequestFailure, unsendable } from "../../credentials/client-request-failure.js";
import type { Clock } from "../../platform/clock.js";
import { createHarmlessListener } from "../../platform/listener.js";
import { type Moment, momentOf } from "../../platform/moment.js";
import { invalid } from "../refusal.js";
import type { IntrospectionEvent } from "../server-event.js";
import type { Attempt, CoolDown } from "./cool-down.js";
import type { IntrospectionEndpoint } from "./introspection-endpoint.js";
import type { IntrospectorSettings } from "./introspection-options.js";
import { unavailable, type Verdict } from "./verdict.js";

/** A verdict, and how long it holds. */
export interface QueryResult {
  readonly verdict: Verdict;
  readonly askedAt: Moment;
  /** In milliseconds since the Unix epoch; `undefined` if it is about the endpoint rather than the token. */
  readonly until: number | undefined;
}

/** Asks the endpoint about one token, once. Never throws. */
export type Query = (token: string) => Promise<QueryResult>;

/** Creates a query, which tells the cool-down and the listener how each request ended. */
export function createQuery(
  settings: IntrospectorSettings,
  endpoint: IntrospectionEndpoint,
  coolDown: CoolDown,
): Query {
  const { clock, issuer, onEvent } = settings;
  const listener = onEvent && createHarmlessListener(onEvent, "onEvent", "MESHAUTH_ON_EVENT");

  return async (token) => {
    const attempt = coolDown.begin();
    // The answer is as old as the question: the token may have been revoked right behind it.
    const askedAt = momentOf(clock);
    const answer = await endpoint.introspect(token).catch(toFailure);
    const durationMs = momentOf(clock).monotonic - askedAt.monotonic;
    listener?.({ kind: "introspection", issuer, outcome: outcomeOf(answer), durationMs });
    if (answer instanceof ClientRequestFailure) return failed(answer, attempt, askedAt, clock);
    attempt.succeeded();
    return answer === undefined ? inactive(askedAt, settings) : active(answer, askedAt, settings);
  };
}

type Claims = Readonly<Record<string, unknown>>;

function toFailure(error: unknown): ClientRequestFailure {
  return error instanceof ClientRequestFailure ? error : unsendable("introspection");
}

function outcomeOf(answer: Claims | ClientRequestFailure | undefined): IntrospectionEvent["outcome"] {
  if (answer instanceof ClientRequestFailure) return "unavailable";
  return answer === undefined ? "inactive" : "active";
}

function active(claims: Claims, askedAt: Moment, settings: IntrospectorSettings): QueryResult {
  const { activeSeconds, inactiveSeconds } = settings;
  const { exp } = claims;
  const expiresAt = typeof exp === "number" && Number.isFinite(exp) ? exp * 1000 : Infinity;
  const usableUntil = Math.min(askedAt.wall + activeSeconds * 1000, expiresAt);
  // One that has expired by our clock is refused by its claims: it is not asked about with every call.
  const until = expiresAt <= askedAt.wall ? askedAt.wall + inactiveSeconds * 1000 : usableUntil;
  return { verdict: { claims, usableUntil }, askedAt, until };
}

function inactive(askedAt: Moment, { inactiveSeconds }: IntrospectorSettings): QueryResult {
  const verdict = invalid("the authorization server says that the token is not active");
  return { verdict, askedAt, until: askedAt.wall + inactiveSeconds * 1000 };
}

function failed(failure: ClientRequestFailure, attempt: Attempt, askedAt: Moment, clock: Clock): QueryResult {
  if (!isAboutToken(failure)) return { verdict: attempt.failed(failure), askedAt, until: undefined };
  attempt.succeeded();
  const pauseMs = failure.retryAfterMs ?? tokenPauseMs;
  return { verdict: unavailable(failure.message, pauseMs), askedAt, until: clock.now() + pauseMs };
}

// How long a token is not asked about again that the endpoint, or a firewall before it, does not take.
const tokenPauseMs = 5000;

const statusesAboutRequest = new Set([400, 403, 413, 414, 422, 431]);

// Whoever finds a token that is answered like that must not be able to close the endpoint for all others.
function isAboutToken({ status, oauthError }: ClientRequestFailure): boolean {
  const isAboutClient = oauthError === "invalid_client" || oauthError === "unauthorized_client";
  return status !== undefined && statusesAboutRequest.has(status) && !isAboutClient;
}
