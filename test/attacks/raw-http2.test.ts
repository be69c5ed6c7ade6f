// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { type Field, flag, frame, frameType, headersFrames } from "../support/http2-frames.js";
import { NoAnswerError } from "../support/no-answer.js";
import { envelope, grpc, type RawResponse } from "../support/raw-http.js";
import { connectRawHttp2, type RawHttp2, type RawHttp2Request } from "../support/raw-http2.js";
import { untouched } from "./lab/handlers.js";
import { good } from "./lab/mint.js";
import { type Lab, startLab } from "./lab/servers.js";
import { createWorld } from "./lab/world.js";

vi.setConfig({ testTimeout: 15_000 });

let lab: Lab;

beforeAll(async () => {
  lab = await startLab(await createWorld());
});

afterAll(() => lab.close());

beforeEach(() => {
  Object.assign(lab.observed, untouched);
});

const path = "/test.v1.Vault/Read";
const authorization: Field = ["authorization", `Bearer ${good}`];
const bad: Field = ["authorization", "Bearer some-other-token-that-is-none"];
const pseudo: readonly Field[] = [
  [":method", "POST"],
  [":scheme", "http"],
  [":path", path],
  [":authority", "vault"],
];
const rest: readonly Field[] = [
  ["content-type", "application/grpc+proto"],
  ["te", "trailers"],
];
const message = envelope(Buffer.from([0x0a, 1, 0x78]));
const data = (streamId: number, endStream = true): Buffer =>
  frame(frameType.DATA, endStream ? flag.END_STREAM : 0, streamId, message);

/** How a request ended: with a status of gRPC, a status of HTTP, or no answer at all. */
type Ending = string;

function endingOf(response: RawResponse): Ending {
  if (response.status !== 200) return `HTTP ${response.status}`;
  const { code, reason } = grpc.read(response);
  return reason ?? code;
}

const patienceMs = { answer: 10_000, none: 1_000 };

/** Sends a request over a connection of its own. One that waits for more is over after a while. */
async function attempt(
  connection: RawHttp2,
  request: RawHttp2Request,
  ms: number = patienceMs.answer,
): Promise<Ending> {
  const late = new Promise<Ending>((resolve) => setTimeout(() => resolve("no answer"), ms).unref());
  const answer = connection.send(request).then(endingOf, (error: unknown) => {
    if (error instanceof NoAnswerError) return "no answer";
    throw error;
  });
  return await Promise.race([answer, late]);
}

const servers = ["connect-node HTTP/2", "grpc-js HTTP/2"] as const;

/** A whole request, of which a test changes something. */
const requestWith = (...fields: readonly Field[]): RawHttp2Request => ({
  fields: [...pseudo, ...rest, ...fields],
  body: message,
});

/** Requests with frames of their own. */
const framed = (frames: (streamId: number) => readonly Uint8Array[]): RawHttp2Request => ({ fields: [], frames });

const replaced = (name: string, ...fields: readonly Field[]): RawHttp2Request => ({
  fields: [...pseudo.filter(([each]) => each !== name), ...fields, ...rest],
  body: message,
});

interface Case {
  readonly name: string;
  readonly request: RawHttp2Request;
  /** How it ends, on each server where they differ. */
  readonly ends: readonly Ending[];
}

const protocolError = ["no answer", "HTTP 400"];
const withoutToken = ["CREDENTIALS_MISSING"];
const notFound = ["HTTP 404", "Unimplemented"];

const cases: readonly Case[] = [
  { name: "no authorization", request: requestWith(), ends: withoutToken },
  {
    name: "authorization in the trailers",
    request: framed((id) => [
      ...headersFrames(id, [...pseudo, ...rest]),
      data(id, false),
      ...headersFrames(id, [authorization], { endStream: true }),
    ]),
    ends: withoutToken,
  },
  {
    name: "authorization in a second HEADERS frame that does not end the stream",
    request: framed((id) => [
      ...headersFrames(id, [...pseudo, ...rest]),
      ...headersFrames(id, [authorization]),
      data(id),
    ]),
    ends: [...withoutToken, ...protocolError],
  },
  {
    name: "authorization in trailers with pseudo-headers",
    request: framed((id) => [
      ...headersFrames(id, [...pseudo, ...rest]),
      data(id, false),
      ...headersFrames(id, [...pseudo, authorization], { endStream: true }),
    ]),
    ends: [...withoutToken, ...protocolError],
  },
  {
    name: "authorization in upper case",
    request: requestWith(["Authorization", `Bearer ${good}`]),
    ends: [...withoutToken, ...protocolError],
  },
  {
    name: "authorization as a pseudo-header",
    request: { fields: [...pseudo, [":authorization", `Bearer ${good}`], ...rest], body: message },
    ends: protocolError,
  },
  {
    name: "a blank in the name of authorization",
    request: requestWith(["authorization ", `Bearer ${good}`]),
    ends: [...withoutToken, ...protocolError],
  },
  {
    name: "a NUL in authorization",
    request: requestWith(["authorization", `Bearer ${good}\0`]),
    ends: [...withoutToken, ...protocolError],
  },
  {
    name: "a newline and another header in authorization",
    request: requestWith(["x-note", `x\r\nauthorization: Bearer ${good}`]),
    ends: [...withoutToken, ...protocolError],
  },
  {
    name: "a newline in authorization",
    request: requestWith(["authorization", `Bearer ${good}\r\n`]),
    ends: [...withoutToken, ...protocolError],
  },
  {
    name: "a bad token before the good one",
    request: requestWith(bad, authorization),
    ends: ["TOKEN_INVALID"],
  },
  {
    name: "a good token split into two fields",
    request: requestWith(["authorization", `Bearer ${good.slice(0, 100)}`], ["authorization", good.slice(100)]),
    ends: ["TOKEN_INVALID"],
  },
  {
    name: "two paths, the second public",
    request: replaced(":path", [":path", path], [":path", "/test.v1.Lobby/Read"]),
    ends: protocolError,
  },
  {
    name: "two paths, the first public",
    request: replaced(":path", [":path", "/test.v1.Lobby/Read"], [":path", path]),
    ends: protocolError,
  },
  { name: "two methods", request: replaced(":method", [":method", "POST"], [":method", "GET"]), ends: protocolError },
  {
    name: "two authorities",
    request: replaced(":authority", [":authority", "vault"], [":authority", "other"]),
    ends: protocolError,
  },
  { name: "no path", request: replaced(":path"), ends: protocolError },
  { name: "an empty path", request: replaced(":path", [":path", ""]), ends: protocolError },
  {
    name: "a path without its slash",
    request: replaced(":path", [":path", path.slice(1)]),
    ends: [...protocolError, ...notFound],
  },
  { name: "a path with two slashes", request: replaced(":path", [":path", `/${path}`]), ends: notFound },
  { name: "a percent-encoded path", request: replaced(":path", [":path", "/test.v1.Vault/%52ead"]), ends: notFound },
  {
    name: "a path with a blank",
    request: replaced(":path", [":path", `${path} `]),
    ends: [...protocolError, ...notFound],
  },
  {
    name: "a path with a NUL",
    request: replaced(":path", [":path", `${path}\0`]),
    ends: [...protocolError, ...notFound],
  },
  {
    name: "a path with a newline",
    request: replaced(":path", [":path", `${path}\r\nx: y`]),
    ends: [...protocolError, ...notFound],
  },
  {
    name: "a path that is not ASCII",
    request: replaced(":path", [":path", `${path}\u00e9`]),
    ends: [...protocolError, ...notFound],
  },
  {
    name: "a path of 60,000 characters",
    request: replaced(":path", [":path", `/${"a".repeat(60_000)}`]),
    ends: [...notFound, ...protocolError, "HTTP 431"],
  },
  {
    name: "an unknown pseudo-header",
    request: { fields: [...pseudo, [":protocol-of-mine", "x"], ...rest], body: message },
    ends: protocolError,
  },
  {
    name: "the pseudo-header of a response",
    request: { fields: [...pseudo, [":status", "200"], ...rest], body: message },
    ends: protocolError,
  },
  {
    name: "a pseudo-header behind the others",
    request: { fields: [[":method", "POST"], [":scheme", "http"], ...rest, [":path", path]], body: message },
    ends: protocolError,
  },
  {
    name: "CONNECT",
    request: { fields: [[":method", "CONNECT"], [":authority", "vault"], ...rest], body: message },
    ends: [...protocolError, ...notFound, "HTTP 405", "HTTP 415"],
  },
  {
    name: "a connection header",
    request: requestWith(["connection", "authorization"]),
    ends: [...protocolError, ...withoutToken],
  },
  {
    name: "a transfer encoding",
    request: requestWith(["transfer-encoding", "chunked"]),
    ends: [...protocolError, ...withoutToken],
  },
  { name: "an upgrade", request: requestWith(["upgrade", "h2c"]), ends: [...protocolError, ...withoutToken] },
  {
    name: "te that is not trailers",
    request: { fields: [...pseudo, ["content-type", "application/grpc+proto"], ["te", "gzip"]], body: message },
    ends: [...protocolError, ...withoutToken],
  },
  {
    name: "a content length that is not that of the body",
    request: requestWith(["content-length", "3"]),
    ends: [...protocolError, ...withoutToken],
  },
  {
    name: "two content lengths",
    request: requestWith(["content-length", "8"], ["content-length", "9"]),
    ends: [...protocolError, ...withoutToken],
  },
  {
    name: "a content length below 0",
    request: requestWith(["content-length", "-1"]),
    ends: [...protocolError, ...withoutToken],
  },
  {
    name: "DATA before HEADERS",
    request: framed((id) => [data(id, false), ...headersFrames(id, [...pseudo, ...rest])]),
    ends: protocolError,
  },
  {
    name: "a header list without its end",
    request: framed((id) => headersFrames(id, [...pseudo, ...rest, authorization], { endHeaders: false })),
    ends: protocolError,
  },
  {
    name: "a header list without its end, and a PING in it",
    request: framed((id) => [
      ...headersFrames(id, [...pseudo, ...rest, authorization], { endHeaders: false }),
      frame(frameType.PING, 0, 0, Buffer.alloc(8)),
    ]),
    ends: protocolError,
  },
  {
    name: "a header list without its end, and DATA",
    request: framed((id) => [
      ...headersFrames(id, [...pseudo, ...rest, authorization], { endHeaders: false }),
      data(id),
    ]),
    ends: protocolError,
  },
  {
    name: "CONTINUATION without HEADERS",
    request: framed((id) => [frame(frameType.CONTINUATION, flag.END_HEADERS, id, Buffer.alloc(0)), data(id)]),
    ends: protocolError,
  },
  {
    name: "the CONTINUATION of another stream",
    request: framed((id) => [
      ...headersFrames(id, [...pseudo, ...rest], { endHeaders: false }),
      ...headersFrames(id + 2, [authorization]),
    ]),
    ends: protocolError,
  },
  {
    name: "HEADERS on stream 0",
    request: framed(() => headersFrames(0, [...pseudo, ...rest, authorization])),
    ends: protocolError,
  },
  {
    name: "HEADERS on an even stream",
    request: framed((id) => headersFrames(id + 1, [...pseudo, ...rest, authorization])),
    ends: protocolError,
  },
  {
    name: "a reference to a header that was never sent",
    request: framed((id) => [frame(frameType.HEADERS, flag.END_HEADERS, id, Buffer.from([0xff, 0xff, 0x7f]))]),
    ends: protocolError,
  },
  {
    name: "a header block that ends in the middle of a text",
    request: framed((id) => [frame(frameType.HEADERS, flag.END_HEADERS, id, Buffer.from([0x00, 0x0d, 0x61]))]),
    ends: protocolError,
  },
  {
    name: "2,000 headers",
    request: requestWith(...Array.from({ length: 2_000 }, (_, at): Field => [`x-${at}`, "y"])),
    ends: [...protocolError, ...withoutToken, "HTTP 431"],
  },
  {
    name: "a header of 200,000 characters",
    request: requestWith(["x-large", "y".repeat(200_000)]),
    ends: [...protocolError, ...withoutToken, "HTTP 431"],
  },
  {
    name: "200 CONTINUATION frames that are empty",
    request: framed((id) => [
      ...headersFrames(id, [...pseudo, ...rest], { endHeaders: false }),
      ...Array.from({ length: 200 }, () => frame(frameType.CONTINUATION, 0, id, Buffer.alloc(0))),
    ]),
    ends: protocolError,
  },
  {
    name: "a stream that is reset at once",
    request: framed((id) => [
      ...headersFrames(id, [...pseudo, ...rest]),
      frame(frameType.RST_STREAM, 0, id, Buffer.from([0, 0, 0, 8])),
    ]),
    ends: [...protocolError, ...withoutToken],
  },
];

describe.each(servers)("%s", (server) => {
  async function expectGoodCall(): Promise<void> {
    Object.assign(lab.observed, untouched);
    const connection = await connectRawHttp2(lab.ports[server]);
    expect(await attempt(connection, requestWith(authorization))).toBe("Ok");
    expect(lab.observed.handlers).toBe(1);
    connection.close();
  }

  it.each(cases)("lets no handler be entered by $name, and goes on", async ({ request, ends }) => {
    const connection = await connectRawHttp2(lab.ports[server]);
    const ms = ends.includes("no answer") ? patienceMs.none : patienceMs.answer;
    expect(ends).toContain(await attempt(connection, request, ms));
    connection.close();
    expect(lab.observed).toEqual(untouched);
    await expectGoodCall();
  });

  it.each([100, 300])("reads a good token whose header list comes in pieces of %i bytes", async (pieceLength) => {
    const connection = await connectRawHttp2(lab.ports[server]);
    const request = framed((id) => [
      ...headersFrames(id, [...pseudo, ...rest, authorization], { pieceLength }),
      data(id),
    ]);
    expect(await attempt(connection, request)).toBe("Ok");
    connection.close();
  });

  it("tells requests on one connection apart, the good ones and the others", async () => {
    const connection = await connectRawHttp2(lab.ports[server]);
    const endings = await Promise.all(
      Array.from({ length: 60 }, (_, at) =>
        attempt(connection, at % 3 === 0 ? requestWith(authorization) : requestWith(bad)),
      ),
    );
    expect(endings).toEqual(endings.map((_, at) => (at % 3 === 0 ? "Ok" : "TOKEN_INVALID")));
    expect(lab.observed.handlers).toBe(20);
    connection.close();
  });
});

it("takes two tokens for none on connect-node, wherever the good one stands", async () => {
  const connection = await connectRawHttp2(lab.ports["connect-node HTTP/2"]);
  expect(await attempt(connection, requestWith(authorization, bad))).toBe("TOKEN_INVALID");
  expect(await attempt(connection, requestWith(authorization, authorization))).toBe("TOKEN_INVALID");
  expect(lab.observed).toEqual(untouched);
  connection.close();
});

it("sees the first of two tokens on grpc-js, which shows no other", async () => {
  const connection = await connectRawHttp2(lab.ports["grpc-js HTTP/2"]);
  expect(await attempt(connection, requestWith(authorization, bad))).toBe("Ok");
  connection.close();
});
