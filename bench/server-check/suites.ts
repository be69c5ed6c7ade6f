// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import type { CheckName, TransportName } from "./settings.js";

/** What a client does about a token: nothing, send the one that it is given, or get one as the library would. */
export type ClientName = "no header" | "header" | "meshauth" | "article";

/** One kind of server, called by one kind of client. */
export interface Cell {
  readonly name: string;
  readonly check: CheckName;
  readonly client: ClientName;
}

/** Cells that are compared with each other. */
export interface Suite {
  readonly name: SuiteName;
  /** Whether each call of a round has a token that no call of another round had. */
  readonly freshTokens: boolean;
  /** What the others are compared with: the first cell, and the same once more, which shows how much is noise. */
  readonly cells: readonly [base: Cell, control: Cell, ...others: Cell[]];
}

export type SuiteName = "warm" | "fresh" | "full";

function sendHeader(check: CheckName, name: string = check): Cell {
  return { name, check, client: "header" };
}

const peers = ["jose", "fast-jwt", "aws-jwt-verify", "express-oauth2-jwt-bearer"] as const;

/** The suites of a transport, or some cells of them; base and control are always there. */
export function suitesOf(transport: TransportName, cells?: readonly string[]): readonly Suite[] {
  return allSuitesOf(transport).map((suite) => {
    const [base, control, ...others] = suite.cells;
    return { ...suite, cells: [base, control, ...others.filter(({ name }) => cells?.includes(name) ?? true)] };
  });
}

// Connectum is for Connect only.
function allSuitesOf(transport: TransportName): readonly Suite[] {
  const connectum = transport === "grpc-js" ? [] : [sendHeader("Connectum's shape")];
  return [
    {
      name: "warm",
      freshTokens: false,
      cells: [
        sendHeader("nothing", "unchecked"),
        sendHeader("nothing", "unchecked once more (control)"),
        sendHeader("meshauth"),
        sendHeader("empty guard"),
        { name: "unchecked without header", check: "nothing", client: "no header" },
        ...peers.map((peer) => sendHeader(peer)),
        ...connectum,
      ],
    },
    {
      name: "fresh",
      freshTokens: true,
      cells: [
        sendHeader("jose"),
        sendHeader("jose", "jose once more (control)"),
        sendHeader("meshauth"),
        sendHeader("fast-jwt"),
        sendHeader("aws-jwt-verify"),
        sendHeader("nothing", "unchecked"),
      ],
    },
    {
      name: "full",
      freshTokens: false,
      cells: [
        { name: "no header", check: "nothing", client: "no header" },
        { name: "no header once more (control)", check: "nothing", client: "no header" },
        { name: "meshauth on both ends", check: "meshauth", client: "meshauth" },
        { name: "article's cache and jose", check: "jose", client: "article" },
      ],
    },
  ];
}
