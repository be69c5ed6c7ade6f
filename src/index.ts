// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

export { type ClientAssertionOptions, clientAssertionFromFile } from "./credentials/client-assertion.js";
export { type ClientSecretOptions, type ClientSecretSource, clientSecret } from "./credentials/client-secret.js";
export type {
  ClientAuthentication,
  ClientAuthenticationContext,
  Credential,
} from "./credentials/credential.js";
export {
  type PrivateKeyJwtOptions,
  type PrivateKeySource,
  privateKeyJwt,
} from "./credentials/private-key-jwt.js";
export type { SigningAlgorithm } from "./credentials/signing-key.js";
export type { PemSource } from "./credentials/text-source.js";
export { type TlsClientAuthOptions, tlsClientAuth } from "./credentials/tls-client-auth.js";
export { DiscoveryError } from "./discovery/discovery-failure.js";
export type { MeshJson } from "./gen/meshauth/v1/mesh_pb.js";
export type { RuleJson } from "./gen/meshauth/v1/options_pb.js";
export {
  type ConnectInterceptorOptions,
  createConnectInterceptor,
  withoutToken,
} from "./interceptors/connect-client.js";
export { type ConnectServerOptions, findPrincipal, getPrincipal, guardConnect } from "./interceptors/connect-server.js";
export type { Clock } from "./platform/clock.js";
export { type ProviderName, providers } from "./providers/presets.js";
export { type ClaimPath, type FindingKind, type Provider, standardProvider } from "./providers/provider.js";
export { type Mesh, type MeshClient, type MeshOptions, readMesh } from "./rules/mesh.js";
export { RuleError, type RuleProblem } from "./rules/problem.js";
export type { Requirement, Rule, ScopeSet } from "./rules/rule.js";
export {
  type ConfiguredRule,
  createRuleSet,
  type RpcRule,
  type RuleSet,
  type RuleSetOptions,
} from "./rules/rule-set.js";
export { clientIdOf } from "./rules/service-identity.js";
export type { TokenRequirement, TokenRequirementOptions } from "./rules/token-requirement.js";
export type { AccessToken } from "./tokens/access-token.js";
export type { DpopKeyPair } from "./tokens/dpop/dpop-key.js";
export type { TokenSourceDpopOptions } from "./tokens/dpop/dpop-options.js";
export type { ProvenRequest, TokenBinding } from "./tokens/dpop/token-binding.js";
export { TokenError, type TokenFailure } from "./tokens/token-error.js";
export type {
  StaleTokenEvent,
  TokenEvent,
  TokenRefusedEvent,
  TokenRequestEvent,
  TokenSubject,
  TokenWarningEvent,
} from "./tokens/token-event.js";
export { createTokenSource, type TokenSource, type TokenSourceOptions } from "./tokens/token-source.js";
export type { GetOptions, WaitOptions } from "./tokens/wait.js";
export type { Confirmation } from "./verification/confirmation.js";
export type { Decision, DecisionEvent, TokenCheck } from "./verification/decision/decision.js";
export type { DpopOptions } from "./verification/dpop/dpop-options.js";
export { createMemoryReplayStore, type MemoryReplayStoreOptions } from "./verification/dpop/memory-replay-store.js";
export { createNonceSource, type NonceSource, type NonceSourceOptions } from "./verification/dpop/nonce-source.js";
export { createRedisReplayStore, type RedisReplayStoreOptions } from "./verification/dpop/redis-replay-store.js";
export type { ReplayStore, ReplayVerdict } from "./verification/dpop/replay-store.js";
export type { CallTransport, IncomingCall } from "./verification/incoming-call.js";
export type { IntrospectionOptions } from "./verification/introspection/introspection-options.js";
export type { Principal } from "./verification/principal.js";
export type { Refusal, RefusalReason } from "./verification/refusal.js";
export { createResourceServer, type ResourceServer } from "./verification/resource-server.js";
export {
  type CommonServerOptions,
  letRefusedCallsThrough,
  type ResourceServerOptions,
  type SeveralIssuersOptions,
  type SingleIssuerOptions,
} from "./verification/resource-server-options.js";
export type { IntrospectionEvent, KeysEvent, ServerEvent, VerificationEvent } from "./verification/server-event.js";
export type { IssuerOptions } from "./verification/trusted-issuer.js";
