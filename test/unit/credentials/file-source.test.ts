// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { type FileAccess, type FileState, fileSource } from "../../../src/credentials/file-source.js";
import type { Source } from "../../../src/credentials/source.js";
import { createFolder, swapLink, writeOld } from "./folder.js";

const start = Date.UTC(2026, 0, 1);

/** A file that the test holds in its hands. */
class FakeFile implements FileAccess {
  time = start;
  text: string | undefined;
  state: FileState = { mtimeMs: start, ctimeMs: start, size: 0, ino: 1 };
  reads = 0;
  pauses = 0;
  /** Happens while somebody pauses, after so many pauses. */
  duringPause: Record<number, () => void> = {};
  /** Happens after the file was read, before its state is looked at again. */
  afterRead = (): void => {};

  write(text: string, changes: Partial<FileState> = {}): void {
    this.text = text;
    this.state = { ...this.state, mtimeMs: this.time, ctimeMs: this.time, size: text.length, ...changes };
  }

  async stat(): Promise<FileState> {
    if (this.text === undefined) throw Object.assign(new Error("no such file"), { code: "ENOENT" });
    return this.state;
  }

  async read(): Promise<string> {
    this.reads += 1;
    const { text = "" } = this;
    this.afterRead();
    return text;
  }

  now(): number {
    return this.time;
  }

  async pause(ms: number): Promise<void> {
    this.time += ms;
    this.pauses += 1;
    this.duringPause[this.pauses]?.();
  }
}

function createFile(text?: string): { file: FakeFile; source: Source<string> } {
  const file = new FakeFile();
  if (text !== undefined) file.write(text);
  file.time += 60_000;
  return { file, source: fileSource("/run/secrets/client", "client secret", file) };
}

describe("a file", () => {
  it.each([
    ["one\n", "one"],
    ["one\r\n", "one"],
    ["one\n\n", "one"],
    [" one \n", " one "],
    ["one\ntwo\n", "one\ntwo"],
  ])("%j is read without the line breaks at its end", async (text, expected) => {
    expect(await createFile(text).source.read(false)).toBe(expected);
  });

  it("is read once as long as nothing of it has changed", async () => {
    const { file, source } = createFile("one");
    for (let i = 0; i < 3; i += 1) expect(await source.read(false)).toBe("one");
    expect(await source.read(true)).toBe("one");
    expect(file.reads).toBe(1);
    expect(file.pauses).toBe(0);
  });

  it.each<[string, Partial<FileState>]>([
    ["time of modification", { mtimeMs: start + 1 }],
    ["time of change", { ctimeMs: start + 1 }],
    ["size", { size: 4 }],
    ["inode", { ino: 2 }],
  ])("is read again when its %s changes", async (_, change) => {
    const { file, source } = createFile("one");
    await source.read(false);
    file.text = "two";
    expect(await source.read(false)).toBe("one");
    file.state = { ...file.state, ...change };
    expect(await source.read(false)).toBe("two");
  });

  it("counts as changed when it has been left alone for a second", async () => {
    const { file, source } = createFile("one");
    await source.read(false);
    file.write("tw");
    file.time += 999;
    expect(await source.read(false)).toBe("one");
    file.write("two");
    file.time += 999;
    expect(await source.read(false)).toBe("one");
    file.time += 1;
    expect(await source.read(false)).toBe("two");
  });

  it("is not known by its times while they are new: it may change again in the same moment", async () => {
    const file = new FakeFile();
    const source = fileSource("/run/secrets/client", "client secret", file);
    file.write("one");
    expect(await source.read(false)).toBe("one");
    file.text = "two";
    file.time += 1000;
    expect(await source.read(false)).toBe("two");
  });

  it("counts as changed at once after a refusal, if it stays as it is for a moment", async () => {
    const { file, source } = createFile("one");
    await source.read(false);
    file.write("two");
    expect(await source.read(true)).toBe("two");
    expect(file.pauses).toBe(1);
    expect(await source.read(false)).toBe("two");
  });

  it("is waited for after a refusal while somebody is writing it", async () => {
    const { file, source } = createFile("one");
    await source.read(false);
    file.write("");
    file.duringPause = { 2: () => file.write("tw"), 3: () => file.write("two") };
    expect(await source.read(true)).toBe("two");
    expect(file.pauses).toBe(4);
  });

  it("is waited for after a refusal when it changes while it is read", async () => {
    const { file, source } = createFile("one");
    await source.read(false);
    file.write("two");
    file.time += 1000;
    file.afterRead = () => {
      file.write("three");
      file.afterRead = () => {};
    };
    expect(await source.read(true)).toBe("three");
  });

  it("is waited for after a refusal for a fifth of a second, not longer", async () => {
    const { file, source } = createFile("one");
    await source.read(false);
    file.write("");
    const before = file.time;
    expect(await source.read(true)).toBe("one");
    expect(file.time - before).toBe(200);
  });

  it("that changes while it is read is not taken for what it was or is", async () => {
    const { file, source } = createFile("one");
    await source.read(false);
    file.write("two");
    file.time += 1000;
    file.afterRead = () => file.write("three", { ino: 3 });
    expect(await source.read(false)).toBe("one");
    file.afterRead = () => {};
    file.time += 1000;
    expect(await source.read(false)).toBe("three");
  });

  it.each<[string, (file: FakeFile) => void]>([
    ["empty", (file) => file.write("")],
    ["blank", (file) => file.write(" \n")],
    ["gone", (file) => (file.text = undefined)],
  ])("that is %s changes nothing, until it is back", async (_, spoil) => {
    const { file, source } = createFile("one");
    await source.read(false);
    spoil(file);
    file.time += 1000;
    expect(await source.read(false)).toBe("one");
    expect(await source.read(true)).toBe("one");
    file.write("two");
    file.time += 1000;
    expect(await source.read(false)).toBe("two");
  });

  it.each<[string, (file: FakeFile) => void, string]>([
    ["empty", (file) => file.write("\n"), "is empty"],
    ["missing", () => {}, "does not exist"],
    [
      "unreadable",
      (file) => {
        file.write("one");
        file.afterRead = () => {
          throw Object.assign(new Error("denied"), { code: "EACCES" });
        };
      },
      "gives EACCES",
    ],
  ])("that was %s from the beginning is an error that names it", async (_, spoil, problem) => {
    const { file, source } = createFile();
    spoil(file);
    const message = `the client secret cannot be read: the file /run/secrets/client ${problem}`;
    await expect(source.read(false)).rejects.toMatchObject({ name: "CredentialError", kind: "refused", message });
    file.afterRead = () => {};
    file.write("one");
    expect(await source.read(false)).toBe("one");
  });
});

describe("a real file", () => {
  it("is followed through the links of a Kubernetes volume", async () => {
    const folder = createFolder();
    for (const version of ["one", "two"]) {
      mkdirSync(join(folder, `..${version}`));
      writeOld(join(folder, `..${version}/secret`), version);
    }
    swapLink(join(folder, "..data"), "..one");
    swapLink(join(folder, "secret"), "..data/secret");
    const source = fileSource(join(folder, "secret"), "client secret");
    expect(await source.read(false)).toBe("one");
    swapLink(join(folder, "..data"), "..two");
    expect(await source.read(false)).toBe("two");
  });

  it("that was written just now is used after a refusal", async () => {
    const path = join(createFolder(), "secret");
    writeOld(path, "one");
    const source = fileSource(path, "client secret");
    expect(await source.read(false)).toBe("one");
    writeFileSync(path, "two");
    expect(await source.read(false)).toBe("one");
    expect(await source.read(true)).toBe("two");
  });

  it("that is a folder is an error that names it", async () => {
    const folder = createFolder();
    await expect(fileSource(folder, "private key").read(false)).rejects.toThrow(
      `the private key cannot be read: the file ${folder} gives EISDIR`,
    );
  });
});
