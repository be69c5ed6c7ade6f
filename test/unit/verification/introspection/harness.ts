// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { expect } from "vitest";
import { clientSecret } from "../../../../src/credentials/client-secret.js";
import { standardProvider } from "../../../../src/providers/provider.js";
import type { IntrospectorOptions } from "../../../../src/verification/introspection/introspection-options.js";
import { createIntrospector, type Introspector } from "../../../../src/verification/introspection/introspector.js";
import type { Introspected, Verdict } from "../../../../src/verification/introspection/verdict.js";
import type { TokenRefusal } from "../../../../src/verification/refusal.js";
import type { IntrospectionEvent } from "../../../../src/verification/server-event.js";
import { createFakeClock, type FakeClock } from "../../../support/fake-clock.js";
import {
  createFakeIntrospectionEndpoint,
  type FakeIntrospectionEndpoint,
  type FakeIntrospectionOptions,
} from "../../../support/fake-introspection-endpoint.js";

// Nothing in here occurs in a message by chance; the blank and the + show when encoded.
export const secret = "Xq7!vBn2 +Lw9/Rk4=Zt6&Yp8?Hs3";
export const token = "Zk7+pQ9/xW2~mN4.vB6-cT8_rL1=";

/** An introspector, and everything around it. */
export interface Harness {
  readonly introspector: Introspector;
  readonly server: FakeIntrospectionEndpoint;
  readonly clock: FakeClock;
  readonly events: IntrospectionEvent[];
  /** Introspects, and waits for the verdict. */
  ask(value?: string): Promise<Verdict>;
  /** As ask(), which is expected to find the token active. */
  active(value?: string): Promise<Introspected>;
  /** As ask(), which is expected to refuse. */
  refusal(value?: string): Promise<TokenRefusal>;
}

type Options = Partial<IntrospectorOptions> & { readonly server?: FakeIntrospectionOptions };

/** Sets up an introspector. Pauses are as long as they can be. */
export function setUp({ server: serverOptions = {}, ...options }: Options = {}): Harness {
  const server = createFakeIntrospectionEndpoint(serverOptions);
  const clock = createFakeClock();
  const events: IntrospectionEvent[] = [];
  const introspector = createIntrospector({
    issuer: server.issuer,
    clientId: "payment-service",
    credential: clientSecret(secret),
    provider: standardProvider,
    timeoutMs: 10_000,
    fetch: server.fetch,
    clock,
    onEvent: (event) => void events.push(event),
    random: () => 1,
    ...options,
  });
  const ask = async (value: string = token): Promise<Verdict> => await introspector.introspect(value);
  return {
    introspector,
    server,
    clock,
    events,
    ask,
    async active(value) {
      const verdict = await ask(value);
      expect(verdict).toHaveProperty("claims");
      return verdict as Introspected;
    },
    async refusal(value) {
      const verdict = await ask(value);
      expect(verdict).toHaveProperty("reason");
      return verdict as TokenRefusal;
    },
  };
}

/** Whether a verdict is there at once. */
export function isImmediate(verdict: unknown): boolean {
  return !(verdict instanceof Promise);
}

/** Many tokens that differ. */
export function tokens(count: number, prefix = "token"): string[] {
  return Array.from({ length: count }, (_, index) => `${prefix}-${index}`);
}
