// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import type { Attack } from "../attack.js";
import { algorithms } from "./algorithms.js";
import { authorization } from "./authorization.js";
import { bodies } from "./bodies.js";
import { caches } from "./caches.js";
import { claimsFamily } from "./claims.js";
import { encodings } from "./encodings.js";
import { headersInTokens } from "./headers-in-tokens.js";
import { introspection } from "./introspection.js";
import { keySets } from "./key-sets.js";
import { keys } from "./keys.js";
import { pathsAndMethods } from "./paths-and-methods.js";
import { scopesAndCallers } from "./scopes-and-callers.js";
import { senderConstrained } from "./sender-constrained.js";
import { signatures } from "./signatures.js";
import { streams } from "./streams.js";
import { time } from "./time.js";
import { whatIsSaid } from "./what-is-said.js";

/** The attack table, by family. */
export const families: Readonly<Record<string, readonly Attack[]>> = {
  algorithms,
  signatures,
  "headers in tokens": headersInTokens,
  keys,
  "key sets": keySets,
  claims: claimsFamily,
  time,
  "scopes and callers": scopesAndCallers,
  encodings,
  "authorization header": authorization,
  "paths and methods": pathsAndMethods,
  bodies,
  caches,
  introspection,
  "sender-constrained tokens": senderConstrained,
  streams,
  "what is said": whatIsSaid,
};
