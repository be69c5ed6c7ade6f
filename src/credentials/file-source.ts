// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { readFile, stat } from "node:fs/promises";
import { setTimeout } from "node:timers/promises";
import { CredentialError } from "./credential-error.js";
import type { Source } from "./source.js";

/** What tells whether a file has changed. */
export interface FileState {
  readonly mtimeMs: number;
  readonly ctimeMs: number;
  readonly size: number;
  readonly ino: number;
}

/** How files are read. */
export interface FileAccess {
  /** Follows symbolic links. */
  stat(path: string): Promise<FileState>;
  read(path: string): Promise<string>;
  /** Milliseconds since the Unix epoch, by the clock of the file system. */
  now(): number;
  pause(ms: number): Promise<void>;
}

const fileSystem: FileAccess = {
  stat: (path) => stat(path),
  read: (path) => readFile(path, "utf8"),
  now: () => Date.now(),
  pause: (ms) => setTimeout(ms),
};

// A file that was changed just now may be written only in part, and may change again without its times changing.
const quietMs = 1000;
const pauseMs = 20;
const patience = 10;

/**
 * Reads a file, without the line breaks at its end, again when it was changed. A change counts when the file has been
 * left alone for a second, or at once if what was read before was refused. A file that is empty or gone changes nothing.
 */
export function fileSource(path: string, what: string, files: FileAccess = fileSystem): Source<string> {
  const source = new FileSource(path, what, files);
  return { read: (urgent) => source.read(urgent) };
}

class FileSource implements Source<string> {
  readonly #path: string;
  readonly #what: string;
  readonly #files: FileAccess;
  #text: string | undefined;
  /** What the file was like when it was read. */
  #state: FileState | undefined;

  constructor(path: string, what: string, files: FileAccess) {
    this.#path = path;
    this.#what = what;
    this.#files = files;
  }

  async read(urgent: boolean): Promise<string> {
    let seen = await this.#look(undefined, urgent);
    // A refused secret is all there is to lose: wait for a writer who is at it, for a moment.
    for (let tries = 0; urgent && !seen.settled && tries < patience; tries += 1) {
      await this.#files.pause(pauseMs);
      seen = await this.#look(seen.state, urgent);
    }
    if (this.#text === undefined) {
      throw new CredentialError("refused", `the ${this.#what} cannot be read: the file ${this.#path} ${seen.problem}`);
    }
    return this.#text;
  }

  async #look(before: FileState | undefined, urgent: boolean): Promise<Sight> {
    try {
      const state = await this.#files.stat(this.#path);
      if (isSame(state, this.#state)) return { settled: true };
      const isYoung = Math.abs(this.#files.now() - state.mtimeMs) < quietMs;
      if (isYoung && this.#text !== undefined && !(urgent && isSame(state, before))) return { settled: false, state };
      const text = (await this.#files.read(this.#path)).replace(/[\r\n]+$/, "");
      const isWhole = isSame(await this.#files.stat(this.#path), state);
      if (text.trim() === "") return { settled: false, problem: "is empty" };
      if (isWhole || this.#text === undefined) this.#text = text;
      if (!isYoung) this.#state = state;
      return { settled: isWhole };
    } catch (error) {
      const { code } = error as { code?: unknown };
      return { settled: false, problem: code === "ENOENT" ? "does not exist" : `gives ${String(code)}` };
    }
  }
}

interface Sight {
  /** Whether there is nothing to wait for. */
  readonly settled: boolean;
  readonly state?: FileState;
  readonly problem?: string;
}

function isSame(one: FileState, other: FileState | undefined): boolean {
  return (
    one.ino === other?.ino && one.size === other.size && one.mtimeMs === other.mtimeMs && one.ctimeMs === other.ctimeMs
  );
}
