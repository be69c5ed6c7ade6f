// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { Metadata } from "@grpc/grpc-js";

const marked = new WeakSet<Metadata>();

/**
 * Metadata for a call that should go without a token, although its RPC wants one:
 * `client.charge(request, { metadata: withoutToken() })`.
 */
export function withoutToken(metadata: Metadata = new Metadata()): Metadata {
  marked.add(metadata);
  return metadata;
}

/** Whether a call with this metadata should go without a token. */
export function goesWithoutToken(metadata: Metadata): boolean {
  return marked.has(metadata);
}
