// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import type { ServerMetadata } from "openid-client";
import { createClientEndpoint } from "../../credentials/client-endpoint.js";
import { ClientRequestFailure } from "../../credentials/client-request-failure.js";
import type { IntrospectorSettings } from "./introspection-options.js";

/** The introspection endpoint of one authorization server. */
export interface IntrospectionEndpoint {
  /** Fetches the metadata now unless they are known. Throws a DiscoveryError. */
  load(): Promise<ServerMetadata>;
  /**
   * Asks about a token (RFC 7662 §2.1): what the answer says of it if it is active, else `undefined`. Throws a
   * ClientRequestFailure.
   */
  introspect(token: string): Promise<Readonly<Record<string, unknown>> | undefined>;
}

const parameters = { token_type_hint: "access_token" };

/** Creates an introspection endpoint. Discovery runs when it is needed first. */
export function createIntrospectionEndpoint(settings: IntrospectorSettings): IntrospectionEndpoint {
  const { endpoint: location, ...rest } = settings;
  // What an error says beyond a code could quote the token, or be as long as an attacker likes.
  const endpoint = createClientEndpoint({ ...rest, location, endpoint: "introspection", showsAnswers: false });
  return {
    load: () => endpoint.load(),
    async introspect(token) {
      const client = await import("openid-client");
      const answer = await endpoint
        .request(async (configuration, exchange) => {
          const body = await client.tokenIntrospection(configuration, token, parameters);
          if (!isJson(exchange.response)) throw new TypeError("the answer is no JSON");
          return body;
        })
        .catch(failUnlessOtherKind);
      return answer?.active === true ? answer : undefined;
    },
  };
}

// Some answer so about a JWT, where tokens are opaque (RFC 7009 §2.2.1): it is none of theirs.
function failUnlessOtherKind(error: unknown): undefined {
  if (error instanceof ClientRequestFailure && error.oauthError === "unsupported_token_type") return undefined;
  throw error;
}

// openid-client also takes JSON by any other name, and JWTs whose signature it does not verify (RFC 9701).
function isJson(response: Response | undefined): boolean {
  return /^application\/json\s*(;|$)/i.test(response?.headers.get("content-type") ?? "");
}
