// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { isTimeout, isTransientStatus, networkReason } from "../discovery/discovery-failure.js";
import { parseRetryAfter } from "../discovery/retry-after.js";
import type { Clock } from "../platform/clock.js";
import type { Exchange } from "./exchange.js";
import { readOAuthRefusal } from "./oauth-refusal.js";

/** What is known of a failure beside its kind. */
export interface ClientRequestFailureDetails {
  readonly oauthError?: string | undefined;
  readonly retryAfterMs?: number | undefined;
  readonly status?: number | undefined;
}

/**
 * Why one request to the authorization server, made as a client, did not bring what it was made for. Carries nothing of
 * the request and no more of the answer than its status and error.
 */
export class ClientRequestFailure extends Error {
  /** "unavailable" may pass by itself; "refused" needs somebody to change something. */
  readonly kind: "unavailable" | "refused";
  /** The `error` of the answer (RFC 6749 §5.2), if it gave one. */
  readonly oauthError: string | undefined;
  /** The Retry-After header of the answer, in milliseconds from now. */
  readonly retryAfterMs: number | undefined;
  /** The HTTP status of the answer, if there was one. */
  readonly status: number | undefined;

  constructor(kind: ClientRequestFailure["kind"], reason: string, details: ClientRequestFailureDetails = {}) {
    super(reason);
    this.kind = kind;
    this.oauthError = details.oauthError;
    this.retryAfterMs = details.retryAfterMs;
    this.status = details.status;
  }
}

/** Endpoints that clients authenticate at, and the RFCs that say how they answer. */
const endpointRfcs = { token: "RFC 6749", introspection: "RFC 7662" } as const;

/** The name of such an endpoint. */
export type EndpointName = keyof typeof endpointRfcs;

// openid-client's errors can carry the request's secret and the answer's token in their causes: none of them is kept.
export function toClientRequestFailure(
  endpoint: EndpointName,
  error: unknown,
  exchange: Exchange,
  isSecret: (text: string) => boolean,
  clock: Clock,
): ClientRequestFailure {
  const { request, response, isTooLarge } = exchange;
  if (request === undefined) return unsendable(endpoint);
  if (response === undefined) {
    const reason = `the ${endpoint} endpoint cannot be reached (${networkReason(error)})`;
    return new ClientRequestFailure("unavailable", reason);
  }
  const { status } = response;
  if (isTooLarge === true) {
    return new ClientRequestFailure("unavailable", `the ${endpoint} endpoint's answer is too large`, { status });
  }
  if (isTimeout(error)) {
    return new ClientRequestFailure("unavailable", `the ${endpoint} endpoint's answer timed out`, { status });
  }
  const retryAfterMs = parseRetryAfter(response.headers.get("retry-after"), clock);
  if (isTransientStatus(status)) {
    const reason = `the ${endpoint} endpoint answered with HTTP ${status}`;
    return new ClientRequestFailure("unavailable", reason, { retryAfterMs, status });
  }
  const refusal = readOAuthRefusal(error, status, isSecret);
  if (refusal !== undefined) {
    const { text, error: oauthError } = refusal;
    const reason = `the ${endpoint} endpoint refused${text}`;
    return new ClientRequestFailure("refused", reason, { oauthError, retryAfterMs, status });
  }
  const reason = `the ${endpoint} endpoint answered with HTTP ${status}, but not as ${endpointRfcs[endpoint]} says`;
  return new ClientRequestFailure("unavailable", reason, { retryAfterMs, status });
}

/** Says that a request could not even be made. */
export function unsendable(endpoint: EndpointName): ClientRequestFailure {
  return new ClientRequestFailure("refused", `the ${endpoint} request could not be made; check the credential`);
}
