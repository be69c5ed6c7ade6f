// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

/** What a fault proxy does with one request. */
export type Fault =
  /** Nothing: the real answer. */
  | { readonly kind: "pass" }
  /** The real answer, so many milliseconds late. The authorization server sees the request at once. */
  | { readonly kind: "delay"; readonly ms: number }
  /** No answer, ever. */
  | { readonly kind: "hang" }
  /** No answer: the connection is reset (ECONNRESET). */
  | { readonly kind: "reset" }
  /** The head and the first half of the real answer; then the connection ends. */
  | { readonly kind: "disconnect" }
  /** A status such as 429, 500 or 503, or an OAuth error. */
  | StatusFault
  /** The HTML page of a web application firewall. By default, with status 403. */
  | { readonly kind: "html"; readonly status?: number }
  /** An answer without a body. By default, with status 200. */
  | { readonly kind: "empty"; readonly status?: number }
  /** The first bytes of the real answer's body, as a whole HTTP answer. By default, half of them. */
  | { readonly kind: "truncate"; readonly keepBytes?: number }
  /** The real JSON answer, changed. */
  | RewriteFault
  /**
   * The last real answer (status 200) to the same question: same method, URL and form, whatever the credential. By default,
   * its `expires_in` is counted down by the seconds since. The first answer to a question is the real one.
   */
  | { readonly kind: "replay"; readonly countDown?: boolean }
  /**
   * A redirect to an absolute URL. By default, with status 307: whoever follows it sends the credential there.
   */
  | { readonly kind: "redirect"; readonly location: string; readonly status?: 301 | 302 | 303 | 307 | 308 }
  /** The head of the real answer, and its body piece by piece. By default, one byte each time. */
  | { readonly kind: "drip"; readonly everyMs: number; readonly bytes?: number };

/** An answer that the authorization server never gave. */
export interface StatusFault {
  readonly kind: "status";
  readonly status: number;
  /** By default, only a `content-type`: `text/plain` for a text, `application/json` for anything else. */
  readonly headers?: Readonly<Record<string, string>>;
  /** A text, or what to send as JSON. By default, nothing. */
  readonly body?: unknown;
  /** The `Retry-After` header (RFC 9110 §10.2.3): a number of seconds, or a date. By default, none. */
  readonly retryAfter?: number | Date;
}

/** The real JSON answer, changed. The proxy answers 502 if it is no JSON object. */
export interface RewriteFault {
  readonly kind: "rewrite";
  /**
   * What to write over the members of the answer, `undefined` to leave one out: `{ expires_in: undefined }`. Or a function
   * that takes the answer and returns what to send as JSON.
   */
  readonly change: Readonly<Record<string, unknown>> | ((answer: Readonly<Record<string, unknown>>) => unknown);
}
