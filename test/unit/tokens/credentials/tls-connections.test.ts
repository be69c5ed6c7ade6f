// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { expect, it, vi } from "vitest";
import { createTlsConnections } from "../../../../src/tokens/credentials/tls-connections.js";

it("say what to do when the package undici is not installed", async () => {
  vi.doMock("undici", () => {
    throw new Error("Cannot find package 'undici'");
  });
  const using = createTlsConnections().use({ certificate: "", key: "", ca: undefined });
  await expect(using).rejects.toMatchObject({
    name: "CredentialError",
    kind: "refused",
    message: "tlsClientAuth() needs the package undici, which is not installed; run: npm install undici@7",
  });
  vi.doUnmock("undici");
});
