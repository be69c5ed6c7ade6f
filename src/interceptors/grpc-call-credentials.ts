// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { CallCredentials, Metadata } from "@grpc/grpc-js";
import type { AccessToken } from "../tokens/access-token.js";
import { type GrpcInterceptorOptions, requirementsByPath } from "./grpc-client.js";
import { addProof, urlsByPath } from "./grpc-proof.js";
import { tokenErrorToStatus } from "./grpc-status.js";

/**
 * Creates call credentials for those who compose channel credentials:
 * `credentials.combineChannelCredentials(credentials.createSsl(), createCallCredentials(options))`.
 *
 * They cannot see how a call ends, so a refused token is neither dropped nor replaced, nor a call tried again: that takes
 * createGrpcInterceptor(). They do not learn of a call's deadline or cancellation either: grpc-js ends the call by itself.
 * Nor do they see the nonces that a server wants in DPoP proofs (RFC 9449 §9): such a server needs createGrpcInterceptor().
 *
 * Throws a TypeError if tokens would go over plaintext beyond loopback, or need proofs for an origin that is not known, and a
 * RuleError if an RPC of the services has no rule.
 */
export function createCallCredentials(options: GrpcInterceptorOptions): CallCredentials {
  const { tokenSource } = options;
  const requirements = requirementsByPath(options);
  const urls = urlsByPath(options);
  return CallCredentials.createFromMetadataGenerator(({ service_url: url, method_name: method }, callback) => {
    const path = pathOf(url, method);
    const requirement = requirements.get(path);
    if (requirement === undefined) {
      callback(null, new Metadata());
      return;
    }
    const token = tokenSource.get(requirement);
    const proofUrl = urls?.get(path);
    if (!(token instanceof Promise) && proofUrl === undefined) {
      callback(null, metadataOf(token));
      return;
    }
    // A generator that rejects would leave the call hanging to its deadline; an error without a code would be UNKNOWN.
    provenMetadata(token, proofUrl).then(
      (metadata) => callback(null, metadata),
      (error: unknown) => callback(toError(error)),
    );
  });
}

/** grpc-js shows the message of an error and its code, not its details. */
function toError(error: unknown): Error {
  const status = tokenErrorToStatus(error);
  return Object.assign(new Error(status.details), status);
}

function metadataOf(token: AccessToken): Metadata {
  const metadata = new Metadata();
  metadata.set("authorization", token.authorization);
  return metadata;
}

async function provenMetadata(pending: AccessToken | Promise<AccessToken>, url: string | undefined): Promise<Metadata> {
  const token = await pending;
  const metadata = metadataOf(token);
  if (token.dpop !== undefined && url !== undefined) await addProof(metadata, token.dpop, url);
  return metadata;
}

/** The gRPC authentication guide has the bare name of the method; grpc-js gives its path. */
function pathOf(serviceUrl: string, method: string): string {
  return method.startsWith("/") ? method : `${new URL(serviceUrl).pathname}/${method}`;
}
