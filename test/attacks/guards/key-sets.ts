// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import type { Guard } from "../guards.js";
import { edit } from "./edits.js";

const endpoint = "src/verification/keys/key-set-endpoint.ts";
const discovery = "src/discovery/discovery.ts";

/** Where keys come from. */
export const keySetGuards: Readonly<Record<string, Guard>> = {
  // openid-client compares as well, after normalisation.
  "metadata-issuer": edit(
    discovery,
    ["if (metadata.issuer !== options.issuer) {", "if (metadata.issuer === undefined) {"],
    [
      "throw toDiscoveryError(options.issuer, error, options.clock ?? systemClock);",
      `return (await (await (options.fetch ?? fetch)(options.issuer + "/.well-known/openid-configuration")).json()) as never;`,
    ],
  ),
  "key-set-location": edit(endpoint, [
    "if (!isConfidential(url) || isDowngrade(options.issuer, location))",
    'if (url.protocol === "")',
  ]),
  "key-set-size": edit(endpoint, [
    "boundedFetch(options.fetch, maxBytes)",
    "boundedFetch(options.fetch, maxBytes * 100)",
  ]),
};
