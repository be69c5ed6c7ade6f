// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { auth0 } from "./auth0.js";
import { authentik } from "./authentik.js";
import { cognito } from "./cognito.js";
import { entra } from "./entra.js";
import { hydra } from "./hydra.js";
import { keycloak } from "./keycloak.js";
import { okta } from "./okta.js";
import { type Provider, standardProvider } from "./provider.js";
import { zitadel } from "./zitadel.js";

/** The names of the presets. */
export type ProviderName =
  | "generic"
  | "keycloak"
  | "auth0"
  | "entra"
  | "cognito"
  | "okta"
  | "hydra"
  | "zitadel"
  | "authentik";

/**
 * Presets for authorization servers. `generic` is the default, standardProvider; the others are made from documentation
 * and not yet proven against the real services. To change one, spread it: `{ ...providers.hydra, expectsJwt: true }`.
 */
export const providers: Readonly<Record<ProviderName, Provider>> = {
  generic: standardProvider,
  keycloak,
  auth0,
  entra,
  cognito,
  okta,
  hydra,
  zitadel,
  authentik,
};
