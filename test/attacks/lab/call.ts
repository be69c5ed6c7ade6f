// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import type { Field } from "../../support/http2-frames.js";
import { NoAnswerError } from "../../support/no-answer.js";
import { connectUnary, type RawResponse } from "../../support/raw-http.js";
import { connectRawHttp1 } from "../../support/raw-http1.js";
import { connectRawHttp2 } from "../../support/raw-http2.js";
import type { Forged, ForgedRequest, Verdict } from "../attack.js";
import { compose } from "./compose.js";
import { bounded, LateAnswerError, reusing } from "./connections.js";
import type { Lab } from "./servers.js";
import type { ServiceName } from "./vault.js";
import type { Way } from "./ways.js";

/** How a call ended: as a verdict, or in the words of the protocol where there is none for it. */
export interface Ending {
  readonly verdict: Verdict | string;
  /** Name of the status code, if the protocol has one. */
  readonly code: string | undefined;
  readonly response: RawResponse | undefined;
}

export function requestOf(forged: Forged): ForgedRequest {
  if (typeof forged !== "string") return forged;
  return { fields: [["authorization", `Bearer ${forged}`]], secrets: [forged] };
}

/** A caller with a connection to each server. */
export interface Caller {
  call(way: Way, service: ServiceName, request: ForgedRequest): Promise<Ending>;
  close(): void;
}

export function createCaller(lab: Lab): Caller {
  const http1 = reusing(async () => connectRawHttp1(lab.ports["connect-node HTTP/1.1"]));
  const h2 = {
    "connect-node": reusing(() => connectRawHttp2(lab.ports["connect-node HTTP/2"])),
    "grpc-js": reusing(() => connectRawHttp2(lab.ports["grpc-js HTTP/2"])),
  };
  const connections = [http1, ...Object.values(h2)];

  async function respond(way: Way, service: ServiceName, request: ForgedRequest): Promise<RawResponse> {
    const { method, path, fields, body: whole } = compose(way, service, request);
    const { claimedLength } = request;
    const body = claimedLength === undefined ? whole : undefined;
    const length = claimedLength ?? body?.length;
    if (way.version === "HTTP/1.1") {
      const connection = await http1.get();
      const framing: Field[] = length === undefined ? [] : [["content-length", String(length)]];
      return await connection
        .send({ method, target: path, fields: [["host", "vault"], ...fields, ...framing], body })
        .finally(() => claimedLength !== undefined && connection.close());
    }
    const connection = await h2[way.server].get();
    const head: Field[] = [
      [":method", method],
      [":scheme", "http"],
      [":path", path],
      [":authority", "vault"],
    ];
    const claim: Field[] = claimedLength === undefined ? [] : [["content-length", String(claimedLength)]];
    return await connection
      .send({ fields: [...head, ...fields, ...claim], body, ends: claimedLength === undefined })
      .finally(() => claimedLength !== undefined && connection.close());
  }

  return {
    async call(way, service, request) {
      try {
        return endingOf(way, await bounded(respond(way, service, request)));
      } catch (error) {
        if (!(error instanceof NoAnswerError)) throw error;
        if (error instanceof LateAnswerError) for (const each of connections) each.close();
        return {
          verdict: error instanceof LateAnswerError ? "no answer" : "not HTTP",
          code: undefined,
          response: undefined,
        };
      }
    },
    close() {
      for (const each of connections) each.close();
    },
  };
}

function endingOf(way: Way, response: RawResponse): Ending {
  const { protocol } = way;
  const { status, headers } = response;
  const speaks =
    protocol !== connectUnary ? status === 200 : status === 200 || headers["content-type"] === "application/json";
  if (!speaks) return { verdict: httpVerdict(status), code: undefined, response };
  const { code, reason } = protocol.read(response);
  return { verdict: reason ?? verdictOf(code), code, response };
}

function httpVerdict(status: number): Verdict | string {
  if (status === 404 || status === 405 || status === 415) return "not routed";
  return status === 400 || status === 431 ? "not HTTP" : `HTTP ${status}`;
}

function verdictOf(code: string): Verdict | string {
  if (code === "Ok") return "allowed";
  return code === "Unimplemented" ? "not routed" : code;
}
