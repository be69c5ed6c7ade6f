// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import type { RawResponse } from "../../support/raw-http.js";
import { audience, hallAudience } from "./mint.js";

/** Any piece of a secret of this length, in characters, gives it away. */
const pieceLength = 16;

/** The piece of one of the secrets that a text has in it; `undefined` if it has none. */
export function findPiece(secrets: readonly string[], text: string): string | undefined {
  const pieces = new Set(secrets.flatMap(piecesOf));
  if (pieces.size === 0) return undefined;
  for (let at = 0; at + pieceLength <= text.length; at++) {
    const piece = text.slice(at, at + pieceLength);
    if (pieces.has(piece) && !knownAnyway.some((known) => known.includes(piece))) return piece;
  }
  return undefined;
}

// A refusal names the audience, in base64 like the token; which letters it becomes depends on where it stands.
const knownAnyway = [audience, hallAudience].flatMap((text) =>
  ["", " ", "  "].map((before) => Buffer.from(before + text).toString("base64")),
);

function piecesOf(secret: string): string[] {
  const whole = new Set([secret, ...secret.split(".").filter((part) => part.length >= pieceLength)]);
  return [...whole].flatMap((text) =>
    Array.from({ length: Math.max(0, text.length - pieceLength + 1) }, (_, at) => text.slice(at, at + pieceLength)),
  );
}

/** All that a caller gets to see of a response, also what is packed into base64. */
export function everythingIn({ headers, trailers, body }: RawResponse): string {
  const fields = [...Object.entries(headers), ...Object.entries(trailers)].map(([name, value]) => `${name}: ${value}`);
  const text = [...fields, body.toString("latin1")].join("\n");
  const packed = text.match(/[A-Za-z0-9+/_-]{24,}/g) ?? [];
  return [text, ...packed.map((part) => Buffer.from(part, "base64").toString("latin1"))].join("\n");
}
