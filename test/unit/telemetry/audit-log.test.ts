// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { once } from "node:events";
import fs, { mkdtempSync, openSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pino } from "pino";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import { type AuditLogOptions, createAuditLog } from "../../../src/audit.js";
import type { DecisionEvent } from "../../../src/verification/decision/decision.js";
import { allowedCall, refusedCall } from "./decisions.js";

interface Written {
  readonly lines: string[];
  readonly records: Readonly<Record<string, unknown>>[];
}

function write(options: Omit<AuditLogOptions, "destination">, ...events: DecisionEvent[]): Written {
  const lines: string[] = [];
  const log = createAuditLog({ ...options, destination: { write: (line) => void lines.push(line) } });
  for (const event of events) log(event);
  return { lines, records: lines.map((line) => JSON.parse(line) as Record<string, unknown>) };
}

function temporaryFile(): string {
  const folder = mkdtempSync(join(tmpdir(), "meshauth-audit-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return join(folder, "audit.jsonl");
}

const longest = 1_024;

describe("a line of the audit log", () => {
  it("has the fields of an allowed call, those without a value left out", () => {
    const { lines, records } = write({}, allowedCall());
    expect(records).toEqual([
      {
        level: "info",
        time: "2026-01-01T00:00:00.000Z",
        rpc: "payment.v1.PaymentService/Charge",
        protocol: "connect",
        peer: "10.0.0.7:53312",
        decision: "allow",
        enforced: true,
        audience: "https://payment-service.internal",
        required: [["payments:write"]],
        granted: ["payments:write"],
        clientId: "order-service",
        issuer: "https://login.example.com",
        tokenId: "token-7",
        tokenCheck: "cached",
      },
    ]);
    expect(lines[0]).toMatch(/^\{.*\}\n$/);
  });

  it("has reason, cause, what next says, and that the refusal was only reported", () => {
    const { records } = write({}, refusedCall({ enforced: false, next: "CALLER_NOT_ALLOWED" }));
    expect(records[0]).toMatchObject({
      level: "warn",
      decision: "refuse",
      reason: "SCOPE_INSUFFICIENT",
      cause: "the token lacks payments:write",
      enforced: false,
      next: "CALLER_NOT_ALLOWED",
    });
  });

  it("has nothing that is no field of a decision, whatever hangs on the event", () => {
    const event = { ...refusedCall(), token: "secret.3b7e9a42", claims: { pin: "secret.3b7e9a42" } };
    const { lines } = write({}, event);
    expect(lines[0]).not.toContain("secret");
  });

  it("takes its time from the event", () => {
    const { records } = write({}, allowedCall({ time: new Date(Date.UTC(2031, 5, 4, 3, 2, 1, 7)) }));
    expect(records[0]?.["time"]).toBe("2031-06-04T03:02:01.007Z");
  });

  it("has a time of its own, or the same as the one before", () => {
    const at = (ms: number) => allowedCall({ time: new Date(ms) });
    const times = write({}, at(1), at(1), at(2), at(1)).records.map(({ time }) => String(time).slice(-5));
    expect(times).toEqual([".001Z", ".001Z", ".002Z", ".001Z"]);
  });

  it("leaves the peer out where nobody knows it", () => {
    const { records } = write({}, allowedCall({ peer: undefined }));
    expect(Object.keys(records[0] ?? {})).not.toContain("peer");
  });
});

describe("what a caller can put into the audit log", () => {
  const texts = ["rpc", "protocol", "peer", "cause", "audience", "clientId", "issuer", "tokenId"] as const;

  it.each(texts)("is cut to 1,024 characters, and it says so: %s", (field) => {
    const [record] = write({}, refusedCall({ [field]: "x".repeat(longest + 1) })).records;
    expect(record).toMatchObject({ [field]: "x".repeat(longest), truncated: [field] });
  });

  it.each(texts)("is whole up to 1,024 characters: %s", (field) => {
    const [record] = write({}, refusedCall({ [field]: "x".repeat(longest) })).records;
    expect(record?.[field]).toHaveLength(longest);
    expect(record).not.toHaveProperty("truncated");
  });

  it("is cut to 50 scopes of 1,024 characters", () => {
    const granted = Array.from({ length: 5_000 }, (_, index) => `${index}:${"x".repeat(5_000)}`);
    const [record] = write({}, allowedCall({ granted })).records;
    const kept = record?.["granted"] as string[];
    expect(kept).toHaveLength(50);
    expect(kept.every((scope) => scope.length === longest)).toBe(true);
    expect(record?.["truncated"]).toEqual(["granted"]);
  });

  it("is cut to 1,024 characters of a single scope", () => {
    const [record] = write({}, allowedCall({ granted: ["a", "x".repeat(5_000)] })).records;
    expect(record).toMatchObject({ granted: ["a", "x".repeat(longest)], truncated: ["granted"] });
  });

  it("is whole up to 50 scopes", () => {
    const granted = Array.from({ length: 50 }, (_, index) => `scope-${index}`);
    const [record] = write({}, allowedCall({ granted })).records;
    expect(record).toMatchObject({ granted });
    expect(record).not.toHaveProperty("truncated");
  });

  it("leaves room for a rule with many alternatives, bounded as well", () => {
    const alternative = Array.from({ length: 60 }, (_, index) => `scope-${index}`);
    const [record] = write({}, allowedCall({ required: Array.from({ length: 60 }, () => alternative) })).records;
    const required = record?.["required"] as string[][];
    expect(required).toHaveLength(50);
    expect(required.every((scopes) => scopes.length === 50)).toBe(true);
    expect(record?.["truncated"]).toEqual(["required"]);
  });

  const hostile = [
    { name: "the end of the line", text: 'a"}\n{"decision":"allow"}\r\n' },
    { name: "a terminal's escape sequence", text: "a\u001b[2J\u009b2J\u0007\u007f" },
    { name: "line ends of Unicode", text: "a\u2028b\u2029c\u0085d" },
    { name: "what turns text around or hides", text: "admin\u202eecivres\u2066\u200b\ufeff" },
    { name: "half a character", text: "a\ud83d" },
    { name: "characters without a glyph beyond 16 bits", text: "a\u{e0041}" },
    { name: "a prototype", text: "__proto__" },
  ];
  it.each(hostile)("stays in its field and readable: $name", ({ text }) => {
    const event = refusedCall({ clientId: text, cause: text, granted: [text] });
    const { lines, records } = write({}, event);
    expect(records).toHaveLength(1);
    expect(records[0]).toMatchObject({ decision: "refuse", clientId: text, cause: text, granted: [text] });
    expect(lines[0]?.slice(0, -1)).toMatch(/^[\x20-\x7e]*$/);
  });
});

describe("what is logged", () => {
  const events = [
    allowedCall({ tokenId: "allowed" }),
    refusedCall({ tokenId: "refused" }),
    refusedCall({ tokenId: "reported", enforced: false }),
    allowedCall({ tokenId: "next refuses", next: "SCOPE_INSUFFICIENT" }),
    allowedCall({ tokenId: "next allows", next: "allow" }),
  ];
  const logged = (options: AuditLogOptions): unknown[] =>
    write(options, ...events).records.map(({ tokenId }) => tokenId);
  const refusals = ["refused", "reported", "next refuses"];

  it("is everything by default", () => {
    expect(logged({})).toEqual(["allowed", "refused", "reported", "next refuses", "next allows"]);
  });

  it("is refusals only, those of next and of a server that only reports among them", () => {
    expect(logged({ include: "refusals" })).toEqual(refusals);
    expect(logged({ include: "refusals", sampleAllowed: 1 })).toEqual(refusals);
  });

  it("is a share of the allowed calls, and every refusal", () => {
    const draws = [0.1, 0.6];
    const random = () => draws.shift() ?? 1;
    expect(logged({ sampleAllowed: 0.5, random })).toEqual(["allowed", ...refusals]);
    expect(draws).toEqual([]);
    expect(logged({ sampleAllowed: 0.5, random: () => 0.5 })).toEqual(refusals);
    expect(logged({ sampleAllowed: 0, random: () => 0 })).toEqual(refusals);
    expect(logged({ sampleAllowed: 1, random: () => 1 })).toHaveLength(5);
  });

  it("has refusals on a higher level than allowed calls", () => {
    const levels = write({}, ...events).records.map(({ level }) => level);
    expect(levels).toEqual(["info", "warn", "warn", "warn", "info"]);
  });
});

describe("the destination of an audit log", () => {
  it("is a path, to which lines are appended at once", () => {
    const path = temporaryFile();
    createAuditLog({ destination: path })(allowedCall({ tokenId: "first" }));
    createAuditLog({ destination: path })(refusedCall({ tokenId: "second" }));
    const lines = readFileSync(path, "utf8").trimEnd().split("\n");
    expect(lines.map((line) => (JSON.parse(line) as { tokenId: string }).tokenId)).toEqual(["first", "second"]);
  });

  it("is a file descriptor", () => {
    const path = temporaryFile();
    createAuditLog({ destination: openSync(path, "a") })(allowedCall());
    expect(readFileSync(path, "utf8")).toContain("order-service");
  });

  it("is a stream of pino, which flush() waits for", async () => {
    const path = temporaryFile();
    const destination = pino.destination({ dest: path, sync: false, minLength: 8_192 });
    onTestFinished(() => destination.destroy());
    await once(destination, "ready");
    const log = createAuditLog({ destination });
    log(allowedCall());
    expect(readFileSync(path, "utf8")).toBe("");
    await log.flush();
    expect(readFileSync(path, "utf8")).toContain("order-service");
  });

  it("tells by flush() when it cannot write", async () => {
    const gone = { write() {}, flush: (done: (error?: Error) => void) => done(new Error("the disk is gone")) };
    await expect(createAuditLog({ destination: gone }).flush()).rejects.toThrow("the disk is gone");
  });

  it("need not be able to flush", async () => {
    await expect(createAuditLog({ destination: { write() {} } }).flush()).resolves.toBeUndefined();
  });

  it("must be there when the log is created", () => {
    expect(() => createAuditLog({ destination: "/nowhere/at/all/audit.jsonl" })).toThrow("ENOENT");
  });

  const full = (): never => {
    throw Object.assign(new Error("ENOSPC: no space left on device"), { code: "ENOSPC" });
  };
  const ours = (warn: { mock: { calls: unknown[][] } }): unknown[][] =>
    warn.mock.calls.filter(([, options]) => (options as { code?: string }).code === "MESHAUTH_AUDIT");

  it("costs no call when it fails, becomes one warning, and loses nothing if it works again", () => {
    const path = temporaryFile();
    const log = createAuditLog({ destination: path });
    const warn = vi.spyOn(process, "emitWarning").mockReturnValue();
    const disk = vi.spyOn(fs, "writeSync").mockImplementation(full);
    for (const tokenId of ["1", "2", "3"]) log(refusedCall({ tokenId }));
    expect(ours(warn).map(([message]) => message)).toEqual([expect.stringContaining("ENOSPC")]);
    disk.mockRestore();
    log(refusedCall({ tokenId: "4" }));
    const written = readFileSync(path, "utf8").trimEnd().split("\n");
    expect(written.map((line) => (JSON.parse(line) as { tokenId: string }).tokenId)).toEqual(["1", "2", "3", "4"]);
    vi.spyOn(fs, "writeSync").mockImplementation(full);
    log(refusedCall());
    expect(ours(warn)).toHaveLength(2);
  });

  it("holds 16 MiB at most while it fails", () => {
    const path = temporaryFile();
    const log = createAuditLog({ destination: path });
    vi.spyOn(process, "emitWarning").mockReturnValue();
    const disk = vi.spyOn(fs, "writeSync").mockImplementation(full);
    const granted = Array.from({ length: 50 }, () => "x".repeat(1_024));
    for (let calls = 0; calls < 500; calls++) log(allowedCall({ granted }));
    disk.mockRestore();
    log(refusedCall());
    expect(statSync(path).size).toBeGreaterThan(15 * 1024 * 1024);
    expect(statSync(path).size).toBeLessThanOrEqual(16 * 1024 * 1024);
  });

  it("is a logger of the user, with the decision beside what that logs itself", async () => {
    const lines: string[] = [];
    const logger = pino({ name: "payment" }, { write: (line) => void lines.push(line) });
    const log = createAuditLog({ logger });
    log(allowedCall());
    log(refusedCall());
    await log.flush();
    const records = lines.map((line) => JSON.parse(line) as Record<string, Record<string, unknown>>);
    expect(records.map(({ level }) => level)).toEqual([30, 40]);
    expect(records[0]).toMatchObject({ name: "payment", time: expect.any(Number) });
    expect(records[1]?.["audit"]).toMatchObject({ time: "2026-01-01T00:00:00.000Z", reason: "SCOPE_INSUFFICIENT" });
    expect(lines[0]?.split('"time"')).toHaveLength(3);
  });

  it("is standard output by default", () => {
    expect(() => createAuditLog({ include: "refusals" })(allowedCall())).not.toThrow();
  });
});

describe("wrong options of an audit log", () => {
  it.each([
    [{ destination: 1, logger: pino({ enabled: false }) }, "destination and logger are both given; leave one"],
    [{ include: "none" as "all" }, 'include is none; use "all" or "refusals"'],
    [{ sampleAllowed: 1.5 }, "sampleAllowed is 1.5; give a number from 0 to 1"],
    [{ sampleAllowed: -0.1 }, "sampleAllowed is -0.1; give a number from 0 to 1"],
    [{ sampleAllowed: Number.NaN }, "sampleAllowed is NaN; give a number from 0 to 1"],
  ])("are refused: %o", (options, message) => {
    expect(() => createAuditLog(options)).toThrow(new TypeError(message));
  });
});
