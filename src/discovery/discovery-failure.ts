// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import type { Clock } from "../platform/clock.js";
import { parseRetryAfter } from "./retry-after.js";

/** The authorization server could not be discovered. */
export class DiscoveryError extends Error {
  override readonly name = "DiscoveryError";
  readonly code = "ERR_MESHAUTH_DISCOVERY";
  /** "unreachable" may pass by itself; "refused" needs somebody to change something. */
  readonly kind: "unreachable" | "refused";
  /** When the authorization server asks to be asked again (Retry-After), in milliseconds from now. */
  readonly retryAfterMs: number | undefined;

  constructor(kind: DiscoveryError["kind"], message: string, retryAfterMs?: number) {
    super(message);
    this.kind = kind;
    this.retryAfterMs = retryAfterMs;
  }
}

/** Whether an HTTP status says that the same request may succeed later. */
export function isTransientStatus(status: number): boolean {
  return status >= 500 || status === 408 || status === 425 || status === 429;
}

/** Turns what openid-client throws during discovery into an error that quotes nothing of the exchange. */
export function toDiscoveryError(issuer: string, error: unknown, clock: Clock): DiscoveryError {
  if (isTimeout(error)) return new DiscoveryError("unreachable", `${issuer} cannot be reached (timed out)`);
  const response = responseOf(error);
  if (response !== undefined && response.status !== 200) return unexpectedStatus(issuer, response, clock);
  const { code } = error as { code?: unknown };
  switch (code) {
    case "OAUTH_JSON_ATTRIBUTE_COMPARISON_FAILED":
      return new DiscoveryError("refused", `discovery at ${issuer} describes another issuer`);
    case "OAUTH_INVALID_RESPONSE":
      return new DiscoveryError("refused", `discovery at ${issuer} was answered with no metadata (${code})`);
    // The page of a firewall, or an answer that was cut off.
    case "OAUTH_RESPONSE_IS_NOT_JSON":
    case "OAUTH_PARSE_ERROR":
      return new DiscoveryError("unreachable", `discovery at ${issuer} was answered with no metadata (${code})`);
    default:
      return new DiscoveryError("unreachable", `${issuer} cannot be reached (${networkReason(error)})`);
  }
}

// An authorization server that has no metadata says so in JSON or not at all; HTML is the page of something in between.
function unexpectedStatus(issuer: string, { status, headers }: Response, clock: Clock): DiscoveryError {
  const isPage = status !== 404 && /\bhtml\b/i.test(headers.get("content-type") ?? "");
  const kind = isTransientStatus(status) || isPage ? "unreachable" : "refused";
  const message = `discovery at ${issuer} was answered with HTTP ${status}`;
  return new DiscoveryError(kind, message, parseRetryAfter(headers.get("retry-after"), clock));
}

function responseOf(error: unknown): Response | undefined {
  const cause = (error as { cause?: unknown }).cause;
  return cause instanceof Response ? cause : undefined;
}

/** Whether a request, or reading its answer, took longer than it may. */
export function isTimeout(error: unknown): boolean {
  for (let current = error; current instanceof Error; current = current.cause) {
    if ((current as { code?: unknown }).code === "OAUTH_TIMEOUT" || current.name === "TimeoutError") return true;
  }
  return false;
}

// A fetch of the user may have put anything there.
const plainCode = /^(?!OAUTH_)[A-Z][A-Z0-9_]{1,40}$/;

/** Names why a request did not get through, without quoting anything of it. */
export function networkReason(error: unknown): string {
  if (isTimeout(error)) return "timed out";
  for (let current = error; current instanceof Error; current = current.cause) {
    const code = (current as { code?: unknown }).code;
    if (typeof code === "string" && plainCode.test(code)) return code;
  }
  return "no answer";
}
