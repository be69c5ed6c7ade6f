// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { cacheGuards } from "./guards/caches.js";
import { claimGuards } from "./guards/claims.js";
import { headerGuards } from "./guards/credentials.js";
import { introspectionGuards } from "./guards/introspection.js";
import { keySetGuards } from "./guards/key-sets.js";
import { keyGuards } from "./guards/keys.js";
import { ruleGuards } from "./guards/rules.js";
import { senderGuards } from "./guards/sender-constrained.js";
import { tokenGuards } from "./guards/tokens.js";

/** A change to the sources that takes a check, or a part of it, out. */
export interface Edit {
  readonly file: string;
  /** What stands in the file; every occurrence is replaced. */
  readonly find: string;
  readonly replace: string;
}

/** A check of ours: what takes it out, with everything that would stop the same attacks behind it. */
export type Guard = readonly Edit[];

/** Every check, by the id that the attack table names. */
export const guards: Readonly<Record<string, Guard>> = {
  ...headerGuards,
  ...tokenGuards,
  ...keyGuards,
  ...claimGuards,
  ...cacheGuards,
  ...ruleGuards,
  ...introspectionGuards,
  ...senderGuards,
  ...keySetGuards,
};

/** What stops attacks that is not ours, and cannot be taken out: the HTTP parsers of Node. */
export const foreignGuards: readonly string[] = ["http-server"];
