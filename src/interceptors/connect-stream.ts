// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import type { StreamRequest, StreamResponse } from "@connectrpc/connect";
import type { Decision } from "../verification/decision/decision.js";
import type { ResourceServer } from "../verification/resource-server.js";
import { containEscapedRefusal, refusalToConnectError } from "./connect-error.js";
import { TokenExpiryTimer } from "./token-expiry-timer.js";

/** A call that was let in. */
export type Admission = Extract<Decision, { allowed: true }>;

type StreamFn = (request: StreamRequest) => Promise<StreamResponse>;

/** Handles a stream that was let in: to its end, or until its token expires, as its rule says. */
export async function followStream(
  { clock, clockToleranceMs, enforces }: ResourceServer,
  { rule, principal }: Admission,
  request: StreamRequest,
  next: StreamFn,
): Promise<StreamResponse> {
  if (principal === undefined || rule.rule.onTokenExpiry === "keep" || !enforces) {
    const response = await next(request);
    return { ...response, message: containErrors(response.message) };
  }
  const timer = new TokenExpiryTimer(clock, principal.expiresAt + clockToleranceMs, () =>
    refusalToConnectError({
      reason: "TOKEN_EXPIRED",
      cause: "the token expired during the stream",
      audience: rule.audience,
      stream: true,
    }),
  );
  try {
    const signal = AbortSignal.any([request.signal, timer.signal]);
    const message = untilExpiry(request.message, timer);
    const response = await timer.race(next({ ...request, signal, message }));
    return { ...response, message: containErrors(untilExpiry(response.message, timer), timer) };
  } catch (error) {
    timer.stop();
    throw error;
  }
}

/** The messages of a handler. What ends them at their token's expiry is a refusal of ours, and stays one. */
async function* containErrors<T>(messages: AsyncIterable<T>, timer?: TokenExpiryTimer): AsyncGenerator<T> {
  try {
    yield* messages;
  } catch (error) {
    throw timer?.expired === true ? timer.signal.reason : containEscapedRefusal(error);
  } finally {
    timer?.stop();
  }
}

/** The messages of a stream, in either direction, until its token expires. */
async function* untilExpiry<T>(messages: AsyncIterable<T>, timer: TokenExpiryTimer): AsyncGenerator<T> {
  const iterator = messages[Symbol.asyncIterator]();
  let finished = false;
  try {
    for (;;) {
      const result = await timer.race(iterator.next());
      finished = result.done === true;
      if (result.done === true) return;
      yield result.value;
    }
  } finally {
    // The other side may be waiting for something that never comes; nobody waits for it here.
    if (!finished) iterator.return?.().catch(() => {});
  }
}
