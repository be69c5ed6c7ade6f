// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import type { StatusFault } from "./fault.js";

/** A whole HTTP answer. */
export interface Answer {
  readonly status: number;
  /** Without those that say how the body is sent. */
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly body: Buffer;
}

/** What the proxy cannot do. It answers 502, and says why. */
export class ProxyProblem extends Error {}

/** An answer with a text. */
export function textAnswer(status: number, contentType: string, text: string): Answer {
  return { status, headers: [["content-type", contentType]], body: Buffer.from(text) };
}

/** The answer that a fault describes. */
export function statusAnswer({ status, headers = {}, body, retryAfter }: StatusFault): Answer {
  const isText = typeof body === "string";
  const all = new Map(body === undefined ? [] : [["content-type", isText ? "text/plain" : "application/json"]]);
  if (retryAfter !== undefined) {
    all.set("retry-after", retryAfter instanceof Date ? retryAfter.toUTCString() : String(retryAfter));
  }
  for (const [name, value] of Object.entries(headers)) all.set(name.toLowerCase(), value);
  return { status, headers: [...all], body: Buffer.from(isText ? body : (JSON.stringify(body) ?? "")) };
}

/** The page of a web application firewall. */
export function htmlAnswer(status: number): Answer {
  const page = "<!doctype html><html><head><title>Request blocked</title></head><body>Request blocked</body></html>\n";
  return textAnswer(status, "text/html; charset=utf-8", page);
}

/** The JSON object of an answer. Throws a ProxyProblem if it has none; quotes nothing of it. */
export function readJson(answer: Answer): Record<string, unknown> {
  let json: unknown;
  try {
    json = JSON.parse(answer.body.toString());
  } catch {
    // Said below.
  }
  if (typeof json === "object" && json !== null && !Array.isArray(json)) return json as Record<string, unknown>;
  throw new ProxyProblem(`the real answer (HTTP ${answer.status}) is no JSON object`);
}

/** The answer with another JSON body. */
export function withJson(answer: Answer, json: unknown): Answer {
  return { ...answer, body: Buffer.from(JSON.stringify(json) ?? "") };
}
