// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { type Provider, standardProvider } from "./provider.js";

const mapTheAudience =
  "map the audience to what tokens of this API have: its Application (client) ID if requestedAccessTokenVersion is 2 (App registrations > the API > Manifest), its Application ID URI otherwise (App registrations > the API > Expose an API)";

/**
 * Microsoft Entra ID. A scope of the protos is an app role, and cannot be asked for: a token has all the roles of one
 * API that the client was assigned. The audience is the API's Application (client) ID, a GUID, or its Application ID URI.
 */
export const entra: Provider = {
  ...standardProvider,
  name: "Entra ID",
  audienceParameter: "none",
  scopeFormat: "{audience}/.default",
  assertionAudience: "token_endpoint",
  // There is no "scp" in tokens of applications, and no "roles" in those of applications without any.
  scopeClaims: ["roles"],
  // "azp" is in v2.0 tokens, "appid" in v1.0 tokens.
  clientIdClaims: ["azp", "appid"],
  types: ["jwt"],
  // Menu names are unverified, and vendors change them.
  advice: {
    wrong_audience: mapTheAudience,
    missing_audience: mapTheAudience,
    missing_roles:
      'create the app role {scope} for Applications (App registrations > the API > App roles), add it to this client (App registrations > the client > API permissions > Add a permission > Application permissions) and select "Grant admin consent"',
    opaque_token:
      "map the audience to an API of your own (App registrations > the API > Expose an API), because tokens of other APIs are not yours to read",
    wrong_type:
      "map the audience to an API of your own (App registrations > the API > Expose an API), whose access tokens have the typ JWT",
  },
};
