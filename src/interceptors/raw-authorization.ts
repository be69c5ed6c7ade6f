// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { type ContextKey, type ContextValues, createContextKey, createContextValues } from "@connectrpc/connect";

// Node keeps the first of several authorization headers and drops the others: what was really sent is in the raw lines.
const rawAuthorization: ContextKey<readonly string[] | undefined> = createContextKey<readonly string[] | undefined>(
  undefined,
  { description: "meshauth raw authorization" },
);

/** A request of node:http or node:http2, or what Fastify wraps around one. */
interface RawRequest {
  readonly rawHeaders?: readonly string[];
  readonly raw?: { readonly rawHeaders?: readonly string[] };
}

/**
 * Notes every `authorization` value that a request of a server adapter carries, in front of its context values: those are
 * the user's, who may give all requests the same ones.
 */
export function noteAuthorization(request: RawRequest, values: ContextValues): ContextValues {
  const lines = request.rawHeaders ?? request.raw?.rawHeaders ?? [];
  const sent = lines.filter((_, index) => index % 2 === 1 && lines[index - 1]?.toLowerCase() === "authorization");
  const noted = createContextValues().set(rawAuthorization, sent.length > 1 ? sent : undefined);
  const layered: ContextValues = {
    get: (key) => (key.id === rawAuthorization.id ? noted : values).get(key),
    set(key, value) {
      values.set(key, value);
      return layered;
    },
    delete(key) {
      values.delete(key);
      return layered;
    },
  };
  return layered;
}

/** The `authorization` header of a call; several values are joined as HTTP joins them, which makes them no token. */
export function readAuthorization(values: ContextValues, header: Headers): string | null {
  return values.get(rawAuthorization)?.join(", ") ?? header.get("authorization");
}
