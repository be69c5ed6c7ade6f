// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { type Provider, standardProvider } from "./provider.js";

const chooseTheServer =
  "use the issuer of the authorization server whose Audience is {audience} (Security > API > Authorization Servers > the server > Settings), because each has one and no request can name another";

/** Okta, a custom authorization server. Each has one audience; a request needs a scope. */
export const okta: Provider = {
  ...standardProvider,
  name: "Okta",
  audienceParameter: "none",
  // Unverified: what Okta expects in `aud` of an assertion.
  assertionAudience: "token_endpoint",
  scopeClaims: ["scp"],
  clientIdClaims: ["cid"],
  // Unverified: the typ of an access token.
  types: ["jwt"],
  // Menu names are unverified, and vendors change them.
  advice: {
    wrong_audience: chooseTheServer,
    missing_audience: chooseTheServer,
    narrowed_scope:
      "add {scope} to the authorization server (Security > API > Authorization Servers > the server > Scopes) and to a rule for this client with the grant type Client Credentials (Access Policies > the policy > Add Rule)",
    opaque_token:
      "use the issuer of a custom authorization server (Security > API > Authorization Servers), because tokens of the org authorization server are not for your APIs",
    wrong_type:
      "use the issuer of a custom authorization server (Security > API > Authorization Servers), because tokens of the org authorization server are not for your APIs",
  },
};
