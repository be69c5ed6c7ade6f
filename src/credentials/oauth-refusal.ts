// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

/** A refusal in the words of RFC 6749 §5.2, as far as they can be shown. */
export interface OAuthRefusal {
  /** The code, unless that is a secret. */
  readonly error?: string;
  /** What to show after "refused". */
  readonly text: string;
}

const oauthErrorCode = /^[\x20\x21\x23-\x5b\x5d-\x7e]{1,64}$/;
const wellKnownCode =
  /^(invalid_(request|client|grant|scope|target)|unauthorized_client|unsupported_(grant|token)_type)$/;
const maxDescription = 200;

/**
 * Reads what openid-client throws for an answer that refuses; `undefined` if the answer does not. An answer may quote the
 * request: what `isSecret` says so of is not shown.
 */
export function readOAuthRefusal(
  error: unknown,
  status: number,
  isSecret: (text: string) => boolean,
): OAuthRefusal | undefined {
  const { error: code, error_description: description, cause } = error as Record<string, unknown>;
  if (typeof code === "string" && oauthErrorCode.test(code)) {
    // A code of the RFC gives nothing away, even if a poor secret is a part of it.
    if (!wellKnownCode.test(code) && isSecret(code)) return { text: ", with an error that may quote the request" };
    if (typeof description !== "string" || isSecret(description)) return { error: code, text: `: ${code}` };
    const shown = description.replace(/\p{Cc}+/gu, " ").slice(0, maxDescription);
    return { error: code, text: `: ${code} (${shown})` };
  }
  // A wrong secret is answered with 401 and a challenge (RFC 6749 §5.2), which openid-client reports instead of the body.
  const isChallenge = Array.isArray(cause) && status === 401;
  return isChallenge ? { error: "invalid_client", text: ": invalid_client" } : undefined;
}
