// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import type { PublicJwk } from "../lib/issuer.js";

/** What carries the calls. */
export type TransportName = "connect" | "connect-grpc" | "grpc-js";

export const transports: Readonly<Record<TransportName, string>> = {
  connect: "connect-node, Connect",
  "connect-grpc": "connect-node, gRPC",
  "grpc-js": "grpc-js",
};

/** What a server does about a token before its handler runs. */
export type CheckName =
  | "nothing"
  | "empty guard"
  | "meshauth"
  | "jose"
  | "fast-jwt"
  | "aws-jwt-verify"
  | "express-oauth2-jwt-bearer"
  | "Connectum's shape";

/** What a server process is told at its start. */
export interface ServerSettings {
  readonly transport: TransportName;
  readonly check: CheckName;
  readonly issuer: string;
  readonly publicJwk: PublicJwk;
}
