// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { type Attributes, type MeterProvider, metrics } from "@opentelemetry/api";
import type { TokenEvent, TokenSubject } from "../tokens/token-event.js";

/** Options of createTokenMetrics(). */
export interface TokenMetricsOptions {
  /** Where instruments come from. By default, the global meter provider. */
  readonly meterProvider?: MeterProvider;
}

/**
 * Creates a listener for `onEvent` of a token source that records OpenTelemetry metrics:
 *
 * - `meshauth.client.token.requests` ({request}): token requests, by `outcome` and `error.type`
 * - `meshauth.client.token.request.duration` (s)
 * - `meshauth.client.token.waiters` ({caller}): callers that waited for one request
 * - `meshauth.client.token.lifetime` (s): of issued tokens
 * - `meshauth.client.token.refresh.lag` (s): from the due time of a refresh to the new token
 * - `meshauth.client.token.stale` ({call}), `meshauth.client.token.remaining_lifetime` (s): calls that got a token whose
 *   refresh is overdue, and how long it was still valid
 * - `meshauth.client.token.refused` ({call}): tokens that a server refused, by `meshauth.retried`
 * - `meshauth.client.token.warnings` ({finding}): tokens that the resource server will not accept
 *
 * Each has `server.address` (the host of the issuer), `meshauth.client_id` and `meshauth.audience`: as many series as a
 * service has audiences.
 */
export function createTokenMetrics(options: TokenMetricsOptions = {}): (event: TokenEvent) => void {
  const instruments = createInstruments(options.meterProvider ?? metrics);
  return (event) => {
    const attributes = attributesOf(event);
    switch (event.kind) {
      case "request":
        recordRequest(instruments, event, attributes);
        break;
      case "stale":
        instruments.stale.add(1, attributes);
        instruments.remaining.record(event.remainingMs / 1000, attributes);
        break;
      case "refused":
        instruments.refused.add(1, { ...attributes, "meshauth.retried": event.retried });
        break;
      case "warning":
        instruments.warnings.add(1, attributes);
        break;
    }
  };
}

type Instruments = ReturnType<typeof createInstruments>;

function createInstruments(provider: Pick<MeterProvider, "getMeter">) {
  const meter = provider.getMeter("meshauth");
  const counter = (name: string, unit: string, description: string) =>
    meter.createCounter(`meshauth.client.token.${name}`, { unit, description });
  const histogram = (name: string, unit: string, description: string) =>
    meter.createHistogram(`meshauth.client.token.${name}`, { unit, description });
  return {
    requests: counter("requests", "{request}", "Token requests"),
    duration: histogram("request.duration", "s", "Duration of token requests"),
    waiters: histogram("waiters", "{caller}", "Callers that waited for one token request"),
    lifetime: histogram("lifetime", "s", "Lifetime of issued tokens"),
    lag: histogram("refresh.lag", "s", "From the due time of a refresh to the new token"),
    stale: counter("stale", "{call}", "Calls that got a token whose refresh is overdue"),
    remaining: histogram("remaining_lifetime", "s", "Remaining lifetime of tokens whose refresh is overdue"),
    refused: counter("refused", "{call}", "Tokens that a server refused"),
    warnings: counter("warnings", "{finding}", "Issued tokens that the resource server will not accept"),
  };
}

function recordRequest(
  { requests, duration, waiters, lifetime, lag }: Instruments,
  event: Extract<TokenEvent, { kind: "request" }>,
  attributes: Attributes,
): void {
  const { outcome, oauthError, lifetimeMs, refreshLagMs } = event;
  const outcomeAttributes = {
    ...attributes,
    outcome,
    ...(outcome === "issued" ? {} : { "error.type": knownError(oauthError) ?? outcome }),
  };
  requests.add(1, outcomeAttributes);
  duration.record(event.durationMs / 1000, outcomeAttributes);
  waiters.record(event.waiters, attributes);
  if (lifetimeMs !== undefined) lifetime.record(lifetimeMs / 1000, attributes);
  if (refreshLagMs !== undefined) lag.record(refreshLagMs / 1000, attributes);
}

// What an authorization server answers is not ours to make series of: only the codes of RFC 6749 §5.2 and RFC 8707 §2.
const knownErrors = new Set([
  "invalid_request",
  "invalid_client",
  "invalid_grant",
  "unauthorized_client",
  "unsupported_grant_type",
  "invalid_scope",
  "invalid_target",
]);

function knownError(error: string | undefined): string | undefined {
  return error !== undefined && knownErrors.has(error) ? error : undefined;
}

function attributesOf({ issuer, clientId, audience }: TokenSubject): Attributes {
  return {
    "server.address": new URL(issuer).hostname,
    "meshauth.client_id": clientId,
    "meshauth.audience": audience,
  };
}
