// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import type { DescMethod } from "@bufbuild/protobuf";

/** What a decision is made by: one call of one RPC. */
export interface IncomingCall {
  /** The RPC that the router resolved; `undefined` if it is none of the services'. */
  readonly method: DescMethod | undefined;
  /** Its name, for the audit: "payment.v1.PaymentService/Charge". */
  readonly rpc: string;
  /** The `authorization` header. */
  readonly authorization: string | null | undefined;
  /** "connect", "grpc", "grpc-web" or "grpc-js", for the audit. */
  readonly protocol: string;
  /** What carries the call. By default nothing is known of it: then tokens that are bound to a key are refused. */
  readonly transport?: CallTransport | undefined;
}

/** The request and the connection of a call. Members may be getters: they are read only where something depends on them. */
export interface CallTransport {
  /** Address and port of the other end, "10.0.0.7:53312"; `undefined` if unknown. */
  readonly peer: string | undefined;
  /** SHA-256 of the client's certificate in DER, base64url (RFC 8705 §3.1); `undefined` without one. */
  readonly certificateThumbprint: string | undefined;
  /** The HTTP method of the request, in upper case. */
  readonly httpMethod: string;
  /** The path of the request's URL, without its query. */
  readonly path: string;
  /** The values of all `DPoP` header lines (RFC 9449 §4.1). */
  readonly dpopProofs: readonly string[];
}
