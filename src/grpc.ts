// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

export {
  type ClientStreamCall,
  createGrpcClient,
  type GrpcCallOptions,
  type GrpcClient,
  type GrpcClientMethod,
  type GrpcClientOptions,
} from "./grpc-js/client.js";
export {
  addService,
  createServiceDefinition,
  type GrpcHandler,
  type GrpcHandlers,
  type GrpcServiceDefinition,
} from "./grpc-js/service-definition.js";
export { createCallCredentials } from "./interceptors/grpc-call-credentials.js";
export { createGrpcInterceptor, type GrpcInterceptorOptions } from "./interceptors/grpc-client.js";
export { type AuthenticatedClientOptions, createAuthenticatedClient } from "./interceptors/grpc-client-factory.js";
export { createGuardedServer, findPrincipal, getPrincipal, guardGrpc } from "./interceptors/grpc-server.js";
export { withoutToken } from "./interceptors/grpc-without-token.js";
