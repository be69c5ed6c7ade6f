// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { basename, dirname } from "node:path";
import type { ServerMessage } from "./server.js";
import type { ServerSettings } from "./settings.js";

/** A server in a process of its own. */
export interface ServerProcess {
  readonly port: number;
  /** The CPU time that its process took since it was asked last, in microseconds. */
  cpuMicroseconds(): Promise<number>;
  close(): Promise<void>;
}

/** Starts a server. With a path, its CPU profile is written there when it ends. */
export async function launchServer(settings: ServerSettings, profilePath?: string): Promise<ServerProcess> {
  const execArgv =
    profilePath === undefined
      ? []
      : ["--cpu-prof", `--cpu-prof-dir=${dirname(profilePath)}`, `--cpu-prof-name=${basename(profilePath)}`];
  const child = fork(new URL("./server.js", import.meta.url), [JSON.stringify(settings)], { execArgv });
  const { port } = await nextMessage<{ port: number }>(child);
  return {
    port,
    async cpuMicroseconds() {
      const answer = nextMessage<{ cpuMicroseconds: number }>(child);
      child.send("cpu");
      return (await answer).cpuMicroseconds;
    },
    async close() {
      if (child.exitCode !== null) return;
      const exited = once(child, "exit");
      child.disconnect();
      await exited;
    },
  };
}

async function nextMessage<T extends ServerMessage>(child: ChildProcess): Promise<T> {
  const ended = new AbortController();
  try {
    const died = once(child, "exit", { signal: ended.signal }).then(() => {
      throw new Error("a server has ended");
    });
    const [message] = (await Promise.race([once(child, "message", { signal: ended.signal }), died])) as [T];
    return message;
  } finally {
    ended.abort();
  }
}
