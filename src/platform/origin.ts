// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

/**
 * Checks that a text is the origin of a server (RFC 6454 §4), such as "https://payments.example.com" or
 * "https://payments.example.com:8443", and returns it as it is compared: in lower case, without the default port.
 * Throws a TypeError that names the option otherwise.
 */
export function parseOrigin(origin: string, option: string): string {
  const url = typeof origin === "string" && URL.canParse(origin) ? new URL(origin) : undefined;
  const isOrigin = url !== undefined && /^https?:$/.test(url.protocol) && url.href === `${url.origin}/`;
  // What URL adds or takes away is not what somebody meant.
  if (!isOrigin || !/^https?:\/\/[^/?#\\\s]+$/i.test(origin)) {
    throw new TypeError(`${option} is no origin; write it as in https://payments.example.com, without a path`);
  }
  return url.origin;
}
