// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { MethodOptions_IdempotencyLevel } from "@bufbuild/protobuf/wkt";
import {
  Code,
  ConnectError,
  type StreamRequest,
  type StreamResponse,
  type UnaryRequest,
  type UnaryResponse,
} from "@connectrpc/connect";
import type { AccessToken } from "../tokens/access-token.js";
import type { TokenBinding } from "../tokens/dpop/token-binding.js";
import { requiredNonce } from "./connect-error.js";
import { dpopNonceHeader } from "./outcome.js";

type Request = UnaryRequest | StreamRequest;
type Response = UnaryResponse | StreamResponse;

/** Puts a proof for this attempt into a request (RFC 9449 §7.1). Throws a ConnectError if none can be made. */
export async function addProof(request: Request, binding: TokenBinding, useHttpGet: boolean): Promise<void> {
  const method = willBeGet(request, useHttpGet) ? "GET" : request.requestMethod;
  try {
    request.header.set("dpop", await binding.prove({ method, url: request.url }));
  } catch {
    // Nothing of the error: who keeps the key may put anything into it.
    throw new ConnectError("no DPoP proof can be made with the key of the token source", Code.Internal);
  }
}

// The transport makes a GET of a request when its interceptors are through with it.
function willBeGet({ stream, method }: Request, useHttpGet: boolean): boolean {
  return useHttpGet && !stream && method.idempotency === MethodOptions_IdempotencyLevel.NO_SIDE_EFFECTS;
}

/** Notes the nonce that a server sent with its answer, for further calls (RFC 9449 §8.2). */
export function noteNonce({ dpop }: AccessToken, { url }: Request, { header }: Response): void {
  if (dpop === undefined) return;
  const nonce = header.get(dpopNonceHeader);
  if (nonce !== null) dpop.noteNonce(url, nonce);
}

/** Notes the nonce that a server wants, by the error of a call. Returns whether a proof with it may do better. */
export function learnNonce({ dpop }: AccessToken, { url }: Request, error: unknown, audience: string): boolean {
  if (dpop === undefined) return false;
  const nonce = requiredNonce(error, audience);
  if (nonce !== undefined) dpop.noteNonce(url, nonce);
  return nonce !== undefined;
}
