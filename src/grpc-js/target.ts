// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { isLoopback } from "../platform/loopback.js";

/**
 * Whether a gRPC target (gRPC naming: "host:port", "dns:///host:port", "ipv4:a:p,b:p", "unix:path") can only mean this
 * machine. Not so for what another name server or another resolver decides.
 */
export function isLoopbackTarget(target: string): boolean {
  if (target.startsWith("unix:")) return true;
  const addresses = target.replace(/^(dns:(\/\/\/)?|ipv[46]:)/, "");
  return addresses.split(",").every((address) => isLoopback(hostOf(address)));
}

/**
 * The origin of what a gRPC target names; `undefined` if that is not one host: several addresses, a socket, another
 * resolver's name.
 */
export function originOfTarget(target: string, scheme: "http" | "https"): string | undefined {
  const address = target.replace(/^(dns:(\/\/[^/]*\/)?|ipv[46]:)/, "");
  if (hostOf(address) === "") return undefined;
  // gRPC's default port, with TLS and without.
  const origin = /:\d+$/.test(address.replace(/^\[.*\]/, "")) ? `${scheme}://${address}` : `${scheme}://${address}:443`;
  return URL.canParse(origin) ? new URL(origin).origin : undefined;
}

/** The host of "host:port"; empty if it is something else. */
function hostOf(address: string): string {
  const [, bracketed, name] = /^(?:\[([^\]]*)\]|([a-z0-9.-]+))(?::\d+)?$/i.exec(address) ?? [];
  return bracketed ?? name ?? "";
}
