// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import type { ServerResponse } from "node:http";
import type { Clock } from "../platform/clock.js";
import { type Answer, htmlAnswer, ProxyProblem, readJson, statusAnswer, withJson } from "./answer.js";
import type { Fault, RewriteFault } from "./fault.js";

/** One request, and what there is to answer it with. */
export interface Exchange {
  readonly response: ServerResponse;
  readonly clock: Clock;
  /** Aborted when nobody waits for the answer any more. */
  readonly signal: AbortSignal;
  /** Asks the authorization server. */
  real(): Promise<Answer>;
  /** The last real answer to the same question, if there was one. */
  recall(countDown: boolean): Answer | undefined;
  /** Told of the status before it is sent. */
  onStatus(status: number): void;
}

/** Answers a request as its fault says. Throws a ProxyProblem, or anything once the signal is aborted. */
export async function strike(fault: Fault, exchange: Exchange): Promise<void> {
  switch (fault.kind) {
    case "pass":
      return sendWhole(exchange, await exchange.real());
    case "delay":
      return await delay(exchange, fault.ms);
    case "hang":
      return;
    case "reset":
      exchange.response.socket?.resetAndDestroy();
      return;
    case "disconnect":
      return disconnect(exchange, await exchange.real());
    case "status":
      return sendWhole(exchange, statusAnswer(fault));
    case "html":
      return sendWhole(exchange, htmlAnswer(fault.status ?? 403));
    case "empty":
      return sendWhole(exchange, { status: fault.status ?? 200, headers: [], body: Buffer.alloc(0) });
    case "truncate":
      return sendWhole(exchange, truncate(await exchange.real(), fault.keepBytes));
    case "rewrite":
      return sendWhole(exchange, rewrite(await exchange.real(), fault.change));
    case "replay":
      return sendWhole(exchange, exchange.recall(fault.countDown ?? true) ?? (await exchange.real()));
    case "redirect": {
      const headers = [["location", fault.location]] as const;
      return sendWhole(exchange, { status: fault.status ?? 307, headers, body: Buffer.alloc(0) });
    }
    case "drip":
      return await drip(exchange, await exchange.real(), fault.everyMs, fault.bytes ?? 1);
  }
}

/** Sends an answer as it is. */
export function sendWhole(exchange: Pick<Exchange, "response" | "onStatus">, answer: Answer): void {
  setHead(exchange, answer);
  exchange.response.end(answer.body);
}

function setHead({ response, onStatus }: Pick<Exchange, "response" | "onStatus">, answer: Answer): void {
  response.statusCode = answer.status;
  for (const [name, value] of answer.headers) response.appendHeader(name, value);
  onStatus(answer.status);
}

async function delay(exchange: Exchange, ms: number): Promise<void> {
  const answer = await exchange.real();
  await sleep(exchange, ms);
  sendWhole(exchange, answer);
}

function disconnect(exchange: Exchange, answer: Answer): void {
  const { response } = exchange;
  setHead(exchange, answer);
  response.setHeader("content-length", answer.body.length);
  // Not reset: that could overtake what was sent.
  response.write(half(answer.body), () => response.destroy());
}

async function drip(exchange: Exchange, answer: Answer, everyMs: number, bytes: number): Promise<void> {
  const { response } = exchange;
  setHead(exchange, answer);
  response.setHeader("content-length", answer.body.length);
  response.flushHeaders();
  for (let sent = 0; sent < answer.body.length; sent += bytes) {
    await sleep(exchange, everyMs);
    response.write(answer.body.subarray(sent, sent + bytes));
  }
  response.end();
}

function truncate(answer: Answer, keepBytes: number | undefined): Answer {
  return { ...answer, body: keepBytes === undefined ? half(answer.body) : answer.body.subarray(0, keepBytes) };
}

function half(body: Buffer): Buffer {
  return body.subarray(0, Math.floor(body.length / 2));
}

function rewrite(answer: Answer, change: RewriteFault["change"]): Answer {
  const json = readJson(answer);
  if (typeof change !== "function") return withJson(answer, { ...json, ...change });
  try {
    return withJson(answer, change(json));
  } catch (error) {
    // Its message may quote the answer.
    throw new ProxyProblem(`the function that rewrites the answer threw (${(error as Error)?.name})`);
  }
}

function sleep({ clock, signal }: Exchange, ms: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const onAbort = (): void => {
      cancel();
      reject(signal.reason);
    };
    const cancel = clock.schedule(ms, () => {
      signal.removeEventListener("abort", onAbort);
      resolve();
    });
    if (signal.aborted) onAbort();
    else signal.addEventListener("abort", onAbort, { once: true });
  });
}
