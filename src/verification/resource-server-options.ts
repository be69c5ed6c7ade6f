// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import type { DescService } from "@bufbuild/protobuf";
import { checkTimeout, defaultTimeoutMs } from "../discovery/discovery.js";
import { type Clock, systemClock } from "../platform/clock.js";
import { createHarmlessListener } from "../platform/listener.js";
import type { ConfiguredRule } from "../rules/rule-set.js";
import type { DecisionEvent } from "./decision/decision.js";
import type { DpopOptions } from "./dpop/dpop-options.js";
import { createDpopVerifier, type DpopVerifier } from "./dpop/dpop-verifier.js";
import type { ServerEvent } from "./server-event.js";
import { createTrustedIssuer, type IssuerOptions, type TrustedIssuer } from "./trusted-issuer.js";
import type { VerifierOptions } from "./verifier.js";

/** Options of createResourceServer(): what it serves, and one issuer, or several. */
export type ResourceServerOptions = CommonServerOptions & (SingleIssuerOptions | SeveralIssuersOptions);

/** One issuer whose tokens are taken. */
export interface SingleIssuerOptions extends IssuerOptions {
  readonly issuers?: undefined;
}

/** Several issuers whose tokens are taken, each with its own keys and rules. `iss` of a token says whose it is. */
export interface SeveralIssuersOptions {
  readonly issuers: readonly IssuerOptions[];
  readonly issuer?: undefined;
}

/** What does not depend on the issuer. */
export interface CommonServerOptions {
  /** The services that are served. Their protos say who may call, and for which audience tokens must be. */
  readonly services: readonly DescService[];
  /** Rules for services whose protos cannot declare any, such as health and reflection. By default, none. */
  readonly rules?: readonly ConfiguredRule[];
  /** How far clocks may be apart, in seconds. By default, 5. */
  readonly clockToleranceSeconds?: number;
  /**
   * How many verified tokens are remembered for each audience, so that their signatures are not verified again; 0 for none.
   * One takes about a kilobyte. By default, 10,000.
   */
  readonly maxCachedTokens?: number;
  /** Time-out of requests to the authorization server in milliseconds. By default, 10,000. */
  readonly timeoutMs?: number;
  /**
   * How the proofs of tokens that are bound to a key are checked (RFC 9449). By default, such tokens are refused. Tokens
   * that are bound to a certificate (RFC 8705) need no setting, only TLS that asks clients for one.
   */
  readonly dpop?: DpopOptions;
  /**
   * Whether refusals count. By default, they do. `letRefusedCallsThrough` reports them, to roll rules out on a server that
   * had none: **then nobody is kept out.**
   */
  readonly enforcement?: typeof letRefusedCallsThrough;
  /** Is told of every decision. By default, nobody is. Must not throw. */
  readonly onDecision?: (event: DecisionEvent) => void;
  /** Is told of verifications, key fetches and introspection. By default, nobody is. Must not throw. */
  readonly onEvent?: (event: ServerEvent) => void;
  /** Replaces the global fetch, for a proxy or a certificate authority of your own. */
  readonly fetch?: typeof fetch;
  /** The time. By default, the machine's. */
  readonly clock?: Clock;
}

/** For `enforcement` of createResourceServer(): every call is judged, and none is refused. */
export const letRefusedCallsThrough: unique symbol = Symbol("meshauth.letRefusedCallsThrough");

/** Checked options. */
export interface ServerSettings extends VerifierOptions {
  readonly dpop: DpopVerifier | undefined;
  readonly enforces: boolean;
  readonly onDecision: ((event: DecisionEvent) => void) | undefined;
}

/** Fills in defaults. Throws a TypeError that says what is wrong. */
export function validateServerOptions(options: ResourceServerOptions): ServerSettings {
  const { timeoutMs = defaultTimeoutMs, maxCachedTokens = 10_000, enforcement } = options;
  checkTimeout(timeoutMs);
  if (!(Number.isInteger(maxCachedTokens) && maxCachedTokens >= 0)) {
    throw new TypeError(`maxCachedTokens is ${maxCachedTokens}; give a whole number, 0 or more`);
  }
  if (enforcement !== undefined && enforcement !== letRefusedCallsThrough) {
    throw new TypeError("enforcement is neither left out nor letRefusedCallsThrough");
  }
  const clock = options.clock ?? systemClock;
  const clockToleranceMs = toleranceMs(options);
  return {
    issuers: readIssuers(options),
    dpop: options.dpop && createDpopVerifier({ ...options.dpop, clock, clockToleranceMs }),
    clockToleranceMs,
    maxCachedTokens,
    timeoutMs,
    enforces: enforcement === undefined,
    // A listener that fails must neither open nor close the door.
    onDecision: options.onDecision && createHarmlessListener(options.onDecision, "onDecision", "MESHAUTH_ON_DECISION"),
    onEvent: options.onEvent && createHarmlessListener(options.onEvent, "onEvent", "MESHAUTH_ON_EVENT"),
    fetch: options.fetch ?? ((input, init) => fetch(input, init)),
    clock,
  };
}

function readIssuers(options: ResourceServerOptions): readonly TrustedIssuer[] {
  if (options.issuers === undefined) return [createTrustedIssuer(options)];
  if (options.issuer !== undefined) throw new TypeError("give issuer or issuers, not both");
  if (options.issuers.length === 0) throw new TypeError("issuers is empty; list at least one");
  const issuers = options.issuers.map(createTrustedIssuer);
  const twice = issuers.find(({ issuer }, at) => issuers.findIndex((other) => other.issuer === issuer) !== at);
  if (twice !== undefined) throw new TypeError(`issuers has ${twice.issuer} twice`);
  if (issuers.filter(({ introspection }) => introspection !== undefined).length > 1) {
    throw new TypeError("issuers has introspection twice; an opaque token names no issuer, so only one can be asked");
  }
  return issuers;
}

function toleranceMs({ clockToleranceSeconds = 5 }: CommonServerOptions): number {
  if (!(clockToleranceSeconds >= 0 && clockToleranceSeconds <= 300)) {
    throw new TypeError(`clockToleranceSeconds is ${clockToleranceSeconds}; give a number of seconds from 0 to 300`);
  }
  return clockToleranceSeconds * 1000;
}
