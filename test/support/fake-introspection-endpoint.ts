// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { type Answer, createFakeTokenEndpoint, json, type SeenRequest } from "./fake-token-endpoint.js";

/** An authorization server without sockets that introspects tokens. */
export interface FakeIntrospectionEndpoint {
  readonly issuer: string;
  readonly url: string;
  /** Takes the place of the global fetch. */
  readonly fetch: typeof fetch;
  /** Every request, in order; those for metadata; those about tokens. */
  readonly requests: readonly SeenRequest[];
  readonly discoveryRequests: readonly SeenRequest[];
  readonly introspections: readonly SeenRequest[];
  /** The tokens that are active, and what the answers say of them. All others are not. */
  readonly active: Map<string, Record<string, unknown>>;
  /** Scripts the next answers to discovery requests. */
  answerDiscovery(...answers: Answer[]): void;
  /** Scripts the next answers to introspection requests, one each. */
  answer(...answers: Answer[]): void;
  /** Resolves when so many requests were seen in all. */
  seen(count: number): Promise<void>;
}

/** How a fake introspection endpoint is set up. */
export interface FakeIntrospectionOptions {
  readonly issuer?: string;
  readonly url?: string;
  readonly metadata?: Readonly<Record<string, unknown>>;
}

/** Creates a fake authorization server. */
export function createFakeIntrospectionEndpoint(options: FakeIntrospectionOptions = {}): FakeIntrospectionEndpoint {
  const { issuer = "https://login.test" } = options;
  const { url = `${issuer}/introspect` } = options;
  const active = new Map<string, Record<string, unknown>>();
  const server = createFakeTokenEndpoint({
    issuer,
    tokenEndpoint: url,
    metadata: { token_endpoint: `${issuer}/token`, introspection_endpoint: url, ...options.metadata },
    answer(request) {
      const claims = active.get(request.form.get("token") ?? "");
      return json(200, claims === undefined ? { active: false } : { active: true, ...claims })(request);
    },
  });
  return {
    issuer,
    url,
    fetch: server.fetch,
    requests: server.requests,
    get discoveryRequests() {
      return server.discoveryRequests;
    },
    get introspections() {
      return server.tokenRequests;
    },
    active,
    answerDiscovery: server.answerDiscovery,
    answer: server.answerToken,
    seen: server.seen,
  };
}
