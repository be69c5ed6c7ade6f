// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import {
  create,
  type DescMessage,
  type DescMethod,
  type DescMethodBiDiStreaming,
  type DescMethodClientStreaming,
  type DescMethodServerStreaming,
  type DescMethodUnary,
  type DescService,
  fromBinary,
  isMessage,
  type MessageInitShape,
  type MessageShape,
  toBinary,
} from "@bufbuild/protobuf";
import type {
  handleBidiStreamingCall,
  handleClientStreamingCall,
  handleServerStreamingCall,
  handleUnaryCall,
  MethodDefinition,
  Server,
  UntypedServiceImplementation,
} from "@grpc/grpc-js";

/** The definition of a service for grpc-js, made from its protobuf-es descriptor. */
export type GrpcServiceDefinition<S extends DescService> = {
  readonly [K in keyof S["method"]]: GrpcMethodDefinition<S["method"][K]>;
};

type GrpcMethodDefinition<M extends DescMethod> = MethodDefinition<
  MessageInitShape<M["input"]>,
  MessageInitShape<M["output"]>
>;

/** The handlers of a service, as grpc-js calls them. They may answer with plain objects; fields can be left out. */
export type GrpcHandlers<S extends DescService> = {
  readonly [K in keyof S["method"]]: GrpcHandler<S["method"][K]>;
};

/** The handler of one RPC, as grpc-js calls it. */
export type GrpcHandler<M extends DescMethod> =
  M extends DescMethodUnary<infer I, infer O>
    ? handleUnaryCall<MessageShape<I>, MessageInitShape<O>>
    : M extends DescMethodServerStreaming<infer I, infer O>
      ? handleServerStreamingCall<MessageShape<I>, MessageInitShape<O>>
      : M extends DescMethodClientStreaming<infer I, infer O>
        ? handleClientStreamingCall<MessageShape<I>, MessageInitShape<O>>
        : M extends DescMethodBiDiStreaming<infer I, infer O>
          ? handleBidiStreamingCall<MessageShape<I>, MessageInitShape<O>>
          : never;

/** The path of an RPC in gRPC: "/payment.v1.PaymentService/Charge". */
export function grpcPath(method: DescMethod): string {
  return `/${method.parent.typeName}/${method.name}`;
}

/** Makes the definition of a service for grpc-js from its protobuf-es descriptor: no second code generator. */
export function createServiceDefinition<S extends DescService>(service: S): GrpcServiceDefinition<S> {
  const entries = service.methods.map((method) => [method.localName, createMethodDefinition(method)]);
  return Object.fromEntries(entries) as GrpcServiceDefinition<S>;
}

/** Makes the definition of one RPC. */
export function createMethodDefinition(method: DescMethod): GrpcMethodDefinition<DescMethod> {
  const { methodKind } = method;
  return {
    path: grpcPath(method),
    originalName: method.localName,
    requestStream: methodKind === "client_streaming" || methodKind === "bidi_streaming",
    responseStream: methodKind === "server_streaming" || methodKind === "bidi_streaming",
    requestSerialize: (value) => serialize(method.input, value),
    requestDeserialize: (bytes) => fromBinary(method.input, bytes),
    responseSerialize: (value) => serialize(method.output, value),
    responseDeserialize: (bytes) => fromBinary(method.output, bytes),
  };
}

function serialize(schema: DescMessage, value: MessageInitShape<DescMessage>): Buffer {
  const bytes = toBinary(schema, isMessage(value, schema) ? value : create(schema, value));
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** Adds a service to a grpc-js server, with handlers typed by its descriptor. */
export function addService<S extends DescService>(server: Server, service: S, handlers: GrpcHandlers<S>): void {
  server.addService(createServiceDefinition(service), handlers as unknown as UntypedServiceImplementation);
}
