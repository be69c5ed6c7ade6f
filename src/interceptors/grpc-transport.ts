// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { createHash } from "node:crypto";
import type { Metadata, ServerInterceptingCallInterface } from "@grpc/grpc-js";
import type { CallTransport } from "../verification/incoming-call.js";

/** What carries a call of grpc-js, read only as far as it is asked for. */
export class GrpcTransport implements CallTransport {
  readonly #call: ServerInterceptingCallInterface;
  readonly #metadata: Metadata;
  readonly path: string;
  // gRPC over HTTP/2, "Requests".
  readonly httpMethod = "POST";

  constructor(call: ServerInterceptingCallInterface, metadata: Metadata, path: string) {
    this.#call = call;
    this.#metadata = metadata;
    this.path = path;
  }

  get peer(): string | undefined {
    const peer = this.#call.getPeer();
    return peer === "unknown" ? undefined : peer;
  }

  get certificateThumbprint(): string | undefined {
    const { sslPeerCertificate: certificate } = this.#call.getAuthContext();
    return certificate && createHash("sha256").update(certificate.raw).digest("base64url");
  }

  get dpopProofs(): readonly string[] {
    return this.#metadata.get("dpop").map(String);
  }
}
