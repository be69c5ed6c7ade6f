// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import type { Guard } from "../guards.js";
import { edit } from "./edits.js";

const proof = "src/verification/dpop/proof.ts";
const verifier = "src/verification/dpop/dpop-verifier.ts";
const notSigned = "if (!(await isSigned(sent, proof, keys)))";

/** What proves that a caller holds the key that a token is bound to. */
export const senderGuards: Readonly<Record<string, Guard>> = {
  "dpop-proof": edit(verifier, [
    "if (sent === undefined) return",
    "if (sent === undefined) return undefined;\n      if (sent === undefined) return",
  ]),
  "dpop-one-proof": edit(verifier, ["if (others.length > 0)", "if (false)"]),
  "dpop-key": edit(verifier, ["if (proof.key.thumbprint !== jkt)", "if (false)"]),
  "dpop-signature": edit(verifier, [notSigned, "if (false)"]),
  "dpop-algorithm": [
    ...edit(
      proof,
      ['if (typeof alg !== "string" || !algorithms.includes(alg))', "if (false)"],
      ["const key = readProofKey(jwk, alg);", 'const key = readProofKey(jwk, "ES256");'],
    ),
    ...edit(verifier, [notSigned, 'if (proof.algorithm === "ES256" && !(await isSigned(sent, proof, keys)))']),
  ],
  "dpop-secret-key": edit("src/verification/dpop/proof-key.ts", [
    "if (secretMembers.some((member) => Object.hasOwn(given, member)))",
    "if (false)",
  ]),
  "dpop-critical": [
    ...edit(proof, ['if (Object.hasOwn(jwt.header, "crit"))', "if (false)"]),
    ...edit(verifier, [notSigned, "if (false)"]),
  ],
  "dpop-type": edit(proof, ['if (typ !== "dpop+jwt")', "if (false)"]),
  "dpop-method": edit(proof, ["if (htm !== expected.httpMethod)", "if (false)"]),
  "dpop-target": edit(proof, [
    'if (typeof htu !== "string" || !isTargetUri(htu, origins, expected.path))',
    "if (false)",
  ]),
  "dpop-token": edit(proof, [
    'if (ath !== createHash("sha256").update(expected.token).digest("base64url"))',
    "if (false)",
  ]),
  "dpop-age": [
    ...edit(
      proof,
      ['if (typeof iat !== "number" || !Number.isFinite(iat))', "if (false)"],
      ["if (age < -expected.clockToleranceMs)", "if (false)"],
      ['return age > maxAgeMs + expected.clockToleranceMs ? "is too old" : undefined;', "return undefined;"],
    ),
  ],
  "dpop-id": edit(proof, ['if (typeof jti !== "string" || jti === "" || jti.length > maxIdLength)', "if (false)"]),
  "dpop-replay": edit(verifier, [
    'if (verdict === "new") return undefined;',
    'if (verdict !== "full") return undefined;',
  ]),
  "dpop-nonce": edit(verifier, ["if (nonce === undefined) return undefined;", "if (nonce !== null) return undefined;"]),
  certificate: edit("src/verification/sender.ts", ["if (problem !== undefined) return problem;", ""]),
};
