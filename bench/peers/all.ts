// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { article } from "./article.js";
import { azureCore } from "./azure-core.js";
import { badgateway } from "./badgateway.js";
import { googleAuthLibrary, googleAuthLibrary60 } from "./google-auth-library.js";
import { meshauth } from "./meshauth.js";
import { msalNode, msalNodeRefreshIn } from "./msal-node.js";
import type { Peer } from "./peer.js";

/** Who is compared. */
export const peers: readonly Peer[] = [
  meshauth,
  article,
  azureCore,
  badgateway,
  googleAuthLibrary,
  googleAuthLibrary60,
  msalNode,
  msalNodeRefreshIn,
];
