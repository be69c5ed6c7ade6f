// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { type Attack, control } from "../attack.js";
import { ed25519, es384, good, mintUnder, rs256 } from "../lab/mint.js";

export const algorithms: readonly Attack[] = [
  control("a token is signed with ES256", "RFC 7518 §3.4", () => good),
  control("a token is signed with ES384", "RFC 7518 §3.4", () => mintUnder({}, es384)),
  control("a token is signed with RS256", "RFC 7518 §3.3", () => mintUnder({}, rs256)),
  control("a token is signed with Ed25519", "RFC 9864 §2.2", () => mintUnder({}, ed25519)),
];
