// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import type { DescMessage, DescMethod, DescService, MessageInitShape } from "@bufbuild/protobuf";
import type { ConnectError } from "@connectrpc/connect";
import { createClient, type Transport } from "@connectrpc/connect";
import { type ErrorInfo, ErrorInfoSchema } from "../../src/gen/google/rpc/error_details_pb.js";

type Init = MessageInitShape<DescMessage>;
type Call = (input: unknown, options: { headers: Headers; signal: AbortSignal }) => unknown;

/**
 * Calls any RPC and waits for its first response. Streams are cancelled then.
 */
export async function invoke(
  transport: Transport,
  method: DescMethod,
  input: Init,
  authorization: string | undefined,
): Promise<unknown> {
  const client = createClient(method.parent as DescService, transport) as unknown as Record<string, Call>;
  const call = client[method.localName];
  if (call === undefined) throw new Error(`no ${method.localName}`);
  const headers = new Headers(authorization === undefined ? {} : { authorization });
  const cancel = new AbortController();
  const streamsRequest = method.methodKind === "client_streaming" || method.methodKind === "bidi_streaming";
  const result = call(streamsRequest ? once(input) : input, { headers, signal: cancel.signal });
  if (method.methodKind === "unary" || method.methodKind === "client_streaming") return await result;
  for await (const message of result as AsyncIterable<unknown>) {
    cancel.abort();
    return message;
  }
  throw new Error("the stream ended without a message");
}

async function* once<T>(value: T): AsyncGenerator<T> {
  yield value;
}

/** The meshauth ErrorInfo of an error; `undefined` if it has none. */
export function refusalOf(error: ConnectError): ErrorInfo | undefined {
  return error.findDetails(ErrorInfoSchema).find(({ domain }) => domain === "meshauth");
}
