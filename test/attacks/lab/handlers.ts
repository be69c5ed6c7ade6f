// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import type { ConnectRouter, HandlerContext } from "@connectrpc/connect";
import type {
  Server,
  ServerDuplexStream,
  ServerReadableStream,
  ServerUnaryCall,
  ServerWritableStream,
} from "@grpc/grpc-js";
import { createServiceDefinition } from "../../../src/grpc-js/service-definition.js";
import { getPrincipal } from "../../../src/interceptors/connect-server.js";
import { getPrincipal as getGrpcPrincipal } from "../../../src/interceptors/grpc-server.js";
import type { Principal } from "../../../src/verification/principal.js";
import { mutateText, waitText } from "./handlers-text.js";
import { services } from "./vault.js";

/** How far requests got into the servers. */
export interface Observed {
  /** How often somebody began to read a body. */
  bodies: number;
  parses: number;
  handlers: number;
  /** How often a call was cancelled for its handler. */
  aborted: number;
}

export const untouched: Observed = { bodies: 0, parses: 0, handlers: 0, aborted: 0 };

interface Note {
  readonly text: string;
}

/** Handlers for every RPC of every service, on a Connect server. */
export function connectRoutes(observed: Observed): (router: ConnectRouter) => void {
  const enter = async ({ text }: Note, context: HandlerContext): Promise<Note> => {
    observed.handlers += 1;
    context.signal.addEventListener("abort", () => {
      // Every call's signal is aborted when the call is over.
      if (text === waitText) observed.aborted += 1;
    });
    if (text === mutateText) mutate(getPrincipal(context));
    if (text === waitText) await new Promise((_, reject) => context.signal.addEventListener("abort", () => reject()));
    return { text: "yours" };
  };
  const handlers = {
    read: enter,
    async *watch(note: Note, context: HandlerContext) {
      yield await enter(note, context);
    },
    async load(notes: AsyncIterable<Note>, context: HandlerContext) {
      for await (const note of notes) await enter(note, context);
      return { text: "yours" };
    },
    async *sync(notes: AsyncIterable<Note>, context: HandlerContext) {
      for await (const note of notes) yield await enter(note, context);
    },
  };
  return (router) => {
    for (const service of services) router.service(service, handlers as object);
  };
}

/** The same handlers on a grpc-js server. */
export function addGrpcHandlers(server: Server, observed: Observed): void {
  type Call = {
    readonly metadata: ServerUnaryCall<Note, Note>["metadata"];
    on(event: "cancelled", run: () => void): unknown;
  };
  const enter = (call: Call, { text }: Note, answer: (note: Note) => void): void => {
    observed.handlers += 1;
    call.on("cancelled", () => {
      if (text === waitText) observed.aborted += 1;
    });
    if (text === mutateText) mutate(getGrpcPrincipal(call));
    if (text !== waitText) answer({ text: "yours" });
  };
  const handlers = {
    read: (call: ServerUnaryCall<Note, Note>, answer: (error: null, note: Note) => void) =>
      enter(call, call.request, (note) => answer(null, note)),
    watch(call: ServerWritableStream<Note, Note>) {
      enter(call, call.request, (note) => {
        call.write(note);
        call.end();
      });
    },
    load(call: ServerReadableStream<Note, Note>, answer: (error: null, note: Note) => void) {
      const answers: Note[] = [];
      call.on("data", (note: Note) => enter(call, note, (answered) => void answers.push(answered)));
      call.on("end", () => void (answers[0] && answer(null, answers[0])));
    },
    sync(call: ServerDuplexStream<Note, Note>) {
      let waits = false;
      call.on("data", (note: Note) => {
        waits ||= note.text === waitText;
        enter(call, note, (answer) => void call.write(answer));
      });
      call.on("end", () => void (waits || call.end()));
    },
  };
  for (const service of services) {
    const methods = Object.entries(createServiceDefinition(service)).map(([name, method]) => [
      name,
      {
        ...method,
        requestDeserialize(bytes: Buffer) {
          observed.parses += 1;
          return method.requestDeserialize(bytes);
        },
      },
    ]);
    server.addService(Object.fromEntries(methods), handlers);
  }
}

// What a handler that knows no better, or means no good, can do to the object that it is given.
function mutate(principal: Principal): void {
  const attempts = [
    () => (principal.scopes as Set<string>).add("ledger:admin").add("vault:read"),
    () => Object.assign(principal, { clientId: "auditor", scopes: new Set(["ledger:admin", "vault:read"]) }),
    () => Object.assign(principal, { expiresAt: Number.MAX_SAFE_INTEGER }),
    () => Object.assign(principal.claims, { scope: "ledger:admin", exp: Number.MAX_SAFE_INTEGER }),
    () => (principal.audience as string[]).push("https://hall.internal"),
  ];
  for (const attempt of attempts) {
    try {
      attempt();
    } catch {
      // frozen: all the better
    }
  }
}
