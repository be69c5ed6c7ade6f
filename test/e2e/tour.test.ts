// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { beforeAll, describe, expect, it } from "vitest";
import { developmentSecret } from "../../services/authorization-server/server.js";
import { readExampleMesh } from "../../services/shared/example-mesh.js";
import { placeAnOrder } from "../../services/tour/place-an-order.js";
import { refusals } from "../../services/tour/refusals.js";

const root = fileURLToPath(new URL("../..", import.meta.url));
const ownSecret = "a-secret-of-its-own";
const env = {
  PATH: process.env["PATH"],
  AUTHORIZATION_SERVER_PORT: "0",
  ORDER_PORT: "0",
  PAYMENT_PORT: "0",
  INVENTORY_PORT: "0",
  STOREFRONT_CLIENT_SECRET: ownSecret,
};

interface Outcome {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

function runTour(): Promise<Outcome> {
  return new Promise((resolve) => {
    const args = ["--import", "tsx", "services/main.ts", "--once"];
    const child = execFile(process.execPath, args, { cwd: root, env, timeout: 60_000 }, (_error, stdout, stderr) =>
      resolve({ code: child.exitCode, stdout, stderr }),
    );
  });
}

describe("the tour", () => {
  let outcome: Outcome;
  /** What was printed for each step, by its number. */
  let steps: readonly string[];
  beforeAll(async () => {
    outcome = await runTour();
    steps = outcome.stdout.split(/^(?=\d+\. )/m);
  }, 60_000);

  it("ends well", () => {
    expect(outcome.code).toBe(0);
    expect(outcome.stdout).not.toContain("✗");
    expect(outcome.stdout.trimEnd().split("\n").at(-1)).toBe("8 of 8 steps came out as they should");
  });

  it("complains about nothing", () => {
    const lines = outcome.stderr.split("\n").filter((line) => line !== "");
    expect(lines.filter((line) => !line.startsWith("oidc-provider WARNING: Unsupported runtime."))).toEqual([]);
  });

  it("says where everything listens", () => {
    expect(steps[0]).toMatch(/^ {2}authorization server http:\/\/127\.0\.0\.1:\d+$/m);
    expect(steps[0]).toMatch(
      /^ {2}order http:\/\/127\.0\.0\.1:\d+, payment http:\/\/127\.0\.0\.1:\d+, inventory 127\.0\.0\.1:\d+$/m,
    );
  });

  it("names every step, and what came of it", () => {
    expect(steps.slice(1).map((step) => step.split("\n")[0])).toEqual(
      [placeAnOrder, ...refusals].map(({ title }, index) => `${index + 1}. ${title}`),
    );
    for (const step of steps.slice(1)) expect(step).toContain("  ✓ as it should be\n");
  });

  it("shows the chain of callers of an order, with the audience and the scopes of each call", () => {
    const chain = (steps[1] ?? "").split("\n").filter((line) => line.includes(" → "));
    const placeOrder =
      "    storefront → order.v1.OrderService/PlaceOrder  aud https://order-service.internal  scopes orders:write  allow";
    const called = (rpc: string, service: string, scope: string): string =>
      `    order-service → ${rpc}  aud https://${service}-service.internal  scopes ${scope}  allow`;
    expect(chain).toEqual([
      placeOrder,
      called("inventory.v1.InventoryService/CheckStock", "inventory", "inventory:read"),
      called("inventory.v1.InventoryService/ReserveStock", "inventory", "inventory:write"),
      called("payment.v1.PaymentService/Charge", "payment", "payments:write"),
      called("inventory.v1.InventoryService/ConfirmReservation", "inventory", "inventory:write"),
      // The same request again: the order is there already, so nobody else is called.
      placeOrder,
    ]);
  });

  it("shows the order", () => {
    expect(steps[1]).toMatch(/^ {4}orders\/[\w-]{36}, 17\.80 USD, paid as payments\/[\w-]{36}$/m);
  });

  const invalidToken = 'Bearer error="invalid_token"';
  it.each([
    { step: 2, code: "Unauthenticated", reason: "CREDENTIALS_MISSING", challenge: "Bearer" },
    { step: 3, code: "Unauthenticated", reason: "TOKEN_INVALID", challenge: invalidToken },
    {
      step: 4,
      code: "PermissionDenied",
      reason: "SCOPE_INSUFFICIENT",
      challenge: 'Bearer error="insufficient_scope", scope="orders:write"',
    },
    { step: 5, code: "PermissionDenied", reason: "CALLER_NOT_ALLOWED", challenge: undefined },
    { step: 6, code: "Unauthenticated", reason: "TOKEN_EXPIRED", challenge: invalidToken },
    { step: 7, code: "Unauthenticated", reason: "TOKEN_INVALID", challenge: invalidToken },
  ])("shows the refusal of step $step as its caller sees it: $code, $reason", ({ step, code, reason, challenge }) => {
    const lines = (steps[step] ?? "").split("\n").slice(1);
    expect(lines[0]).toMatch(new RegExp(`^ {4}${code} {2}${reason} {2}audience=https://\\w+-service\\.internal`));
    const challenges = lines.filter((line) => line.includes("www-authenticate"));
    expect(challenges).toEqual(challenge === undefined ? [] : [`    www-authenticate: ${challenge}`]);
  });

  it("tells the exact cause of a refusal in the log of the service only", () => {
    const causes = [2, 3, 4, 5, 7].map((step) => /→.* refuse (\w+) \(for the log only: (.*)\)/.exec(steps[step] ?? ""));
    expect(causes.map((cause) => cause?.slice(1))).toEqual([
      ["CREDENTIALS_MISSING", "no authorization header"],
      ["TOKEN_INVALID", "aud does not include https://payment-service.internal"],
      ["SCOPE_INSUFFICIENT", "the token lacks orders:write"],
      ["CALLER_NOT_ALLOWED", "client storefront is not in callers"],
      ["TOKEN_INVALID", "the signature does not verify"],
    ]);
  });

  it("names every RPC without a rule", () => {
    const named = [...(steps[8] ?? "").matchAll(/health\.proto: (\S+): has no rule;/g)].map(([, rpc]) => rpc);
    expect(named).toEqual(["Check", "Watch", "List"].map((rpc) => `grpc.health.v1.Health/${rpc}`));
  });

  it("prints no token and no secret", () => {
    const all = outcome.stdout + outcome.stderr;
    expect(all).not.toContain("eyJ");
    expect(all).not.toContain(ownSecret);
    for (const clientId of readExampleMesh().clients.keys()) expect(all).not.toContain(developmentSecret(clientId));
  });

  it("prints no colours where nobody could see them", () => {
    expect(outcome.stdout).not.toContain("\u001b");
  });
});
