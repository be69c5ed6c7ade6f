// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

// The process of one server. Started by launch.ts, which it talks to by messages.

import { startConnectServer } from "./connect-server.js";
import { startGrpcServer } from "./grpc-server.js";
import type { ServerSettings } from "./settings.js";

/** What the server says. */
export type ServerMessage =
  | { readonly port: number }
  /** CPU time in microseconds since the last message of this kind. */
  | { readonly cpuMicroseconds: number };

const settings = JSON.parse(process.argv[2] ?? "{}") as ServerSettings;
const send = (message: ServerMessage): void => void process.send?.(message);

const start = settings.transport === "grpc-js" ? startGrpcServer : startConnectServer;
send({ port: await start(settings) });

let last = process.cpuUsage();
// Every message asks for the CPU time.
process.on("message", () => {
  const { user, system } = process.cpuUsage(last);
  last = process.cpuUsage();
  send({ cpuMicroseconds: user + system });
});
process.on("disconnect", () => process.exit());
