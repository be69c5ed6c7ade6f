// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import fc from "fast-check";
import { expect, it } from "vitest";
import type { Verdict } from "../../../../src/verification/introspection/verdict.js";
import { settle } from "../../../support/fake-clock.js";
import { createFakeIntrospectionEndpoint } from "../../../support/fake-introspection-endpoint.js";
import { setUp, tokens } from "./harness.js";

const names = tokens(4);

type Step =
  | { readonly kind: "ask"; readonly name: string }
  | { readonly kind: "pass"; readonly ms: number }
  | { readonly kind: "jump"; readonly ms: number }
  | { readonly kind: "grant" | "revoke"; readonly name: string }
  | { readonly kind: "outage" | "recovery" };

const name = fc.constantFrom(...names);
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 5, arbitrary: fc.record({ kind: fc.constant("ask" as const), name }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant("pass" as const), ms: fc.integer({ min: 0, max: 40_000 }) }) },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant("jump" as const), ms: fc.integer({ min: -90_000, max: 90_000 }) }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constantFrom("grant" as const, "revoke" as const), name }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constantFrom("outage" as const, "recovery" as const) }) },
);

it("a token is never taken for active 60 s after it was revoked, nor for inactive 30 s after it was granted", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 60 }), fc.integer({ min: 1, max: 4 }), async (steps, maxTokens) => {
      const endpoint = createFakeIntrospectionEndpoint();
      const send: typeof fetch = (input, init) =>
        isOut ? Promise.resolve(new Response("unwell", { status: 503 })) : endpoint.fetch(input, init);
      const { clock, ask } = setUp({ maxTokens, fetch: send });
      // Both by the clock that is never set back.
      const changedAt = new Map<string, number>();
      let isOut = false;
      const elapsed = (): number => clock.monotonic?.() ?? 0;
      for (const each of steps) {
        if (each.kind === "pass") clock.advance(each.ms);
        else if (each.kind === "jump") clock.jump(each.ms);
        else if (each.kind === "outage" || each.kind === "recovery") isOut = each.kind === "outage";
        else if (each.kind === "grant" && !endpoint.active.has(each.name)) {
          endpoint.active.set(each.name, { sub: each.name });
          changedAt.set(each.name, elapsed());
        } else if (each.kind === "revoke" && endpoint.active.delete(each.name)) changedAt.set(each.name, elapsed());
        else if (each.kind === "ask") {
          const verdict = await ask(each.name);
          const age = elapsed() - (changedAt.get(each.name) ?? Number.NEGATIVE_INFINITY);
          if ("claims" in verdict) {
            expect(verdict.claims["sub"]).toBe(each.name);
            expect(endpoint.active.has(each.name) || age < 60_000).toBe(true);
          } else if (verdict.reason === "TOKEN_INVALID") {
            expect(!endpoint.active.has(each.name) || age < 30_000).toBe(true);
          } else {
            expect(verdict).toMatchObject({ reason: "AUTHORIZATION_SERVER_UNAVAILABLE" });
          }
        }
      }
    }),
  );
});

it("whatever bytes an endpoint answers with, the verdict is one of three, and active needs active: true", async () => {
  const body = fc.oneof(
    fc.json(),
    fc.string({ unit: "binary" }),
    fc.jsonValue().map((active) => JSON.stringify({ active })),
    fc.record({ active: fc.boolean(), exp: fc.jsonValue() }).map((answer) => JSON.stringify(answer)),
  );
  const status = fc.oneof(
    { weight: 3, arbitrary: fc.constant(200) },
    { weight: 1, arbitrary: fc.integer({ min: 200, max: 599 }) },
  );
  const type = fc.constantFrom("application/json", "application/json;charset=utf-8", "text/html", "");
  await fc.assert(
    fc.asyncProperty(body, status, type, async (sent, code, contentType) => {
      const { server, ask } = setUp();
      const isEmpty = code === 204 || code === 205 || code === 304;
      server.answer(
        () => new Response(isEmpty ? null : sent, { status: code, headers: { "content-type": contentType } }),
      );
      const verdict = await ask();
      const said = code === 200 && contentType.startsWith("application/json") ? parse(sent) : undefined;
      if ("claims" in verdict) expect(said?.["active"]).toBe(true);
      else if (verdict.reason === "TOKEN_INVALID") expect(said?.["active"]).toBe(false);
      else {
        expect(verdict.reason).toBe("AUTHORIZATION_SERVER_UNAVAILABLE");
        expect(typeof said?.["active"]).not.toBe("boolean");
      }
    }),
    { numRuns: 300 },
  );
});

it("no token is asked about twice at a time, nor are more under way than allowed, and every call gets its verdict", async () => {
  const action = fc.oneof(
    fc.record({ kind: fc.constant("ask" as const), name: fc.constantFrom(...tokens(12)) }),
    fc.record({ kind: fc.constant("answer" as const), status: fc.constantFrom(200, 200, 400, 503) }),
    fc.record({ kind: fc.constant("pass" as const), ms: fc.integer({ min: 0, max: 12_000 }) }),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(action, { maxLength: 50 }), fc.integer({ min: 1, max: 4 }), async (actions, most) => {
      const endpoint = createFakeIntrospectionEndpoint();
      const open: { readonly name: string; answer(status: number): void }[] = [];
      const send: typeof fetch = async (input, init) => {
        if (init?.method !== "POST") return await endpoint.fetch(input, init);
        const name = (init.body as URLSearchParams).get("token") ?? "";
        // What is thrown here would pass for an outage.
        if (open.some((each) => each.name === name)) twice.push(name);
        const response = new Promise<Response>((resolve) => {
          open.push({ name, answer: (status) => resolve(Response.json({ active: true, sub: name }, { status })) });
        });
        peak = Math.max(peak, open.length);
        return await response;
      };
      const twice: string[] = [];
      let peak = 0;
      const { clock, introspector } = setUp({ maxConcurrent: most, fetch: send });
      const verdicts: Promise<void>[] = [];
      for (const each of actions) {
        if (each.kind === "ask") verdicts.push(check(introspector.introspect(each.name), each.name));
        else if (each.kind === "answer") open.shift()?.answer(each.status);
        else clock.advance(each.ms);
        await settle();
      }
      // Nobody is left waiting, whatever became of the requests.
      clock.advance(10_000);
      await Promise.all(verdicts);
      expect(twice).toEqual([]);
      expect(peak).toBeLessThanOrEqual(most);
    }),
  );
});

async function check(asked: Verdict | Promise<Verdict>, name: string): Promise<void> {
  const verdict = await asked;
  if ("claims" in verdict) expect(verdict.claims["sub"]).toBe(name);
  else expect(verdict.reason).toBe("AUTHORIZATION_SERVER_UNAVAILABLE");
}

function parse(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null && !Array.isArray(value) ? { ...value } : undefined;
  } catch {
    return undefined;
  }
}
