// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import type { Attack } from "../attack.js";
import { algorithms } from "./algorithms.js";

/** The attack table, by family. */
export const families: Readonly<Record<string, readonly Attack[]>> = {
  algorithms,
};
