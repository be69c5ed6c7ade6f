// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { backoffMs, scheduleRefresh } from "../../../src/tokens/schedule.js";

const lowest = (): number => 0;
const almostOne = (): number => 1 - Number.EPSILON;

/** How long before its expiry a token of so many seconds is refreshed softly and urgently, in seconds. */
function lead(lifetime: number, random: () => number, refreshBefore?: number): { soft: number; margin: number } {
  const obtainedAt = Date.UTC(2026, 0, 1);
  const expiresAt = obtainedAt + lifetime * 1000;
  const before = refreshBefore === undefined ? undefined : refreshBefore * 1000;
  const { softAt, marginAt } = scheduleRefresh({ obtainedAt, expiresAt }, before, random);
  return { soft: (expiresAt - softAt) / 1000, margin: (expiresAt - marginAt) / 1000 };
}

describe("scheduleRefresh", () => {
  it.each([
    { lifetime: 30, earliest: 6, latest: 4.5, margin: 3 },
    { lifetime: 60, earliest: 12, latest: 9, margin: 6 },
    { lifetime: 300, earliest: 60, latest: 45, margin: 30 },
    { lifetime: 3600, earliest: 720, latest: 540, margin: 30 },
    { lifetime: 86_400, earliest: 900, latest: 675, margin: 30 },
  ])("refreshes a token of $lifetime s between $earliest s and $latest s before it expires", (row) => {
    expect(lead(row.lifetime, lowest).soft).toBeCloseTo(row.earliest, 4);
    expect(lead(row.lifetime, almostOne).soft).toBeCloseTo(row.latest, 4);
    expect(lead(row.lifetime, () => 0.5).soft).toBeCloseTo((row.earliest + row.latest) / 2, 4);
    expect(lead(row.lifetime, lowest).margin).toBeCloseTo(row.margin, 4);
  });

  it("refreshes as long before as it is told to", () => {
    expect(lead(3600, lowest, 60).soft).toBe(60);
    expect(lead(3600, almostOne, 60).soft).toBeCloseTo(45, 4);
    expect(lead(86_400, lowest, 3600).soft).toBe(3600);
  });

  it("never refreshes before half of the lifetime is over", () => {
    expect(lead(80, lowest, 60).soft).toBe(40);
    expect(lead(300, lowest, 150).soft).toBe(150);
    expect(lead(300, lowest, 151).soft).toBe(150);
  });

  it("keeps the margin at half of a short lead at most", () => {
    expect(lead(3600, lowest, 10).margin).toBe(5);
    expect(lead(3600, lowest, 60).margin).toBe(30);
    expect(lead(30, lowest, 4).margin).toBe(2);
  });

  it("keeps the margin at a tenth of the lifetime however long the lead is", () => {
    expect(lead(80, lowest, 60).margin).toBe(8);
    expect(lead(200, lowest, 100).margin).toBe(20);
  });

  it("refreshes a token only when it has expired if told to refresh 0 s before", () => {
    expect(lead(300, lowest, 0)).toEqual({ soft: 0, margin: 0 });
  });

  it("refreshes when the authorization server asks for it, however early that is, unless told otherwise", () => {
    const life = { obtainedAt: 1_000_000, expiresAt: 1_000_000 + 3_600_000, refreshAt: 1_000_000 + 600_000 };
    expect(scheduleRefresh(life, undefined, lowest)).toEqual({ softAt: 1_600_000, marginAt: 4_570_000 });
    expect(scheduleRefresh(life, undefined, () => 0.4).softAt).toBe(1_600_000 + 300_000);
    expect(scheduleRefresh(life, 60_000, lowest).softAt).toBe(4_540_000);
    const late = { ...life, refreshAt: life.expiresAt - 10_000 };
    expect(scheduleRefresh(late, undefined, lowest)).toEqual({ softAt: 4_590_000, marginAt: 4_595_000 });
  });

  it("puts everything at the expiry of a token that had expired when it was asked for", () => {
    expect(lead(-10, lowest)).toEqual({ soft: 0, margin: 0 });
    expect(lead(-10, lowest, 60)).toEqual({ soft: 0, margin: 0 });
  });

  it("orders obtained, soft refresh, margin and expiry for every lifetime, override and jitter", () => {
    const override = fc.option(fc.double({ min: 0, max: 1e6, noNaN: true }), { nil: undefined });
    fc.assert(
      fc.property(
        fc.double({ min: 0, max: 1e9, noNaN: true }),
        override,
        fc.double({ min: 0, max: 1, noNaN: true }),
        (L, o, r) => {
          const { soft, margin } = lead(L, () => r, o);
          expect(margin).toBeGreaterThanOrEqual(0);
          expect(soft).toBeGreaterThanOrEqual(margin);
          expect(soft).toBeLessThanOrEqual(L / 2 + 0.002); // the times are rounded to what a double holds
        },
      ),
    );
  });
});

describe("backoffMs", () => {
  const ceiling = (failures: number, lifetimeMs?: number): number => backoffMs(failures, lifetimeMs, () => 1);

  it("doubles its ceiling with each failure, up to a minute", () => {
    expect([1, 2, 3, 4, 5, 6, 7].map((failures) => ceiling(failures))).toEqual([
      2000, 4000, 8000, 16_000, 32_000, 60_000, 60_000,
    ]);
  });

  it("stays at a minute after any number of failures", () => {
    expect(ceiling(21)).toBe(60_000);
    expect(ceiling(1_000_000)).toBe(60_000);
  });

  it("never exceeds half of the lifetime of the token", () => {
    expect(ceiling(6, 30_000)).toBe(15_000);
    expect(ceiling(1, 30_000)).toBe(2000);
    expect(ceiling(1, 1000)).toBe(500);
  });

  it("spreads over everything below its ceiling", () => {
    expect(backoffMs(3, undefined, lowest)).toBe(0);
    expect(backoffMs(3, undefined, () => 0.25)).toBe(2000);
    expect(backoffMs(3, undefined, almostOne)).toBeLessThan(8000);
  });
});
