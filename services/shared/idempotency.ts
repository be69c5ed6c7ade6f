// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { type DescMessage, type MessageShape, toBinary } from "@bufbuild/protobuf";
import { Code } from "@connectrpc/connect";
import { Failure } from "./failure.js";

const maxEntries = 100_000;

interface Entry<T> {
  readonly request: string;
  readonly state: T;
}

/**
 * Remembers what was done for a request key (AIP-155), for each caller on its own: a key is not a way to see what somebody
 * else did.
 */
export class RequestKeys<T> {
  readonly #entries = new Map<string, Entry<T>>();

  /**
   * Returns what the key stands for, made by `create` when it is seen first.
   *
   * Throws a Failure if the key was used with another request.
   */
  resolve<D extends DescMessage>(
    caller: string,
    requestId: string,
    schema: D,
    request: MessageShape<D>,
    create: () => T,
  ): T {
    const key = JSON.stringify([caller, requestId]);
    const encoded = Buffer.from(toBinary(schema, request)).toString("base64");
    const known = this.#entries.get(key);
    if (known !== undefined) {
      if (known.request === encoded) return known.state;
      throw new Failure(Code.InvalidArgument, "REQUEST_ID_REUSED", "request_id was used with another request before");
    }
    const state = create();
    this.#entries.set(key, { request: encoded, state });
    const [oldest] = this.#entries.keys();
    if (this.#entries.size > maxEntries && oldest !== undefined) this.#entries.delete(oldest);
    return state;
  }
}
