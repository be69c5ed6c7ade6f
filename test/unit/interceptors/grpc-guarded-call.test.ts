// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { Metadata, type ServerInterceptingCallInterface, status } from "@grpc/grpc-js";
import { describe, expect, it, vi } from "vitest";
import { type CheckCall, GuardedCall } from "../../../src/interceptors/grpc-guarded-call.js";

type Listener = Parameters<ServerInterceptingCallInterface["start"]>[0];

/** A call of grpc-js, and a handler that listens to it through a guarded call. */
function createBench(check: CheckCall) {
  let transport: Listener | undefined;
  const call = {
    start: vi.fn((listener: Listener) => {
      transport = listener;
    }),
    sendMetadata: vi.fn(),
    sendMessage: vi.fn(),
    sendStatus: vi.fn(),
    startRead: vi.fn(),
    getPeer: () => "127.0.0.1:7",
    getDeadline: () => Infinity,
    getHost: () => "payments.internal",
    getAuthContext: () => ({ transportSecurityType: "ssl" }),
    getConnectionInfo: vi.fn(() => "connection"),
    getMetricsRecorder: vi.fn(() => "recorder"),
  };
  const handler = {
    onReceiveMetadata: vi.fn(),
    onReceiveMessage: vi.fn(),
    onReceiveHalfClose: vi.fn(),
    onCancel: vi.fn(),
  };
  const guarded = new GuardedCall(call as unknown as ServerInterceptingCallInterface, check);
  guarded.start(handler);
  if (transport === undefined) throw new Error("not started");
  return { call, handler, guarded, transport };
}

const letIn: CheckCall = (_call, _metadata, admit) => admit();

describe("a guarded call", () => {
  it("hands everything on, in both directions, once it was let in", () => {
    const { call, handler, guarded, transport } = createBench(letIn);
    const metadata = new Metadata();
    transport.onReceiveMetadata(metadata);
    transport.onReceiveMessage("request");
    transport.onReceiveHalfClose();
    expect(handler.onReceiveMetadata.mock.calls).toEqual([[metadata]]);
    expect(handler.onReceiveMessage.mock.calls).toEqual([["request"]]);
    expect(handler.onReceiveHalfClose).toHaveBeenCalledOnce();
    const done = (): void => {};
    guarded.startRead();
    guarded.sendMetadata(metadata);
    guarded.sendMessage("response", done);
    guarded.sendStatus({ code: status.OK, details: "" });
    expect(call.startRead).toHaveBeenCalledOnce();
    expect(call.sendMetadata.mock.calls).toEqual([[metadata]]);
    expect(call.sendMessage.mock.calls).toEqual([["response", done]]);
    expect(call.sendStatus.mock.calls).toEqual([[{ code: status.OK, details: "" }]]);
    expect(metadata.getMap()).toEqual({});
  });

  it("knows what grpc-js knows of the call", () => {
    const { guarded } = createBench(letIn);
    expect([guarded.getPeer(), guarded.getDeadline(), guarded.getHost()]).toEqual([
      "127.0.0.1:7",
      Infinity,
      "payments.internal",
    ]);
    expect([guarded.getAuthContext(), guarded.getConnectionInfo(), guarded.getMetricsRecorder()]).toEqual([
      { transportSecurityType: "ssl" },
      "connection",
      "recorder",
    ]);
  });

  it("shows nothing to the handler while it is being checked", () => {
    const check = vi.fn<CheckCall>();
    const { handler, transport } = createBench(check);
    transport.onReceiveMetadata(new Metadata());
    expect(handler.onReceiveMetadata).not.toHaveBeenCalled();
    check.mock.lastCall?.[2]();
    expect(handler.onReceiveMetadata).toHaveBeenCalledOnce();
  });

  it("ends if a message was read before it was let in", () => {
    const { call, handler, transport } = createBench(() => {});
    transport.onReceiveMetadata(new Metadata());
    transport.onReceiveMessage("request");
    expect(handler.onReceiveMessage).not.toHaveBeenCalled();
    expect(call.sendStatus.mock.calls).toEqual([
      [{ code: status.INTERNAL, details: "a message was read before the access check" }],
    ]);
  });

  it("sends metadata in front of the first message, once", () => {
    const { call, guarded } = createBench(letIn);
    guarded.dpopNonce = "nonce-1";
    guarded.sendMessage("a", () => {});
    guarded.sendMessage("b", () => {});
    expect(call.sendMetadata.mock.calls.map(([metadata]) => (metadata as Metadata).getMap())).toEqual([
      { "dpop-nonce": "nonce-1" },
    ]);
    expect(call.sendMetadata.mock.invocationCallOrder[0]).toBeLessThan(
      call.sendMessage.mock.invocationCallOrder[0] ?? 0,
    );
  });

  it("adds the nonce to the metadata of a handler", () => {
    const { guarded } = createBench(letIn);
    const metadata = new Metadata();
    metadata.set("x-own", "1");
    guarded.dpopNonce = "nonce-1";
    guarded.sendMetadata(metadata);
    expect(metadata.getMap()).toEqual({ "x-own": "1", "dpop-nonce": "nonce-1" });
  });

  it.each<[string, (bench: ReturnType<typeof createBench>) => void]>([
    ["a status of the handler", ({ guarded }) => guarded.sendStatus({ code: status.OK, details: "" })],
    ["a refusal", ({ guarded }) => guarded.refuse({ code: status.UNAUTHENTICATED, details: "" })],
    ["its client", ({ transport }) => transport.onCancel()],
  ])("is over when %s ended it", (_, end) => {
    const bench = createBench(letIn);
    const task = vi.fn();
    bench.guarded.onEnd(task);
    expect(bench.guarded.isOver).toBe(false);
    end(bench);
    expect(bench.guarded.isOver).toBe(true);
    expect(task).toHaveBeenCalledOnce();
  });

  it("tells the handler that its client is gone", () => {
    const { handler, transport } = createBench(letIn);
    transport.onCancel();
    expect(handler.onCancel).toHaveBeenCalledOnce();
  });
});
