// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { generateKeyPair } from "jose";
import { afterEach, describe, expect, it } from "vitest";
import {
  type AuthorizationServer,
  developmentSecret,
  startAuthorizationServer,
} from "../../services/authorization-server/server.js";
import { readExampleMesh } from "../../services/shared/example-mesh.js";
import {
  type AccessToken,
  clientSecret,
  createTokenSource,
  type TokenSource,
  type TokenSourceDpopOptions,
} from "../../src/index.js";
import { systemClock } from "../../src/platform/clock.js";
import { createDpopVerifier } from "../../src/verification/dpop/dpop-verifier.js";
import { mintProof, mintProofKey, transportWith } from "../support/dpop.js";

const requirement = { audience: "https://payment-service.internal", scopes: ["payments:write"] };
const origin = "https://payment-service.internal";
const path = "/payment.v1.PaymentService/Charge";

let server: AuthorizationServer | undefined;
afterEach(async () => {
  await server?.close();
});

async function start(
  dpop: TokenSourceDpopOptions,
  options: { requireDpopNonce?: boolean; lifetimeSeconds?: number } = {},
): Promise<TokenSource> {
  server = await startAuthorizationServer({ mesh: readExampleMesh(), port: 0, ...options });
  const credential = clientSecret(developmentSecret("order-service"));
  return createTokenSource({ issuer: server.issuer, clientId: "order-service", credential, dpop });
}

function claimsOf({ value }: AccessToken): { readonly cnf?: { readonly jkt?: string } } {
  return JSON.parse(Buffer.from(value.split(".")[1] ?? "", "base64url").toString());
}

describe("a token of the embedded authorization server, with DPoP", () => {
  it.each<[string, () => Promise<TokenSourceDpopOptions>]>([
    ["a key of the token source", async () => ({})],
    ["a key for ES256", async () => ({ keyPair: await generateKeyPair("ES256") })],
    ["a key for Ed25519", async () => ({ keyPair: await generateKeyPair("Ed25519") })],
  ])("is bound to %s", async (_, dpop) => {
    const source = await start(await dpop());
    const token = await source.get(requirement);
    expect(token.scheme).toBe("DPoP");
    expect(claimsOf(token).cnf).toEqual({ jkt: source.dpopThumbprint });
  });

  it("is bound where proofs need a nonce", async () => {
    const source = await start({}, { requireDpopNonce: true });
    expect(claimsOf(await source.get(requirement)).cnf).toEqual({ jkt: source.dpopThumbprint });
    const another = await source.get({ ...requirement, scopes: [] });
    expect(claimsOf(another).cnf).toEqual({ jkt: source.dpopThumbprint });
  });

  it("is refused for a key that the authorization server has no algorithm for", async () => {
    const source = await start({ keyPair: await generateKeyPair("RS256") });
    await expect(source.get(requirement)).rejects.toMatchObject({ kind: "refused", oauthError: "invalid_dpop_proof" });
  });

  it("comes with proofs that a server takes once, and that nobody else can make", async () => {
    const source = await start({});
    const token = await source.get(requirement);
    const jkt = claimsOf(token).cnf?.jkt ?? "";
    const verifier = createDpopVerifier({ origin, clock: systemClock, clockToleranceMs: 5_000 });
    const check = async (proof: string | undefined): Promise<string | undefined> => {
      const transport = transportWith({ path, dpopProofs: proof === undefined ? [] : [proof] });
      return (await verifier.check({ token: token.value, jkt, transport }))?.cause;
    };
    const proof = await token.dpop?.prove({ method: "POST", url: origin + path });
    expect(await check(proof)).toBeUndefined();
    expect(await check(proof)).toBe("the DPoP proof was used before");
    expect(await check(undefined)).toBe("the call has no DPoP header");
    const thief = await mintProofKey();
    const stolen = mintProof(thief, { token: token.value, htu: origin + path, iat: Math.floor(Date.now() / 1000) });
    expect(await check(stolen)).toBe("the DPoP proof is made with another key than the one of the access token");
  });
});
