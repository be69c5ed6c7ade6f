// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import {
  Code,
  ConnectError,
  type ContextKey,
  type ContextValues,
  createContextKey,
  createContextValues,
  type Interceptor,
  type StreamRequest,
  type StreamResponse,
  type UnaryRequest,
  type UnaryResponse,
} from "@connectrpc/connect";
import { isLoopback } from "../platform/loopback.js";
import { RuleError } from "../rules/problem.js";
import {
  createTokenRequirements,
  type TokenRequirement,
  type TokenRequirementOptions,
} from "../rules/token-requirement.js";
import type { AccessToken } from "../tokens/access-token.js";
import { TokenError } from "../tokens/token-error.js";
import type { TokenSource } from "../tokens/token-source.js";
import type { WaitOptions } from "../tokens/wait.js";
import { saysScopeMissed, saysTokenRefused, tokenErrorToConnectError } from "./connect-error.js";
import { addProof, learnNonce, noteNonce } from "./connect-proof.js";
import { deadlineOf } from "./timeout-header.js";

/** Options of createConnectInterceptor(). */
export interface ConnectInterceptorOptions extends TokenRequirementOptions {
  /** Where tokens come from. */
  readonly tokenSource: TokenSource;
  /**
   * With a token source that has the option `dpop`: what the transport's option of the same name says. A proof names the
   * HTTP method, and the transport chooses that behind its interceptors. By default, every call is a POST.
   */
  readonly useHttpGet?: boolean;
}

const withoutTokenKey: ContextKey<boolean> = createContextKey(false, { description: "meshauth without token" });

/**
 * Context values for a call that should go without a token, although its RPC wants one:
 * `client.charge(request, { contextValues: withoutToken() })`.
 */
export function withoutToken(contextValues: ContextValues = createContextValues()): ContextValues {
  return contextValues.set(withoutTokenKey, true);
}

type Request = UnaryRequest | StreamRequest;
type Response = UnaryResponse | StreamResponse;
type AnyFn = (request: Request) => Promise<Response>;

/**
 * Creates an interceptor for Connect clients. Each call gets a token for exactly the audience and the scopes that the
 * rule of its RPC demands. If the server refuses the token, the call is tried once more with another one, as long as
 * nothing of it can have happened: unary calls, and server streams before their first message.
 *
 * A call that brings its own `authorization` header keeps it. Tokens go to https and to loopback only: other calls fail
 * with FAILED_PRECONDITION. A token that is bound to a key goes with a new DPoP proof for each attempt (RFC 9449); where the
 * server wants a nonce in it, the call is tried once more for that. Without a token, a call fails with UNAVAILABLE or UNAUTHENTICATED, and a TokenError as its
 * cause.
 *
 * ```ts
 * const transport = createConnectTransport({
 *   baseUrl: "https://payment-service.internal",
 *   httpVersion: "2",
 *   interceptors: [createConnectInterceptor({ tokenSource, service: OrderService })],
 * });
 * ```
 */
export function createConnectInterceptor(options: ConnectInterceptorOptions): Interceptor {
  const { tokenSource, useHttpGet = false } = options;
  const requirementOf = createTokenRequirements(options);
  return (next) => async (request) => {
    if (request.contextValues.get(withoutTokenKey)) return await next(request);
    if (bringsToken(request.header)) {
      assertConfidential(request.url);
      return await next(request);
    }
    const requirement = lookUp(requirementOf, request);
    if (requirement === undefined) return await next(request);
    assertConfidential(request.url);
    const wait = { signal: request.signal, deadline: deadlineOf(request.header) };
    const call = { tokenSource, requirement, wait, next: next as AnyFn, useHttpGet };
    if (!request.stream) return await callTwice(call, request, () => request);
    if (request.method.methodKind !== "server_streaming") return await callOnce(call, request);
    return await callServerStream(call, request);
  };
}

interface Call {
  readonly tokenSource: TokenSource;
  readonly requirement: TokenRequirement;
  readonly wait: WaitOptions & { readonly signal: AbortSignal };
  readonly next: AnyFn;
  readonly useHttpGet: boolean;
}

// What we put into the headers of a request. An interceptor further out may make the same request again, minutes later:
// it brings no token of its own then, but one of ours that may have expired.
const given = new WeakMap<Headers, string>();

function bringsToken(header: Headers): boolean {
  const authorization = header.get("authorization");
  return authorization !== null && authorization !== given.get(header);
}

/** Puts a token into a request, and a proof for it if it is bound to a key. */
function give(call: Call, request: Request, { authorization, dpop }: AccessToken): Promise<void> | undefined {
  request.header.set("authorization", authorization);
  given.set(request.header, authorization);
  return dpop === undefined ? undefined : addProof(request, dpop, call.useHttpGet);
}

function lookUp(
  requirementOf: ReturnType<typeof createTokenRequirements>,
  { method }: Request,
): TokenRequirement | undefined {
  try {
    return requirementOf(method);
  } catch (error) {
    if (!(error instanceof RuleError)) throw error;
    throw new ConnectError(error.message, Code.FailedPrecondition, undefined, undefined, error);
  }
}

function assertConfidential(url: string): void {
  const { protocol, hostname, host } = new URL(url);
  if (protocol === "https:" || isLoopback(hostname)) return;
  throw new ConnectError(`no access token is sent to ${host} over plain http; use https`, Code.FailedPrecondition);
}

async function getToken({ tokenSource, requirement, wait }: Call, otherThan?: AccessToken): Promise<AccessToken> {
  try {
    return await tokenSource.get(requirement, { ...wait, otherThan });
  } catch (error) {
    throw error instanceof TokenError ? tokenErrorToConnectError(error, wait.signal) : error;
  }
}

/** Calls once: nobody can tell what the server has done with a stream of requests. */
async function callOnce(call: Call, request: StreamRequest): Promise<Response> {
  const token = await getToken(call);
  const proving = give(call, request, token);
  if (proving !== undefined) await proving;
  const learnAll = (error: unknown): void => {
    learn(call, token, error);
    learnNonce(token, request, error, call.requirement.audience);
  };
  try {
    const response = (await call.next(request)) as StreamResponse;
    noteNonce(token, request, response);
    return { ...response, message: watched(response.message, learnAll) };
  } catch (error) {
    learnAll(error);
    throw error;
  }
}

/** Calls, and once more with another token if the server refused the first one. `replay` makes the request again. */
async function callTwice(call: Call, first: Request, replay: () => Request): Promise<Response> {
  const token = await getToken(call);
  const again: Again = { replay, mayAddNonce: true };
  try {
    return await awaitFirstMessage(await send(call, token, first, again));
  } catch (error) {
    if (!learn(call, token, error)) throw error;
    const other = await getToken(call, token);
    if (other.value === token.value) throw error;
    return await send(call, other, replay(), again);
  }
}

/** How a call is made again. */
interface Again {
  replay(): Request;
  /** For the sake of a nonce that is once, with whatever tokens. */
  mayAddNonce: boolean;
}

/** Sends a request with a token; once more if that is bound to a key and the server wants a nonce in the proof. */
function send(call: Call, token: AccessToken, request: Request, again: Again): Promise<Response> {
  const proving = give(call, request, token);
  return proving === undefined ? call.next(request) : sendProven(proving, call, token, request, again);
}

async function sendProven(
  proving: Promise<void>,
  ...[call, token, request, again]: Parameters<typeof send>
): Promise<Response> {
  await proving;
  try {
    const response = await awaitFirstMessage(await call.next(request));
    noteNonce(token, request, response);
    return response;
  } catch (error) {
    const isWanted = learnNonce(token, request, error, call.requirement.audience);
    if (!isWanted || !again.mayAddNonce) throw error;
    again.mayAddNonce = false;
    return await send(call, token, again.replay(), again);
  }
}

/** Tells the token source what a failed call says of its token. Returns whether another token may do better. */
function learn({ tokenSource, requirement }: Call, token: AccessToken, error: unknown): boolean {
  if (saysTokenRefused(error, requirement.audience)) return tokenSource.refused(requirement, token);
  if (saysScopeMissed(error, requirement.audience)) tokenSource.scopeMissed(requirement, token);
  return false;
}

/** Messages that tell of an error before the first of them; after that no refusal can be the gate's. */
async function* watched<T>(messages: AsyncIterable<T>, onError: (error: unknown) => void): AsyncGenerator<T> {
  let answered = false;
  try {
    for await (const message of messages) {
      answered = true;
      yield message;
    }
  } catch (error) {
    if (!answered) onError(error);
    throw error;
  }
}

async function callServerStream(call: Call, request: StreamRequest): Promise<Response> {
  const messages: StreamRequest["message"] extends AsyncIterable<infer M> ? M[] : never = [];
  for await (const message of request.message) messages.push(message);
  const again = (): Request => ({ ...request, message: replayed(messages) });
  return await callTwice(call, again(), again);
}

async function* replayed<T>(messages: readonly T[]): AsyncGenerator<T> {
  yield* messages;
}

// A refused stream may look fine until it is read: gRPC says so in the trailers.
async function awaitFirstMessage(response: Response): Promise<Response> {
  if (!response.stream) return response;
  const iterator = response.message[Symbol.asyncIterator]();
  const first = await iterator.next();
  return { ...response, message: resumed(first, iterator) };
}

async function* resumed<T>(first: IteratorResult<T>, rest: AsyncIterator<T>): AsyncGenerator<T> {
  let finished = false;
  try {
    for (let result = first; ; result = await rest.next()) {
      finished = result.done === true;
      if (result.done === true) return;
      yield result.value;
    }
  } finally {
    if (!finished) await rest.return?.();
  }
}
