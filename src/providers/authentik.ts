// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { type Provider, standardProvider } from "./provider.js";

const mapTheAudience =
  "map the audience to the Client ID of the provider that issues this token (Applications > Providers > the provider), because authentik puts no other into aud";

/**
 * Authentik. The audience is the client id of the provider that issues the token. Tokens have no scopes unless a scope
 * mapping writes them, and an issuer ends with a slash.
 */
export const authentik: Provider = {
  ...standardProvider,
  name: "authentik",
  audienceParameter: "none",
  // Unverified: what authentik expects in `aud` of an assertion.
  assertionAudience: "token_endpoint",
  clientIdClaims: ["azp"],
  // Unverified: the typ of an access token.
  types: ["jwt"],
  // Menu names are unverified, and vendors change them.
  advice: {
    wrong_audience: mapTheAudience,
    missing_audience: mapTheAudience,
    narrowed_scope:
      'create a Scope Mapping with the scope name {scope} whose expression returns it as "scope" (Customization > Property Mappings), and select it in the provider (Applications > Providers > the provider > Advanced protocol settings > Scopes)',
    opaque_token: "check that the issuer is the application's, because access tokens of authentik are JWTs",
    wrong_type: "check that the issuer is the application's, because access tokens of authentik have the typ JWT",
  },
};
