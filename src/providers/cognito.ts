// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { type Provider, standardProvider } from "./provider.js";

/**
 * Amazon Cognito. The audience is the identifier of a resource server and stands in front of each scope; tokens have no
 * `aud`.
 */
export const cognito: Provider = {
  ...standardProvider,
  name: "Cognito",
  audienceParameter: "none",
  scopeFormat: "{audience}/{scope}",
  // Never used: Cognito takes no assertions.
  assertionAudience: "issuer",
  audienceClaim: "none",
  scopePrefix: "{audience}/",
  requiredClaims: { token_use: "access" },
  types: [""],
  // Menu names are unverified, and vendors change them.
  advice: {
    narrowed_scope:
      "add {scope} to the resource server {audience} (Branding > Domain > Resource servers) and allow it to this app client (Applications > App clients > the client > Login pages > Custom scopes)",
    opaque_token: "check that the issuer is the user pool's, because access tokens of Cognito are JWTs",
    wrong_type: "check that the issuer is the user pool's, because access tokens of Cognito have no typ",
  },
};
