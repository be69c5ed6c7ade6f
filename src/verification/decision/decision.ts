// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import type { RpcRule } from "../../rules/rule-set.js";
import type { Principal } from "../principal.js";
import type { Refusal, RefusalReason } from "../refusal.js";

/** What a resource server decides of one call. */
export type Decision =
  | {
      readonly allowed: true;
      readonly rule: RpcRule;
      readonly principal: Principal | undefined;
      /** The nonce for the caller's next DPoP proof, to go with the answer (RFC 9449 §8.2). */
      readonly dpopNonce?: string;
    }
  | { readonly allowed: false; readonly refusal: Refusal };

/** How a token was looked at: not at all, found among those that were verified before, or verified. */
export type TokenCheck = "none" | "cached" | "verified";

/** One decision, for an audit log. Holds no token and no part of one. */
export interface DecisionEvent {
  /** When it was decided. */
  readonly time: Date;
  /** "payment.v1.PaymentService/Charge" */
  readonly rpc: string;
  /** "connect", "grpc", "grpc-web" or "grpc-js". */
  readonly protocol: string;
  /**
   * Address and port of the other end, "10.0.0.7:53312", as far as the transport tells. Looked up when it is read;
   * later than in the listener, the connection may be gone.
   */
  readonly peer: string | undefined;
  readonly decision: "allow" | "refuse";
  /** Whether it counted. A refusal that did not went through: see `enforcement`. */
  readonly enforced: boolean;
  /** Why it was refused. */
  readonly reason: RefusalReason | undefined;
  /** The exact cause of a refusal; more than the caller is told. */
  readonly cause: string | undefined;
  /** The audience that a token for the RPC must have; empty for public RPCs of services without one. */
  readonly audience: string;
  /** The alternatives that the rule offers; empty where any valid token, or none, is enough. */
  readonly required: readonly (readonly string[])[];
  /** The scopes of the verified token, sorted; `undefined` if there is none. */
  readonly granted: readonly string[] | undefined;
  /** Who called, by the verified token. */
  readonly clientId: string | undefined;
  readonly issuer: string | undefined;
  readonly tokenId: string | undefined;
  readonly tokenCheck: TokenCheck;
  /** What the rule's `next` would have said: "allow", or the reason of its refusal. `undefined` without a `next`. */
  readonly next: "allow" | RefusalReason | undefined;
}
