// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

/**
 * Whether a host name, as `URL.hostname` has it, can only mean this machine: `localhost` and names below it (RFC 6761
 * §6.3), 127.0.0.0/8 and ::1.
 */
export function isLoopback(hostname: string): boolean {
  const host = hostname.toLowerCase().replace(/^\[(.*)\]$/, "$1");
  return host === "localhost" || host.endsWith(".localhost") || host === "::1" || /^127(\.\d{1,3}){3}$/.test(host);
}
