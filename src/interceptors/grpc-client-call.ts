// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import {
  type InterceptingListener,
  type InterceptorOptions,
  Metadata,
  type NextCall,
  type StatusObject,
  status,
} from "@grpc/grpc-js";
import type { TokenRequirement } from "../rules/token-requirement.js";
import type { AccessToken } from "../tokens/access-token.js";
import type { TokenBinding } from "../tokens/dpop/token-binding.js";
import type { TokenSource } from "../tokens/token-source.js";
import { addProof } from "./grpc-proof.js";
import {
  nonceIn,
  requiredNonceIn,
  statusSaysScopeMissed,
  statusSaysTokenRefused,
  tokenErrorToStatus,
} from "./grpc-status.js";
import { goesWithoutToken } from "./grpc-without-token.js";

type InterceptingCallInterface = ReturnType<NextCall>;
type MessageContext = Parameters<InterceptingCallInterface["sendMessageWithContext"]>[0];

/** What one call of a grpc-js client needs. */
export interface AuthenticatedCallOptions {
  readonly tokenSource: TokenSource;
  readonly requirement: TokenRequirement;
  readonly callOptions: InterceptorOptions;
  readonly nextCall: NextCall;
  /** The URL of the RPC, which proofs name. By default, none is needed: tokens are not bound to a key. */
  readonly url?: string | undefined;
}

type UseToken = (token: AccessToken, authorized: Metadata) => void;

type Operation = (call: InterceptingCallInterface) => void;

const silent: InterceptingListener = { onReceiveMetadata() {}, onReceiveMessage() {}, onReceiveStatus() {} };

/**
 * A call that waits for its token, and is made again with another one if the server refuses the first. What the client
 * does with the call is recorded until the first message arrives, so that it can be done again.
 */
export class AuthenticatedCall implements InterceptingCallInterface {
  readonly #options: AuthenticatedCallOptions;
  readonly #deadline: number | undefined;
  readonly #cancelled = new AbortController();
  #metadata = new Metadata();
  #listener: InterceptingListener = silent;
  #call: InterceptingCallInterface | undefined;
  /** What was done with the call so far; `undefined` once it cannot be done again. */
  #recorded: Operation[] | undefined = [];
  /** What the client gets to see once it is certain that this attempt counts. */
  #held: (() => void)[] = [];
  #answered = false;
  #mayAddNonce = true;
  #cancelledWith: StatusObject | undefined;
  #ended = false;

  constructor(options: AuthenticatedCallOptions) {
    this.#options = options;
    this.#deadline = toTime(options.callOptions.deadline);
  }

  start(metadata: Metadata, listener?: Partial<InterceptingListener>): void {
    this.#metadata = metadata;
    this.#listener = { ...silent, ...bind(listener) };
    if (this.#cancelledWith !== undefined) {
      this.#listener.onReceiveStatus(this.#cancelledWith);
      return;
    }
    if (goesWithoutToken(metadata) || metadata.get("authorization").length > 0) {
      this.#begin(metadata, this.#listener);
      this.#recorded = undefined;
      return;
    }
    this.#withToken((token, authorized) => {
      this.#begin(authorized, this.#attempt(token, true));
      if (this.#options.callOptions.method_definition.requestStream) this.#recorded = undefined;
    });
  }

  sendMessageWithContext(context: MessageContext, message: unknown): void {
    this.#do((call) => call.sendMessageWithContext(context, message));
  }

  sendMessage(message: unknown): void {
    this.#do((call) => call.sendMessage(message));
  }

  startRead(): void {
    this.#do((call) => call.startRead());
  }

  halfClose(): void {
    this.#do((call) => call.halfClose());
  }

  cancelWithStatus(code: status, details: string): void {
    this.#cancelled.abort();
    if (this.#call !== undefined) {
      this.#call.cancelWithStatus(code, details);
      return;
    }
    this.#cancelledWith = { code, details, metadata: new Metadata() };
    this.#end(this.#cancelledWith);
  }

  getPeer(): string {
    return this.#call?.getPeer() ?? "unknown";
  }

  getAuthContext(): ReturnType<InterceptingCallInterface["getAuthContext"]> {
    return this.#call?.getAuthContext() ?? null;
  }

  #do(operation: Operation): void {
    this.#recorded?.push(operation);
    if (this.#call !== undefined) operation(this.#call);
  }

  /** Does something with a token, at once if there is one; ends the call if there is none. */
  #withToken(use: UseToken, otherThan?: AccessToken): void {
    const { tokenSource, requirement } = this.#options;
    const wait = { signal: this.#cancelled.signal, deadline: this.#deadline, otherThan };
    const token = tokenSource.get(requirement, wait);
    if (!(token instanceof Promise)) {
      this.#authorize(token, use);
      return;
    }
    token.then(
      (value) => this.#authorize(value, use),
      (error: unknown) => this.#end(tokenErrorToStatus(error)),
    );
  }

  #authorize(token: AccessToken, use: UseToken): void {
    const { url } = this.#options;
    if (token.dpop === undefined || url === undefined) {
      this.#attempting(() => use(token, withAuthorization(this.#metadata, token)));
      return;
    }
    withProof(this.#metadata, token, token.dpop, url).then(
      (authorized) => this.#attempting(() => use(token, authorized)),
      (error: unknown) => this.#end(tokenErrorToStatus(error)),
    );
  }

  // grpc-js throws where a call begins, for instance because the client was closed while the token was on its way.
  #attempting(action: () => void): void {
    if (this.#ended) return;
    try {
      action();
    } catch {
      this.#end({ code: status.UNAVAILABLE, details: "the channel cannot take a call", metadata: new Metadata() });
    }
  }

  #begin(metadata: Metadata, listener: InterceptingListener): void {
    const { nextCall, callOptions } = this.#options;
    const call = nextCall(callOptions);
    this.#call = call;
    call.start(metadata, listener);
    for (const operation of this.#recorded ?? []) operation(call);
  }

  // Metadata is held back until it is certain that this attempt counts: a client must not see it twice.
  #attempt(token: AccessToken, isFirst: boolean): InterceptingListener {
    return {
      onReceiveMetadata: (metadata) => {
        if (token.dpop !== undefined) this.#noteNonce(token.dpop, nonceIn(metadata));
        if (this.#recorded === undefined) this.#listener.onReceiveMetadata(metadata);
        else this.#held.push(() => this.#listener.onReceiveMetadata(metadata));
      },
      onReceiveMessage: (message) => {
        // Where one message is due and none came, grpc-js says so with null, right before the status that tells why.
        if (message === null && this.#recorded !== undefined) {
          this.#held.push(() => this.#listener.onReceiveMessage(message));
          return;
        }
        // From here on no refusal can be the gate's.
        this.#answered = message !== null;
        this.#settle();
        this.#listener.onReceiveMessage(message);
      },
      onReceiveStatus: (received) => {
        if (this.#answered || !this.#tryAgain(token, isFirst, received)) {
          this.#settle();
          this.#end(received);
        }
      },
    };
  }

  /** Learns from the status of an attempt, and makes the call again if that may help. Returns whether it does. */
  #tryAgain(token: AccessToken, isFirst: boolean, received: StatusObject): boolean {
    const otherMayDo = isFirst && this.#learn(token, received);
    const { audience } = this.#options.requirement;
    const nonceMayDo = token.dpop !== undefined && this.#noteNonce(token.dpop, requiredNonceIn(received, audience));
    if (this.#recorded === undefined || this.#cancelled.signal.aborted) return false;
    if (otherMayDo) this.#retry(token, received);
    else if (nonceMayDo && this.#mayAddNonce) this.#addNonce(token, isFirst);
    else return false;
    return true;
  }

  #settle(): void {
    this.#recorded = undefined;
    for (const deliver of this.#held.splice(0)) deliver();
  }

  /** Tells the token source what the end of a call says of its token. Returns whether another token may do better. */
  #learn(token: AccessToken, received: StatusObject): boolean {
    const { tokenSource, requirement } = this.#options;
    if (statusSaysTokenRefused(received, requirement.audience)) return tokenSource.refused(requirement, token);
    if (statusSaysScopeMissed(received, requirement.audience)) tokenSource.scopeMissed(requirement, token);
    return false;
  }

  #retry(refused: AccessToken, received: StatusObject): void {
    this.#call = undefined;
    this.#held = [];
    this.#withToken((token, authorized) => {
      if (token.value === refused.value) {
        this.#end(received);
        return;
      }
      const isLast = token.dpop === undefined || !this.#mayAddNonce;
      this.#begin(authorized, isLast ? this.#listener : this.#attempt(token, false));
      if (isLast) this.#recorded = undefined;
    }, refused);
  }

  #addNonce(token: AccessToken, isFirst: boolean): void {
    this.#mayAddNonce = false;
    this.#call = undefined;
    this.#held = [];
    this.#authorize(token, (_, authorized) => this.#begin(authorized, this.#attempt(token, isFirst)));
  }

  /** Notes a nonce for further proofs. Returns whether there is one to note. */
  #noteNonce(binding: TokenBinding, nonce: string | undefined): boolean {
    const { url } = this.#options;
    if (nonce === undefined || url === undefined) return false;
    binding.noteNonce(url, nonce);
    return true;
  }

  #end(received: StatusObject): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#listener.onReceiveStatus(received);
  }
}

function withAuthorization(metadata: Metadata, token: AccessToken): Metadata {
  const authorized = metadata.clone();
  authorized.set("authorization", token.authorization);
  return authorized;
}

async function withProof(
  metadata: Metadata,
  token: AccessToken,
  binding: TokenBinding,
  url: string,
): Promise<Metadata> {
  const authorized = withAuthorization(metadata, token);
  await addProof(authorized, binding, url);
  return authorized;
}

function bind(listener: Partial<InterceptingListener> = {}): Partial<InterceptingListener> {
  const { onReceiveMetadata, onReceiveMessage, onReceiveStatus } = listener;
  return {
    ...(onReceiveMetadata && { onReceiveMetadata: onReceiveMetadata.bind(listener) }),
    ...(onReceiveMessage && { onReceiveMessage: onReceiveMessage.bind(listener) }),
    ...(onReceiveStatus && { onReceiveStatus: onReceiveStatus.bind(listener) }),
  };
}

function toTime(deadline: Date | number | undefined): number | undefined {
  const time = deadline instanceof Date ? deadline.getTime() : deadline;
  return time === Infinity ? undefined : time;
}
