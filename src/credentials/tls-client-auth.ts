// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { type Clock, systemClock } from "../platform/clock.js";
import { createCredential } from "./create-credential.js";
import type { Credential } from "./credential.js";
import { checkOption } from "./credential-error.js";
import { Rotation } from "./rotation.js";
import { checkPair, readCertificate, readKeyObject } from "./signing-key.js";
import { combinedSource, expiryError, untilExpired } from "./source.js";
import { type PemSource, type TextSource, textSource } from "./text-source.js";
import { createTlsConnections, type TlsMaterial } from "./tls-connections.js";

/** Options of tlsClientAuth(). */
export interface TlsClientAuthOptions {
  /** The client certificate as PEM, with intermediate ones behind it. */
  readonly certificate: PemSource;
  /** Its private key as PEM, not encrypted. */
  readonly key: PemSource;
  /** Authorities to trust for the authorization server, as PEM. By default, those that Node.js trusts. */
  readonly ca?: PemSource;
  /** The time. By default, the machine's. */
  readonly clock?: Clock;
}

/**
 * Authenticates with a client certificate (RFC 8705 §2), issued by an authority or self-signed: token requests go over
 * connections of their own that present it, and not through the option `fetch` of the token source. Needs the package
 * `undici`.
 *
 * Files that were replaced are used, with new connections, once they have been left alone for a second; while
 * certificate and key do not belong together, the last pair stays in use.
 *
 * Throws a TypeError if a PEM text is none, or not for the other. A file that cannot be read and a certificate that has
 * expired fail the token request, with their name.
 */
export function tlsClientAuth(options: TlsClientAuthOptions): Credential {
  const { clock = systemClock } = options;
  const certificate = textSource(options.certificate, "client certificate");
  const key = textSource(options.key, "private key");
  const ca = options.ca === undefined ? undefined : textSource(options.ca, "certificate authority");
  checkOption(() => checkLiterals(certificate, key, ca));

  const pair = combinedSource([certificate, key, ...(ca ? [ca] : [])], async ([cert = "", keyPem = "", caPem]) => {
    const x509 = readCertificate(cert, certificate.name);
    checkPair(x509, readKeyObject(keyPem, key.name));
    if (ca !== undefined && caPem !== undefined) readCertificate(caPem, ca.name);
    return { certificate: cert, key: keyPem, ca: caPem, expiresAt: Date.parse(x509.validTo) };
  });
  const connections = createTlsConnections();
  return createCredential<TlsMaterial & { readonly expiresAt: number }>({
    method: "tls_client_auth",
    rotation: new Rotation(untilExpired(pair, clock)),
    async authenticate(material) {
      if (material.expiresAt <= clock.now()) throw expiryError(certificate.name, material.expiresAt);
      const client = await import("openid-client");
      return { clientAuth: client.TlsClientAuth(), fetch: await connections.use(material) };
    },
    // The key never leaves the process, and a certificate is no secret.
    isIn: () => false,
  });
}

function checkLiterals(certificate: TextSource, key: TextSource, ca: TextSource | undefined): void {
  const x509 = certificate.literal === undefined ? undefined : readCertificate(certificate.literal, certificate.name);
  const object = key.literal === undefined ? undefined : readKeyObject(key.literal, key.name);
  if (x509 !== undefined && object !== undefined) checkPair(x509, object);
  if (ca?.literal !== undefined) readCertificate(ca.literal, ca.name);
}
