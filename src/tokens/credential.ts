// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

export { type ClientAssertionOptions, clientAssertionFromFile } from "./credentials/client-assertion.js";
export { type ClientSecretOptions, type ClientSecretSource, clientSecret } from "./credentials/client-secret.js";
export type { ClientAuthentication, ClientAuthenticationContext, Credential } from "./credentials/credential.js";
export { CredentialError } from "./credentials/credential-error.js";
export { type PrivateKeyJwtOptions, type PrivateKeySource, privateKeyJwt } from "./credentials/private-key-jwt.js";
export { quotes } from "./credentials/quotes.js";
export type { SigningAlgorithm } from "./credentials/signing-key.js";
export type { PemSource } from "./credentials/text-source.js";
export { type TlsClientAuthOptions, tlsClientAuth } from "./credentials/tls-client-auth.js";
