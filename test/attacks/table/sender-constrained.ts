// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { createHash } from "node:crypto";
import { signToken } from "../../support/issuer.js";
import { type Attack, control, type ForgedRequest, stoppedBy, type Verdict } from "../attack.js";
import { assemble } from "../lab/forge.js";
import { good, mintWith, start } from "../lab/mint.js";
import {
  boundKey,
  boundToken,
  otherKey,
  proofClaims,
  proofHeader,
  prove,
  publicPart,
  withProofs,
} from "../lab/proofs.js";
import { onConnect, type Way } from "../lab/ways.js";

const certificate = "A4DtL2JmUMhAsvJj5tKyn64SqzmuXbMrJa0n761y5v0";
const world = { dpop: "plain" } as const;
type Forge = (way: Way) => ForgedRequest;

function dpop(guard: string, reference: string, verdict: Verdict = "DPOP_PROOF_INVALID") {
  return (name: string, forge: Forge, more: Partial<Attack> = {}): Attack =>
    stoppedBy(guard, reference, verdict)(name, forge, { world, ...more });
}

const claimed = (guard: string, section: string) => (name: string, changes: Readonly<Record<string, unknown>>) =>
  dpop(guard, `RFC 9449 §${section}`)(name, (way) => prove(proofClaims(way, changes)));
const headed = (guard: string, section: string) => (name: string, changes: Readonly<Record<string, unknown>>) =>
  dpop(guard, `RFC 9449 §${section}`)(name, (way) => prove(proofClaims(way), proofHeader(changes)));

const time = claimed("dpop-age", "4.3, 11.1");
const target = claimed("dpop-target", "4.3");
const method = claimed("dpop-method", "4.3");
const token = claimed("dpop-token", "4.3, 7");
const id = claimed("dpop-id", "4.2");
const type = headed("dpop-type", "4.3");
const path = "/test.v1.Vault/Read";

export const senderConstrained: readonly Attack[] = [
  control("a bound token comes with a proof", "RFC 9449 §7.1", (way) => prove(proofClaims(way)), { world }),
  control("a good bearer token comes to a server that takes proofs", "RFC 6750 §2.1", () => good, { world }),

  dpop("dpop-proof", "RFC 9449 §7.1")("a bound token comes without a proof", () => withProofs()),
  dpop(
    "dpop-scheme",
    "RFC 9449 §7.2",
    "TOKEN_INVALID",
  )("a bound token comes as a bearer token", () => ({
    fields: [["authorization", `Bearer ${boundToken}`]],
  })),
  dpop(
    "dpop-scheme",
    "RFC 9449 §7.2",
    "TOKEN_INVALID",
  )("a bound token comes as a bearer token, with a good proof", (way) => ({
    fields: [
      ["authorization", `Bearer ${boundToken}`],
      ["dpop", signToken(boundKey, proofHeader(), proofClaims(way))],
    ],
  })),
  dpop("dpop-one-proof", "RFC 9449 §4.3")(
    "two proofs come, the first of them good",
    (way) => withProofs(signToken(boundKey, proofHeader(), proofClaims(way)), "other"),
    { on: onConnect },
  ),
  dpop("dpop-key", "RFC 9449 §4.3, §6.1")("the proof is made with another key", (way) =>
    prove(proofClaims(way), proofHeader({}, otherKey), otherKey),
  ),
  dpop("dpop-signature", "RFC 9449 §4.3")("the proof names the right key, and another one signed it", (way) =>
    prove(proofClaims(way), proofHeader(), otherKey),
  ),
  dpop("dpop-signature", "CVE-2022-21449")("r and s of the proof's signature are 0", (way) =>
    withProofs(assemble(proofHeader(), proofClaims(way), Buffer.alloc(64))),
  ),
  dpop("dpop-algorithm", "RFC 9449 §4.3")("alg of the proof is none", (way) =>
    withProofs(assemble(proofHeader({ alg: "none" }), proofClaims(way), "AAAA")),
  ),
  dpop("dpop-algorithm", "RFC 9449 §4.3")("alg of the proof is HS256", (way) =>
    withProofs(assemble(proofHeader({ alg: "HS256" }), proofClaims(way), Buffer.alloc(32))),
  ),
  dpop("dpop-secret-key", "RFC 9449 §4.3")("the proof has the private key in it", (way) =>
    prove(
      proofClaims(way),
      proofHeader({ jwk: { ...publicPart(boundKey), d: boundKey.privateKey.export({ format: "jwk" })["d"] } }),
    ),
  ),
  dpop("dpop-critical", "RFC 7515 §4.1.11")("the proof has a critical extension", (way) =>
    prove(proofClaims(way), proofHeader({ crit: ["x"], x: 1 })),
  ),
  type("typ of the proof is at+jwt", { typ: "at+jwt" }),
  type("typ of the proof is JWT", { typ: "JWT" }),
  type("typ of the proof is missing", { typ: undefined }),

  method("the proof is for PUT", { htm: "PUT" }),
  method("the proof is for post, in lower case", { htm: "post" }),
  method("the proof is for no method", { htm: undefined }),
  target("the proof is for another RPC", { htu: "https://vault.internal/test.v1.Ledger/Read" }),
  target("the proof is for another host", { htu: `https://attacker.example.net${path}` }),
  target("the proof is for our host as a user name", { htu: `https://vault.internal@attacker.example.net${path}` }),
  target("the proof is for plain http", { htu: `http://vault.internal${path}` }),
  target("the proof is for another port", { htu: `https://vault.internal:8443${path}` }),
  target("the proof is for a prefix of the path", { htu: "https://vault.internal/test.v1.Vault/" }),
  target("the proof is for no URI", { htu: undefined }),
  target("the proof is for a list of URIs", { htu: [`https://vault.internal${path}`] }),
  token("the proof is for another token", { ath: createHash("sha256").update(good).digest("base64url") }),
  token("the proof is for no token", { ath: undefined }),
  token("the proof has the token's hash in hexadecimal", {
    ath: createHash("sha256").update(boundToken).digest("hex"),
  }),
  time("the proof is 66 s old, past age and tolerance", { iat: start - 66 }),
  time("the proof is from the future", { iat: start + 6 }),
  time("the proof is from no time", { iat: undefined }),
  time("the time of the proof is a text", { iat: String(start) }),
  id("the proof has no id", { jti: undefined }),
  id("the id of the proof is empty", { jti: "" }),
  id("the id of the proof is a number", { jti: 7 }),
  id("the id of the proof has 1,000 characters", { jti: "x".repeat(1_000) }),

  dpop("dpop-replay", "RFC 9449 §11.1")("a proof is used a second time", (way) => once(way), {
    async before({ way, call }) {
      await call(once(way));
    },
  }),
  dpop("dpop-replay", "RFC 9449 §11.1")("a proof is used a second time, a minute later", (way) => once(way), {
    async before({ way, call, world: { clock } }) {
      await call(once(way));
      clock.advance(64_000);
    },
  }),
  dpop("dpop-nonce", "RFC 9449 §9", "DPOP_NONCE_REQUIRED")(
    "the proof has no nonce where one is needed",
    (way) => prove(proofClaims(way)),
    {
      world: { dpop: "nonce" },
    },
  ),
  dpop("dpop-nonce", "RFC 9449 §9", "DPOP_NONCE_REQUIRED")(
    "the proof has a nonce that the client made up",
    (way) => prove(proofClaims(way, { nonce: "made-up" })),
    { world: { dpop: "nonce" } },
  ),
  dpop("dpop-nonce", "RFC 9449 §9", "DPOP_NONCE_REQUIRED")(
    "the nonce of the proof is a list",
    (way) => prove(proofClaims(way, { nonce: ["x"] })),
    { world: { dpop: "nonce" } },
  ),

  stoppedBy("certificate", "RFC 8705 §3")(
    "the token is bound to a certificate, and the caller names it in a header",
    () => ({
      fields: [
        ["authorization", `Bearer ${mintWith({ cnf: { "x5t#S256": certificate } })}`],
        ["x-forwarded-client-cert", `Hash=${certificate}`],
        ["client-cert", `:${certificate}:`],
      ],
    }),
  ),
  stoppedBy("certificate", "RFC 8705 §3")(
    "a token that is bound to a certificate comes a second time",
    () => certificateToken,
    {
      before: async ({ call }) => void (await call(certificateToken)),
    },
  ),
];

const certificateToken = mintWith({ cnf: { "x5t#S256": certificate } });

const proofs = new Map<string, ForgedRequest>();

/** The same proof for every call of a way. */
function once(way: Way): ForgedRequest {
  const known = proofs.get(way.name) ?? prove(proofClaims(way));
  proofs.set(way.name, known);
  return known;
}
