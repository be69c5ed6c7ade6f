// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import type {
  DescMethod,
  DescMethodBiDiStreaming,
  DescMethodClientStreaming,
  DescMethodServerStreaming,
  DescMethodUnary,
  DescService,
  MessageInitShape,
  MessageShape,
} from "@bufbuild/protobuf";
import {
  type CallOptions,
  type ChannelCredentials,
  Client,
  type ClientDuplexStream,
  type ClientOptions,
  type ClientReadableStream,
  type ClientWritableStream,
  type Interceptor,
  Metadata,
} from "@grpc/grpc-js";
import { createMethodDefinition } from "./service-definition.js";

/**
 * Options of one call: grpc-js's, but for interceptors. Those of a call would take the place of the client's, and with them
 * of its tokens.
 */
export interface GrpcCallOptions extends Omit<CallOptions, "interceptors" | "interceptor_providers"> {
  /** Metadata to send. By default, none. */
  readonly metadata?: Metadata;
  /** Cancels the call. */
  readonly signal?: AbortSignal;
}

/** A client of a service, typed by its descriptor. */
export type GrpcClient<S extends DescService> = {
  readonly [K in keyof S["method"]]: GrpcClientMethod<S["method"][K]>;
} & {
  /** Closes the channel. */
  readonly close: () => void;
};

/** One RPC of a client. */
export type GrpcClientMethod<M extends DescMethod> =
  M extends DescMethodUnary<infer I, infer O>
    ? (request: MessageInitShape<I>, options?: GrpcCallOptions) => Promise<MessageShape<O>>
    : M extends DescMethodServerStreaming<infer I, infer O>
      ? (request: MessageInitShape<I>, options?: GrpcCallOptions) => ClientReadableStream<MessageShape<O>>
      : M extends DescMethodClientStreaming<infer I, infer O>
        ? (options?: GrpcCallOptions) => ClientStreamCall<MessageInitShape<I>, MessageShape<O>>
        : M extends DescMethodBiDiStreaming<infer I, infer O>
          ? (options?: GrpcCallOptions) => ClientDuplexStream<MessageInitShape<I>, MessageShape<O>>
          : never;

/** A call that streams requests and gets one response. */
export interface ClientStreamCall<I, O> {
  readonly requests: ClientWritableStream<I>;
  readonly response: Promise<O>;
}

/** Options of createGrpcClient(). */
export interface GrpcClientOptions {
  /** Where the service is, as gRPC names it: "payment-service.internal:443". */
  readonly target: string;
  readonly credentials: ChannelCredentials;
  /** Interceptors of every call. By default, none. */
  readonly interceptors?: Interceptor[];
  /** Options of the channel. */
  readonly channel?: ClientOptions;
}

/** Creates a grpc-js client of a service, typed by its protobuf-es descriptor: no second code generator. */
export function createGrpcClient<S extends DescService>(service: S, options: GrpcClientOptions): GrpcClient<S> {
  const { target, credentials, interceptors = [], channel = {} } = options;
  const client = new Client(target, credentials, { ...channel, interceptors });
  const methods = service.methods.map((method) => [method.localName, createMethod(client, method)]);
  return { ...Object.fromEntries(methods), close: () => client.close() } as GrpcClient<S>;
}

type AnyMessage = MessageShape<DescMethod["output"]>;
type AnyInit = MessageInitShape<DescMethod["input"]>;

function createMethod(client: Client, method: DescMethod): unknown {
  const { path, requestSerialize, responseDeserialize } = createMethodDefinition(method);
  const deserialize = responseDeserialize as (bytes: Buffer) => AnyMessage;
  switch (method.methodKind) {
    case "unary":
      return (request: AnyInit, options: GrpcCallOptions = {}) =>
        new Promise<AnyMessage>((resolve, reject) => {
          const [metadata, rest] = split(options);
          const call = client.makeUnaryRequest(
            path,
            requestSerialize,
            deserialize,
            request,
            metadata,
            rest,
            settle(resolve, reject),
          );
          cancelOn(options.signal, call);
        });
    case "server_streaming":
      return (request: AnyInit, options: GrpcCallOptions = {}) =>
        cancelOn(
          options.signal,
          client.makeServerStreamRequest(path, requestSerialize, deserialize, request, ...split(options)),
        );
    case "client_streaming":
      return (options: GrpcCallOptions = {}): ClientStreamCall<AnyInit, AnyMessage> => {
        const { promise: response, resolve, reject } = withResolvers<AnyMessage>();
        const [metadata, rest] = split(options);
        const callback = settle(resolve, reject);
        const requests = client.makeClientStreamRequest(path, requestSerialize, deserialize, metadata, rest, callback);
        return { requests: cancelOn(options.signal, requests), response };
      };
    case "bidi_streaming":
      return (options: GrpcCallOptions = {}) =>
        cancelOn(options.signal, client.makeBidiStreamRequest(path, requestSerialize, deserialize, ...split(options)));
  }
}

function split({ metadata = new Metadata(), signal: _, ...options }: GrpcCallOptions): [Metadata, CallOptions] {
  return [metadata, options];
}

function settle<T>(
  resolve: (value: T) => void,
  reject: (error: Error) => void,
): (error: Error | null, value?: T) => void {
  return (error, value) => {
    if (error !== null) reject(error);
    else resolve(value as T);
  };
}

// Promise.withResolvers() is not in Node 20.
function withResolvers<T>(): { promise: Promise<T>; resolve: (value: T) => void; reject: (error: Error) => void } {
  let resolve: (value: T) => void = () => {};
  let reject: (error: Error) => void = () => {};
  const promise = new Promise<T>((resolvePromise, rejectPromise) => {
    resolve = resolvePromise;
    reject = rejectPromise;
  });
  return { promise, resolve, reject };
}

interface Cancellable {
  cancel(): void;
  once(event: "status", listener: () => void): unknown;
}

function cancelOn<T extends Cancellable>(signal: AbortSignal | undefined, call: T): T {
  if (signal === undefined) return call;
  const cancel = (): void => call.cancel();
  if (signal.aborted) cancel();
  signal.addEventListener("abort", cancel, { once: true });
  call.once("status", () => signal.removeEventListener("abort", cancel));
  return call;
}
