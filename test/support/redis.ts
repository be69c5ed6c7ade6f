// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";

/** Whether there is a redis-server on the PATH. In CI there has to be one. */
export function hasRedis(): boolean {
  if (process.env["CI"] !== undefined) return true;
  try {
    execFileSync("redis-server", ["--version"], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}

/** A redis-server on loopback that keeps nothing on disk. */
export interface RedisServer {
  readonly port: number;
  /** Stops it at once, as a crash does. */
  stop(): Promise<void>;
}

/** Starts a redis-server on a free port, and waits until it answers. */
export async function startRedis(): Promise<RedisServer> {
  const port = await freePort();
  const options = [
    "--port",
    String(port),
    "--bind",
    "127.0.0.1",
    "--save",
    "",
    "--appendonly",
    "no",
    "--daemonize",
    "no",
  ];
  const child = spawn("redis-server", options, { stdio: ["ignore", "pipe", "ignore"] });
  await ready(child);
  return {
    port,
    async stop() {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const exited = once(child, "exit");
      child.kill("SIGKILL");
      await exited;
    },
  };
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}

function ready(child: ChildProcess): Promise<void> {
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("exit", (code) => reject(new Error(`redis-server ended with ${code}`)));
    let log = "";
    child.stdout?.on("data", (chunk) => {
      log += String(chunk);
      if (/ready to accept connections/i.test(log)) resolve();
    });
  });
}

/** A client that sends commands and understands the answers +text, -error, :number and $bulk (RESP 2). */
export interface RedisClient {
  command(args: readonly string[]): Promise<unknown>;
  close(): void;
}

/** Connects to a redis-server. */
export async function connectToRedis(port: number): Promise<RedisClient> {
  const socket = connect(port, "127.0.0.1");
  await once(socket, "connect");
  const waiting: { readonly resolve: (value: unknown) => void; readonly reject: (error: Error) => void }[] = [];
  const fail = (error?: Error): void => {
    for (const each of waiting.splice(0))
      each.reject(error ?? Object.assign(new Error("closed"), { code: "ECONNRESET" }));
  };
  socket.on("error", fail).on("close", () => fail());
  readReplies(socket, (reply) => {
    const next = waiting.shift();
    if (reply instanceof Error) next?.reject(reply);
    else next?.resolve(reply);
  });
  return {
    command: (args) =>
      new Promise((resolve, reject) => {
        waiting.push({ resolve, reject });
        const parts = args.map((arg) => `$${Buffer.byteLength(arg)}\r\n${arg}\r\n`);
        socket.write(`*${args.length}\r\n${parts.join("")}`, (error) => error && fail(error));
      }),
    close: () => void socket.destroy(),
  };
}

function readReplies(socket: Socket, onReply: (reply: unknown) => void): void {
  let text = "";
  socket.setEncoding("latin1").on("data", (chunk: string) => {
    text += chunk;
    for (let reply = parseReply(text); reply !== undefined; reply = parseReply(text)) {
      text = text.slice(reply.length);
      onReply(reply.value);
    }
  });
}

function parseReply(text: string): { readonly value: unknown; readonly length: number } | undefined {
  const end = text.indexOf("\r\n");
  if (end === -1) return undefined;
  const [type, line] = [text[0], text.slice(1, end)];
  if (type === "-") return { value: new Error(line), length: end + 2 };
  if (type === "+") return { value: line, length: end + 2 };
  if (type === ":") return { value: Number(line), length: end + 2 };
  const size = Number(line);
  if (size === -1) return { value: null, length: end + 2 };
  const length = end + 2 + size + 2;
  return text.length < length ? undefined : { value: text.slice(end + 2, length - 2), length };
}
