// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { isLoopback } from "../platform/loopback.js";

/**
 * Whether a gRPC target (gRPC naming: "host:port", "dns:///host:port", "ipv4:a:p,b:p", "unix:path") can only mean this
 * machine.
 */
export function isLoopbackTarget(target: string): boolean {
  if (/^unix(-abstract)?:/.test(target)) return true;
  const addresses = target.replace(/^(dns:(\/\/[^/]*\/)?|ipv[46]:)/, "");
  return addresses.split(",").every((address) => isLoopback(hostOf(address)));
}

function hostOf(address: string): string {
  const bracketed = /^\[([^\]]*)\](:\d+)?$/.exec(address);
  return bracketed?.[1] ?? address.replace(/:\d+$/, "");
}
