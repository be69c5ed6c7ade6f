// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import type { Attributes, Meter } from "@opentelemetry/api";
import type { RefusalReason } from "../verification/refusal.js";
import type { ServerEvent } from "../verification/server-event.js";

/** Records what a resource server tells, decisions aside: rare events, which instruments take as they come. */
export function createServerEventRecorder(meter: Meter): (event: ServerEvent) => void {
  const instruments = createInstruments(meter);
  const attributesOf = createAttributes();
  return (event) => {
    const seconds = event.durationMs / 1000;
    const attributes = attributesOf(event.issuer, event.outcome);
    switch (event.kind) {
      case "verification":
        instruments.verification.record(seconds, attributes);
        break;
      case "keys":
        instruments.refreshes.add(1, attributes);
        instruments.refresh.record(seconds, attributes);
        instruments.keys.record(event.keys, attributesOf(event.issuer, undefined));
        break;
      case "introspection":
        instruments.requests.add(1, attributes);
        instruments.request.record(seconds, attributes);
        break;
    }
  };
}

function createInstruments(meter: Meter) {
  const duration = (name: string, description: string, explicitBucketBoundaries: number[]) =>
    meter.createHistogram(name, { unit: "s", description, advice: { explicitBucketBoundaries } });
  const counter = (name: string, description: string) => meter.createCounter(name, { unit: "{request}", description });
  return {
    verification: duration(
      "meshauth.server.token.verification.duration",
      "Duration of verifications of tokens that were not cached",
      // From a signature check, tens of microseconds, to waiting for keys until the time-out.
      [0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 0.5, 1, 5, 10],
    ),
    refreshes: counter("meshauth.server.key.refreshes", "Requests for the keys of an issuer"),
    refresh: duration("meshauth.server.key.refresh.duration", "Duration of requests for keys", requestBuckets),
    keys: meter.createGauge("meshauth.server.key.count", { unit: "{key}", description: "Keys of an issuer in use" }),
    requests: counter("meshauth.server.introspection.requests", "Introspection requests"),
    request: duration(
      "meshauth.server.introspection.request.duration",
      "Duration of introspection requests",
      requestBuckets,
    ),
  };
}

const requestBuckets = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10];

type Outcome = ServerEvent["outcome"] | undefined;

/** How many issuers are told apart; a server is configured with a few. */
const maxIssuers = 100;

// Made once for each issuer and outcome: a verification is no place to build objects.
function createAttributes(): (issuer: string | undefined, outcome: Outcome) => Attributes {
  const byIssuer = new Map<string | undefined, Map<Outcome, Attributes>>();
  return (issuer, outcome) => {
    const known = byIssuer.has(issuer) || byIssuer.size < maxIssuers ? issuer : other;
    let byOutcome = byIssuer.get(known);
    if (byOutcome === undefined) {
      byOutcome = new Map();
      byIssuer.set(known, byOutcome);
    }
    let attributes = byOutcome.get(outcome);
    if (attributes === undefined) {
      attributes = { ...issuerAttributes(known), ...outcomeAttributes(outcome) };
      byOutcome.set(outcome, attributes);
    }
    return attributes;
  };
}

const other = "_OTHER";

// Several issuers may share a host, such as the realms of Keycloak.
function issuerAttributes(issuer: string | undefined): Attributes {
  if (issuer === undefined) return {};
  return { ...(issuer !== other && { "server.address": new URL(issuer).hostname }), "meshauth.issuer": issuer };
}

function outcomeAttributes(outcome: Outcome): Attributes {
  if (outcome === undefined) return {};
  return outcomes.has(outcome) ? { outcome } : { outcome: "refused", "error.type": outcome };
}

/** The outcomes that are no reason of a refusal. */
const outcomes: ReadonlySet<Outcome> = new Set<Exclude<Outcome, RefusalReason | undefined>>([
  "valid",
  "refreshed",
  "failed",
  "active",
  "inactive",
  "unavailable",
]);
