// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import type { Credential } from "./credential.js";
import { quotes } from "./quotes.js";

/** What was sent, and what came back. Holds secrets: it must not outlive the request. */
export interface Exchange {
  request?: SentRequest;
  response?: Response;
  /** The answer was cut off, because it was too large. */
  isTooLarge?: boolean;
}

/** A request as openid-client makes it. */
export interface SentRequest {
  readonly headers: Record<string, string>;
  readonly body: URLSearchParams;
}

/** The largest answer of a token or introspection endpoint that is read, in bytes. */
export const maxAnswerBytes = 65_536;

/** A fetch that writes down one exchange. Of an answer that is larger than `maxAnswerBytes`, reading the body fails. */
export function recordExchange(send: typeof fetch, exchange: Exchange): typeof fetch {
  return async (input, init) => {
    exchange.request = init as unknown as SentRequest;
    const response = await send(input, init);
    exchange.response = response;
    if (response.body === null) return response;
    const limited = response.body.pipeThrough(byteLimit(exchange));
    const { status, headers } = response;
    return new Response(limited, { status, headers });
  };
}

function byteLimit(exchange: Exchange): TransformStream<Uint8Array, Uint8Array> {
  let rest = maxAnswerBytes;
  return new TransformStream({
    transform(chunk, controller) {
      rest -= chunk.byteLength;
      if (rest >= 0) return controller.enqueue(chunk);
      exchange.isTooLarge = true;
      controller.error(new RangeError("the answer is too large"));
    },
  });
}

/** Whether a text holds a part of the credential, in any form in which it was sent. */
export function quotesCredential(text: string, { request }: Exchange, credential: Credential): boolean {
  const basic = request?.headers["authorization"]?.replace("Basic ", "");
  const assertion = request?.body.get("client_assertion");
  const sent = [basic, request?.body.get("client_secret"), assertion, request?.headers["dpop"]];
  return credential.isIn(text) || sent.some((part) => typeof part === "string" && quotes(text, part));
}
