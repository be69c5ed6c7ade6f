// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { type Provider, standardProvider } from "./provider.js";

const allowTheAudience =
  "allow {audience} to this client (hydra update client, --audience), beside whatever else the client has";

/** Ory Hydra. Tokens are opaque unless it is told to issue JWTs. */
export const hydra: Provider = {
  ...standardProvider,
  name: "Hydra",
  audienceParameter: "audience",
  // Unverified: what Hydra expects in `aud` of an assertion.
  assertionAudience: "token_endpoint",
  expectsJwt: false,
  // By strategies.jwt.scope_claim: a list in "scp", a string in "scope" (unverified which name), or both.
  scopeClaims: ["scp", "scope"],
  // Unverified: the typ of an access token.
  types: ["jwt"],
  // Names of commands and settings are unverified.
  advice: {
    wrong_audience: allowTheAudience,
    missing_audience: allowTheAudience,
    narrowed_scope: "allow {scope} to this client (hydra update client, --scope), beside whatever else the client has",
    opaque_token: "set strategies.access_token to jwt in the configuration",
    wrong_type: "set strategies.access_token to jwt in the configuration",
  },
};
