// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { type Provider, standardProvider } from "./provider.js";

const nameTheApi =
  "create an API with exactly this Identifier (Applications > APIs > Create API), or map the audience to the Identifier of the one that you have (Applications > APIs > the API > Settings)";

/** Auth0. The audience is the Identifier of an API, and an issuer ends with a slash. */
export const auth0: Provider = {
  ...standardProvider,
  name: "Auth0",
  audienceParameter: "audience",
  // Unverified: what Auth0 expects in `aud` of an assertion.
  assertionAudience: "issuer",
  // "permissions" is there with RBAC.
  scopeClaims: ["scope", "permissions"],
  // "client_id" is in tokens of the RFC 9068 profile.
  clientIdClaims: ["azp", "client_id"],
  types: ["jwt", "at+jwt"],
  // Menu names are unverified, and vendors change them.
  advice: {
    wrong_audience: nameTheApi,
    missing_audience: nameTheApi,
    narrowed_scope:
      "add {scope} to the API (Applications > APIs > the API > Permissions) and grant it to this application (Applications > APIs > the API > Machine to Machine Applications)",
    missing_roles:
      'add {scope} to the API (Applications > APIs > the API > Permissions) and turn on "Add Permissions in the Access Token" (Settings > RBAC Settings)',
    opaque_token: nameTheApi,
    wrong_type:
      "choose Auth0 or RFC 9068 as the JSON Web Token (JWT) Profile of the API (Applications > APIs > the API > Settings)",
  },
};
