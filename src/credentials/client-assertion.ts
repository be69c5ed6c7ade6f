// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { decodeJwt } from "jose";
import { type Clock, systemClock } from "../platform/clock.js";
import { createCredential } from "./create-credential.js";
import type { Credential } from "./credential.js";
import { CredentialError } from "./credential-error.js";
import { fileSource } from "./file-source.js";
import { quotesInAnyForm } from "./quotes.js";
import { Rotation } from "./rotation.js";
import { combinedSource, type Expiring, expiryError, untilExpired } from "./source.js";

/** Options of clientAssertionFromFile(). */
export interface ClientAssertionOptions {
  /** The time. By default, the machine's. */
  readonly clock?: Clock;
}

interface Assertion extends Expiring {
  readonly jwt: string;
}

const assertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/**
 * Authenticates with a JWT that somebody else signs, and keeps current in a file: a projected service account token of
 * Kubernetes, a JWT-SVID of SPIFFE (RFC 7523 §2.2, RFC 7521 §4.2). The file is read again when it was changed; while it
 * holds no whole JWT, the last one stays in use.
 *
 * Throws a TypeError if the path is empty. A file that cannot be read, or whose JWT has expired, fails the token request,
 * with its name.
 */
export function clientAssertionFromFile(path: string, options: ClientAssertionOptions = {}): Credential {
  if (typeof path !== "string" || path === "") throw new TypeError("the path of the client assertion is empty");
  const { clock = systemClock } = options;
  const file = combinedSource([fileSource(path, "client assertion")], async ([jwt = ""]) => parse(jwt.trim(), path));
  const source = untilExpired(file, clock);
  // One that came before the newest has nothing that the newest has not.
  const rotation = new Rotation<Assertion>(source, { keepsPrevious: false });
  return createCredential({
    method: "private_key_jwt",
    rotation,
    async authenticate({ jwt, expiresAt }) {
      if (expiresAt <= clock.now()) throw expiryError(`the client assertion in ${path}`, expiresAt);
      return {
        clientAuth: (_, { client_id: clientId }, body) => {
          body.set("client_id", clientId);
          body.set("client_assertion_type", assertionType);
          body.set("client_assertion", jwt);
        },
      };
    },
    isIn: (text) => rotation.known().some(({ jwt }) => quotesInAnyForm(text, jwt)),
  });
}

function parse(jwt: string, path: string): Assertion {
  try {
    const { exp } = decodeJwt(jwt);
    // RFC 7523 §3 wants an expiry; whether it does without is up to the authorization server.
    return { jwt, expiresAt: Number.isFinite(exp) ? Math.max(Number(exp) * 1000, 0) : Infinity };
  } catch {
    throw new CredentialError("refused", `the client assertion in ${path} is no JWT`);
  }
}
