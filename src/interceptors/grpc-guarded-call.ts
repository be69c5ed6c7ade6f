// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { Metadata, ServerInterceptingCall, type ServerInterceptingCallInterface, status } from "@grpc/grpc-js";
import { containEscapedStatus } from "./grpc-status.js";
import { dpopNonceHeader } from "./outcome.js";

type InterceptingListener = Parameters<ServerInterceptingCall["start"]>[0];
type PartialStatus = Parameters<ServerInterceptingCall["sendStatus"]>[0];

/** Checks a call by its metadata, and calls `admit` if it is let in. */
export type CheckCall = (call: GuardedCall, metadata: Metadata, admit: () => void) => void;

/**
 * A call whose messages nobody gets to see before it was let in. Passes everything on itself: what grpc-js does for
 * interceptors by its general way, with some closures for each step, costs more than the check.
 */
export class GuardedCall extends ServerInterceptingCall {
  readonly #call: ServerInterceptingCallInterface;
  readonly #check: CheckCall;
  #sentMetadata = false;
  #onEnd: (() => void) | undefined;
  /** Whether it has ended, by a status or because its client is gone. */
  isOver = false;
  /** Goes out with the metadata of the answer (RFC 9449 §8.2). */
  dpopNonce: string | undefined;

  constructor(call: ServerInterceptingCallInterface, check: CheckCall) {
    super(call);
    this.#call = call;
    this.#check = check;
  }

  /** Calls `task` when the call ends. */
  onEnd(task: () => void): void {
    this.#onEnd = task;
  }

  override start(listener: InterceptingListener): void {
    this.#call.start(new GuardedListener(this, listener, this.#check));
  }

  override sendMetadata(metadata: Metadata): void {
    this.#sentMetadata = true;
    if (this.dpopNonce !== undefined) metadata.set(dpopNonceHeader, this.dpopNonce);
    this.#call.sendMetadata(metadata);
  }

  override sendMessage(message: unknown, callback: () => void): void {
    if (!this.#sentMetadata) this.sendMetadata(new Metadata());
    this.#call.sendMessage(message, callback);
  }

  override sendStatus(ended: PartialStatus): void {
    this.finish();
    this.#call.sendStatus(containEscapedStatus(ended));
  }

  /** Ends the call with a status of ours. */
  refuse(refusal: PartialStatus): void {
    this.finish();
    this.#call.sendStatus(refusal);
  }

  finish(): void {
    this.isOver = true;
    this.#onEnd?.();
  }
}

class GuardedListener implements InterceptingListener {
  readonly #call: GuardedCall;
  readonly #listener: InterceptingListener;
  readonly #check: CheckCall;
  #isAdmitted = false;

  constructor(call: GuardedCall, listener: InterceptingListener, check: CheckCall) {
    this.#call = call;
    this.#listener = listener;
    this.#check = check;
  }

  onReceiveMetadata(metadata: Metadata): void {
    this.#check(this.#call, metadata, () => {
      this.#isAdmitted = true;
      this.#listener.onReceiveMetadata(metadata);
    });
  }

  // Messages are read when a handler asks for them, and there is none before the call was let in: unless somebody in front
  // of us reads ahead.
  onReceiveMessage(message: unknown): void {
    if (this.#isAdmitted) this.#listener.onReceiveMessage(message);
    else this.#call.refuse({ code: status.INTERNAL, details: "a message was read before the access check" });
  }

  onReceiveHalfClose(): void {
    this.#listener.onReceiveHalfClose();
  }

  onCancel(): void {
    this.#call.finish();
    this.#listener.onCancel();
  }
}
