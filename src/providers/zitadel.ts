// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { type Provider, standardProvider } from "./provider.js";

const mapTheAudience = "map the audience to the Resource Id of the project (Projects > the project)";

/**
 * Zitadel. The audience is the id of a project, and a scope of the protos is the key of one of its roles. Every service
 * account can get every project's audience: an RPC that is `authenticated` is open to all of them.
 */
export const zitadel: Provider = {
  ...standardProvider,
  name: "Zitadel",
  audienceParameter: "none",
  // By the documentation, this asks for the roles in all projects of the audience; unverified.
  scopeFormat: "urn:zitadel:iam:org:projects:roles",
  extraScopes: ["openid", "urn:zitadel:iam:org:project:id:{audience}:aud"],
  // Unverified: what Zitadel expects in `aud` of an assertion.
  assertionAudience: "issuer",
  // Service accounts get opaque tokens by default (unverified), which say nothing about roles.
  expectsJwt: true,
  // An object whose members are the keys of the roles. Its name is from the documentation; unverified.
  scopeClaims: [["urn:zitadel:iam:org:project:{audience}:roles", "*"]],
  // Unverified: the typ of an access token.
  types: ["jwt"],
  // Menu names are unverified, and vendors change them.
  advice: {
    wrong_audience: mapTheAudience,
    missing_audience: mapTheAudience,
    missing_roles:
      "create the role {scope} in the project (Projects > the project > Roles) and give it to this service account (Projects > the project > Authorizations)",
    opaque_token: "set the Access Token Type of this service account to JWT (Users > Service Accounts > the account)",
    wrong_type: "set the Access Token Type of this service account to JWT (Users > Service Accounts > the account)",
  },
};
