// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { fileSource } from "./file-source.js";
import { constantSource, type Source } from "./source.js";

/** Where a PEM text is: it itself, or a file, which is read again for each token request. */
export type PemSource = string | { readonly file: string };

/** A text, what to call it in errors, and whether it is known already. */
export interface TextSource extends Source<string> {
  readonly name: string;
  readonly literal: string | undefined;
}

/** Reads a text or a file. Throws a TypeError if it is neither. `what` says what it is. */
export function textSource(source: PemSource, what: string): TextSource {
  if (typeof source === "string" && source !== "") {
    return { ...constantSource(source), name: `the ${what}`, literal: source };
  }
  const file = typeof source === "object" && source !== null ? source.file : undefined;
  if (typeof file !== "string" || file === "") throw new TypeError(`the ${what} has no source; give PEM or { file }`);
  const { read } = fileSource(file, what);
  return { read, name: `the ${what} in ${file}`, literal: undefined };
}
