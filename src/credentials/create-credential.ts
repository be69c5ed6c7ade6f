// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import type { ClientAuthentication, ClientAuthenticationContext, Credential } from "./credential.js";
import type { Rotation } from "./rotation.js";

/** What makes a credential of something that rotates. */
export interface CredentialParts<T extends string | object> {
  readonly method: Credential["method"];
  readonly keyId?: string | undefined;
  readonly rotation: Rotation<T>;
  authenticate(value: T, context: ClientAuthenticationContext): Promise<ClientAuthentication>;
  isIn(text: string): boolean;
}

/** Creates a credential. It holds everything secret out of sight. */
export function createCredential<T extends string | object>(parts: CredentialParts<T>): Credential {
  const { method, keyId, rotation } = parts;
  const used = new WeakMap<ClientAuthentication, T>();
  return {
    method,
    ...(keyId === undefined ? {} : { keyId }),
    async authenticate(context) {
      const value = await rotation.use();
      const authentication = await parts.authenticate(value, context);
      used.set(authentication, value);
      return authentication;
    },
    renew: (refused) => rotation.renew(used.get(refused)),
    isIn: (text) => parts.isIn(text),
  };
}
