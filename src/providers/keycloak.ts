// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { type Provider, standardProvider } from "./provider.js";

const addAudience =
  'add a mapper of the type "Audience" with the Included Custom Audience {audience} and "Add to access token" on to a client scope (Client scopes > the scope > Mappers), and add that scope to this client (Clients > the client > Client scopes)';

/**
 * Keycloak. A scope is a client scope, and the audience comes from a mapper: the request cannot name it, for `resource`
 * is experimental there. Realm and client roles are read with `scopeClaims: [["realm_access", "roles"]]` or
 * `[["resource_access", "{audience}", "roles"]]` instead.
 */
export const keycloak: Provider = {
  ...standardProvider,
  name: "Keycloak",
  audienceParameter: "none",
  // Unverified: what Keycloak expects in `aud` of an assertion.
  assertionAudience: "issuer",
  clientIdClaims: ["azp", "client_id"],
  // "at+jwt" is a setting of the client, off by default.
  types: ["jwt", "at+jwt"],
  // Menu names are unverified, and vendors change them.
  advice: {
    // "account" is in `aud` of every realm that is left as it was, so it must not be accepted as an audience.
    wrong_audience: addAudience,
    missing_audience: addAudience,
    narrowed_scope:
      'create {scope} under Client scopes with "Include in token scope" on, and add it to this client (Clients > the client > Client scopes > Add client scope)',
    missing_roles:
      'assign {scope} to the service account of this client (Clients > the client > Service accounts roles > Assign role) and keep the client scope "roles" on the client',
    opaque_token: "check that the issuer is the realm's, because access tokens of Keycloak are JWTs",
    wrong_type: "check that the issuer is the realm's, because access tokens of Keycloak have the typ JWT or at+jwt",
  },
};
