// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

/** The characters of RFC 3986. Others, URL would take out or replace before anybody compares them. */
const uriCharacters = /^[A-Za-z0-9\-._~:/?#[\]@!$&'()*+,;=%]+$/;

/**
 * Brings the target URI of a proof into the form in which two are compared (RFC 9449 §4.3): without query and fragment,
 * normalised by syntax and scheme (RFC 3986 §6.2.2, §6.2.3). `undefined` if it is no URI of HTTP.
 */
export function normaliseTargetUri(uri: string): string | undefined {
  if (!uriCharacters.test(uri) || !/^https?:\/\//i.test(uri) || !URL.canParse(uri)) return undefined;
  const { origin, username, password, pathname } = new URL(uri);
  if (username !== "" || password !== "") return undefined;
  return origin + normalisePath(pathname);
}

// URL sees to scheme, host, port and dot segments, and leaves percent-encoding as it is (RFC 3986 §6.2.2.2).
function normalisePath(path: string): string {
  return path.replace(/%[0-9a-f]{2}/gi, (encoded) => {
    const char = String.fromCharCode(Number.parseInt(encoded.slice(1), 16));
    return /[A-Za-z0-9\-._~]/.test(char) ? char : encoded.toUpperCase();
  });
}

/** Whether a proof is for a path of one of some origins. */
export function isTargetUri(htu: string, origins: readonly string[], path: string): boolean {
  if (!path.startsWith("/")) return false;
  if (origins.some((origin) => htu === origin + path)) return true;
  const normalised = normaliseTargetUri(htu);
  return normalised !== undefined && origins.some((origin) => normalised === normaliseTargetUri(origin + path));
}
