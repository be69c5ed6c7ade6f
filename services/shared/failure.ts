// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { create, toBinary } from "@bufbuild/protobuf";
import { anyPack } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError, type Interceptor } from "@connectrpc/connect";
import { Metadata, type StatusObject } from "@grpc/grpc-js";
import { BadRequestSchema, ErrorInfoSchema } from "../../src/gen/google/rpc/error_details_pb.js";
import { StatusSchema } from "../../src/gen/google/rpc/status_pb.js";

/** One field of a request that is not as it should be. */
export interface FieldViolation {
  readonly field: string;
  readonly description: string;
}

/** An expected failure of a handler, in the terms of AIP-193: thrown by services, shown by either transport. */
export class Failure extends Error {
  readonly code: Code;
  /** Machine-readable, UPPER_SNAKE_CASE. */
  readonly reason: string;
  readonly violations: readonly FieldViolation[];

  constructor(code: Code, reason: string, message: string, violations: readonly FieldViolation[] = []) {
    super(message);
    this.code = code;
    this.reason = reason;
    this.violations = violations;
  }
}

/** Domain of the example mesh in google.rpc.ErrorInfo. */
const domain = "example.meshauth.dev";

/** Shows failures of handlers to Connect, gRPC and gRPC-Web clients. */
export const failureInterceptor: Interceptor = (next) => async (request) => {
  try {
    const response = await next(request);
    return response.stream ? { ...response, message: showFailures(response.message) } : response;
  } catch (error) {
    throw toConnectError(error);
  }
};

async function* showFailures<T>(messages: AsyncIterable<T>): AsyncGenerator<T> {
  try {
    yield* messages;
  } catch (error) {
    throw toConnectError(error);
  }
}

function toConnectError(error: unknown): unknown {
  if (!(error instanceof Failure)) return error;
  return new ConnectError(error.message, error.code, undefined, [
    { desc: ErrorInfoSchema, value: { reason: error.reason, domain } },
    ...(error.violations.length === 0
      ? []
      : [{ desc: BadRequestSchema, value: { fieldViolations: [...error.violations] } }]),
  ]);
}

/** Shows a failure of a handler to clients of a grpc-js server; anything unexpected is INTERNAL, without details. */
export function toGrpcStatus(error: unknown): StatusObject {
  const failure = error instanceof Failure ? error : new Failure(Code.Internal, "INTERNAL", "internal error");
  const { code, message, reason, violations } = failure;
  const details = [
    anyPack(ErrorInfoSchema, create(ErrorInfoSchema, { reason, domain })),
    ...(violations.length === 0
      ? []
      : [anyPack(BadRequestSchema, create(BadRequestSchema, { fieldViolations: [...violations] }))]),
  ];
  const metadata = new Metadata();
  const status = create(StatusSchema, { code, message, details });
  metadata.set("grpc-status-details-bin", Buffer.from(toBinary(StatusSchema, status)));
  return { code: code as number, details: message, metadata };
}
