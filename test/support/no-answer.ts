// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

/** A server reset a stream or ended a connection instead of answering. */
export class NoAnswerError extends Error {
  override readonly name = "NoAnswerError";
}
