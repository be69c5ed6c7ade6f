// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import type { JWK } from "jose";
import type { Provider } from "../../src/providers/provider.js";
import type { RefusalReason } from "../../src/verification/refusal.js";
import type { Field } from "../support/http2-frames.js";
import type { Answer, TestKey } from "../support/issuer.js";
import type { ServiceName } from "./lab/vault.js";
import type { Way } from "./lab/ways.js";
import type { World } from "./lab/world.js";

/**
 * How an attack has to end: with a refusal of ours, with an answer of the router that there is no such RPC, or as no
 * request at all. Controls are let in: what they send looks odd, and is none the worse for it.
 */
export type Verdict = RefusalReason | "allowed" | "not routed" | "not HTTP";

/** What goes into a request. A text is a token, sent as it should be. */
export type Forged = string | ForgedRequest;

export interface ForgedRequest {
  /** Header lines beside those of the protocol, in order. */
  readonly fields?: readonly Field[];
  /** Makes the path out of the RPC's. */
  readonly path?: (path: string) => string;
  /** The text of the message. By default, "hello". */
  readonly text?: string;
  /** The HTTP method, where it is not what the protocol says. */
  readonly method?: string;
  /** The content type, likewise. */
  readonly contentType?: string;
  /** What is sent in the place of a message. */
  readonly message?: Uint8Array;
  /** How long the body claims to be; of it, nothing is sent. */
  readonly claimedLength?: number;
  /** Whether the message is compressed with gzip. */
  readonly gzip?: boolean;
  /** What no output may show a part of. By default, the values of `fields`. */
  readonly secrets?: readonly string[];
}

/** What stands around an attack, where it is not what it usually is. */
export interface WorldOptions {
  /** The keys that the issuer publishes. */
  readonly keys?: readonly (TestKey | JWK)[];
  readonly provider?: Provider;
  readonly algorithms?: readonly string[];
  /** Whether a second issuer is trusted besides. */
  readonly secondIssuer?: boolean;
  /** What the issuer answers to whoever asks for its metadata. By default, what it should. */
  readonly metadata?: Answer;
  /** What the issuer answers to whoever asks about an opaque token. By default, it is not asked. */
  readonly introspects?: Answer;
  /** Whether proofs of possession are taken, and whether they need a nonce. By default, they are not. */
  readonly dpop?: "plain" | "nonce";
  /** How much time has passed since the keys were fetched, in milliseconds. By default, 60,000. */
  readonly keyAgeMs?: number;
}

/** One row of the attack table. */
export interface Attack {
  /** What the attacker does, as a sentence. */
  readonly name: string;
  /** The CVE, or the section of the standard that is violated. */
  readonly reference: string;
  /** The check that stops it, by its id in `guards`; "none" for controls. Without it, the row turns red. */
  readonly guard: string;
  readonly verdict: Verdict;
  readonly forge: (way: Way) => Forged;
  /** The service whose RPCs are called. By default, Vault: any caller with the scope "vault:read". */
  readonly service?: ServiceName;
  /** The ways to call on which it can be expressed. By default, all. */
  readonly on?: (way: Way) => boolean;
  /** How many requests to authorization servers it causes at most, on all ways together. By default, none. */
  readonly outbound?: number;
  readonly world?: WorldOptions;
  /** What happens first, on each way anew. */
  readonly before?: (scene: Scene) => Promise<void>;
  /** What happens once the handler was entered, which waits for ever: the attack is on a call that is under way. */
  readonly during?: (scene: Scene) => Promise<void> | void;
}

/** What a row can do beyond its one request. */
export interface Scene {
  readonly world: World;
  readonly way: Way;
  /** Makes another call the same way. Says how it ended. */
  call(forged: Forged): Promise<Verdict | string>;
  /** Makes a call of another service the same way. */
  callOther(service: ServiceName, forged: Forged): Promise<Verdict | string>;
}

type Row = Omit<Attack, "reference" | "guard" | "verdict" | "name" | "forge">;

/** Rows of one family that one check stops. */
export function stoppedBy(guard: Attack["guard"], reference: string, verdict: Verdict = "TOKEN_INVALID") {
  return (name: string, forge: Attack["forge"], more: Row & { readonly reference?: string } = {}): Attack => ({
    name,
    reference,
    guard,
    verdict,
    forge,
    ...more,
  });
}

/** A row that is let in. */
export function control(name: string, reference: string, forge: Attack["forge"], more: Row = {}): Attack {
  return { name, reference, guard: "none", verdict: "allowed", forge, ...more };
}
