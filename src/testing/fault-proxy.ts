// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { type Clock, systemClock } from "../platform/clock.js";
import { type Answer, ProxyProblem, textAnswer } from "./answer.js";
import { sendWhole, strike } from "./exchange.js";
import type { Fault } from "./fault.js";
import { createFaultScript, type FaultTarget, type QueuedFaultTarget } from "./fault-script.js";
import { forward, parseTarget } from "./forward.js";
import { harmlessFields, type ProxiedRequest, type ReceivedRequest, receive } from "./proxied-request.js";
import { createAnswerMemory } from "./replay.js";

/** Options of startFaultProxy(). */
export interface FaultProxyOptions {
  /** Where requests go, such as `http://127.0.0.1:8080`. By default, nowhere until forwardTo() is called. */
  readonly target?: string;
  /** Port on 127.0.0.1. By default, a free one. */
  readonly port?: number;
  /** The time of the log, and of faults that take time. By default, the machine's. */
  readonly clock?: Clock;
}

/** A proxy in front of an authorization server that lets requests fail as a test wants them to. */
export interface FaultProxy {
  /** `http://127.0.0.1` and the port, without a slash at the end: what the authorization server calls its issuer. */
  readonly url: string;
  /** Every request, in order. */
  readonly requests: readonly ProxiedRequest[];
  /** Where requests go from now on: an http URL without a path. Throws a TypeError otherwise. */
  forwardTo(url: string): void;
  /**
   * Queues a fault for the next request, or the next few, that it is for. Of several the one queued first strikes.
   *
   * Throws a TypeError if it cannot be carried out.
   */
  next(fault: Fault, target?: QueuedFaultTarget): void;
  /**
   * Sets a fault for every request that it is for and no queued one strikes, until clear(). Of several the one set last
   * strikes.
   *
   * Throws a TypeError if it cannot be carried out.
   */
  always(fault: Fault, target?: FaultTarget): void;
  /** Forgets all faults. Requests that hang or are slow stay so. */
  clear(): void;
  /** Stops listening and ends all connections and whatever waits. */
  close(): Promise<void>;
}

/**
 * Starts a proxy on 127.0.0.1 in front of a real authorization server. It passes everything on, with the client's own
 * Host header, until its script says otherwise. It has no TLS and listens on loopback only: for tests, never for traffic
 * that matters.
 *
 * ```ts
 * const proxy = await startFaultProxy();
 * proxy.forwardTo(await startYourAuthorizationServer({ issuer: proxy.url }));
 * proxy.next({ kind: "status", status: 503, retryAfter: 30 }, { path: "/token" });
 * ```
 */
export async function startFaultProxy(options: FaultProxyOptions = {}): Promise<FaultProxy> {
  const { clock = systemClock, port = 0 } = options;
  let target = options.target === undefined ? undefined : parseTarget(options.target);
  const script = createFaultScript();
  const memory = createAnswerMemory(clock);
  const requests: Writable<ProxiedRequest>[] = [];

  async function askServer(request: ReceivedRequest, signal: AbortSignal): Promise<Answer> {
    if (target === undefined) throw new ProxyProblem("there is no server to forward to; call forwardTo()");
    const answer = await forward(target, request, signal);
    memory.remember(request, answer);
    return answer;
  }

  async function handle(incoming: IncomingMessage, response: ServerResponse): Promise<void> {
    const signal = abortedWith(response);
    const request = await receive(incoming);
    const fault = script.take(request.path);
    const entry = log(request, fault, clock);
    requests.push(entry);
    const onStatus = (status: number): void => {
      entry.status = status;
    };
    const real = (): Promise<Answer> => askServer(request, signal);
    const recall = (countDown: boolean): Answer | undefined => memory.recall(request, countDown);
    try {
      await strike(fault, { response, clock, signal, real, recall, onStatus });
    } catch (error) {
      if (signal.aborted) return;
      entry.problem = error instanceof ProxyProblem ? error.message : "the fault could not be carried out";
      sendWhole({ response, onStatus }, textAnswer(502, "text/plain", `fault proxy: ${entry.problem}\n`));
    }
  }

  const inHand = new Set<Promise<void>>();
  const server = createServer((request, response) => {
    // A client that goes away while it is read has nothing to be answered.
    const handled = handle(request, response).catch(() => void response.destroy());
    inHand.add(handled);
    void handled.then(() => inHand.delete(handled));
  });
  const address = await listen(server, port);
  return {
    url: `http://127.0.0.1:${address.port}`,
    requests,
    forwardTo(url) {
      target = parseTarget(url);
    },
    next: script.next,
    always: script.always,
    clear: script.clear,
    async close() {
      await close(server);
      await Promise.all(inHand);
    },
  };
}

type Writable<T> = { -readonly [K in keyof T]: T[K] };

function abortedWith(response: ServerResponse): AbortSignal {
  const controller = new AbortController();
  response.once("close", () => controller.abort());
  return controller.signal;
}

function log({ method, path, form }: ReceivedRequest, fault: Fault, clock: Clock): Writable<ProxiedRequest> {
  return {
    method,
    path,
    at: clock.now(),
    fields: [...form.keys()],
    form: harmlessFields(form),
    fault: fault.kind,
    status: undefined,
    problem: undefined,
  };
}

function listen(server: Server, port: number): Promise<AddressInfo> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, "127.0.0.1", () => {
      server.off("error", reject);
      resolve(server.address() as AddressInfo);
    });
  });
}

function close(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}
