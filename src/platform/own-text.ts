// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

/** A copy of a header's value, which may be a view of something larger that would be kept with it. ASCII only. */
export function ownText(text: string): string {
  return Buffer.from(text, "latin1").toString("latin1");
}
