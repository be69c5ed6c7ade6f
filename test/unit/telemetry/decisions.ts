// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import type { DecisionEvent } from "../../../src/verification/decision/decision.js";

/** An allowed call, changed as a test needs. */
export function allowedCall(changes: Partial<DecisionEvent> = {}): DecisionEvent {
  return {
    time: new Date(Date.UTC(2026, 0, 1)),
    rpc: "payment.v1.PaymentService/Charge",
    protocol: "connect",
    peer: "10.0.0.7:53312",
    decision: "allow",
    enforced: true,
    reason: undefined,
    cause: undefined,
    next: undefined,
    audience: "https://payment-service.internal",
    required: [["payments:write"]],
    granted: ["payments:write"],
    clientId: "order-service",
    issuer: "https://login.example.com",
    tokenId: "token-7",
    tokenCheck: "cached",
    ...changes,
  };
}

/** A refused call, changed as a test needs. */
export function refusedCall(changes: Partial<DecisionEvent> = {}): DecisionEvent {
  return allowedCall({
    decision: "refuse",
    reason: "SCOPE_INSUFFICIENT",
    cause: "the token lacks payments:write",
    granted: ["payments:read"],
    ...changes,
  });
}
