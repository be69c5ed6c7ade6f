// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { MethodOptions_IdempotencyLevel } from "@bufbuild/protobuf/wkt";
import type { StreamRequest, UnaryRequest } from "@connectrpc/connect";
import { describe, expect, it } from "vitest";
import { addProof } from "../../../src/interceptors/connect-proof.js";
import type { ProvenRequest } from "../../../src/tokens/dpop/token-binding.js";

const safe = MethodOptions_IdempotencyLevel.NO_SIDE_EFFECTS;
const idempotent = MethodOptions_IdempotencyLevel.IDEMPOTENT;

async function provenMethod(stream: boolean, idempotency: number, useHttpGet: boolean): Promise<string> {
  const header = new Headers();
  const url = "https://payments.test/a";
  const request = { stream, header, url, requestMethod: "POST", method: { idempotency } };
  const proven: ProvenRequest[] = [];
  const binding = {
    thumbprint: "",
    noteNonce() {},
    async prove(asked: ProvenRequest) {
      proven.push(asked);
      return "proof";
    },
  };
  await addProof(request as unknown as UnaryRequest | StreamRequest, binding, useHttpGet);
  expect(header.get("dpop")).toBe("proof");
  expect(proven).toMatchObject([{ url }]);
  return proven[0]?.method ?? "";
}

describe("the method that a proof of a Connect call names", () => {
  it.each([
    ["GET", false, safe, true],
    ["POST", false, safe, false],
    ["POST", false, idempotent, true],
    // A transport makes no GET of a stream.
    ["POST", true, safe, true],
  ])("is %s (stream %s, idempotency %i, useHttpGet %s)", async (method, stream, idempotency, useHttpGet) => {
    expect(await provenMethod(stream, idempotency, useHttpGet)).toBe(method);
  });
});
