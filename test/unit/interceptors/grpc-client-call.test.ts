// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import type { DescMethod } from "@bufbuild/protobuf";
import {
  type InterceptingListener,
  type InterceptorOptions,
  Metadata,
  type NextCall,
  status as Status,
  type StatusObject,
} from "@grpc/grpc-js";
import { describe, expect, it } from "vitest";
import { InventoryService } from "../../../src/gen/inventory/v1/inventory_pb.js";
import { PaymentService } from "../../../src/gen/payment/v1/payment_pb.js";
import { createMethodDefinition } from "../../../src/grpc-js/service-definition.js";
import { AuthenticatedCall } from "../../../src/interceptors/grpc-client-call.js";
import { refusalToStatus } from "../../../src/interceptors/grpc-status.js";
import { settle } from "../../support/fake-clock.js";
import { bearer } from "../../support/stub-resource-server.js";
import { createStubTokenSource, hold, type StubTokenSource, type Supply } from "../../support/stub-token-source.js";
import { paymentAudience } from "./connect-bench.js";

type Call = ReturnType<NextCall>;

/** What the interceptor did with the call underneath, and the ears that it lent it. */
interface Attempt {
  readonly done: readonly string[];
  readonly authorization: unknown[];
  /** The value of "x" in its metadata. */
  readonly x: unknown[];
  readonly listener: InterceptingListener;
}

interface Fixture {
  readonly call: AuthenticatedCall;
  readonly attempts: readonly Attempt[];
  readonly tokenSource: StubTokenSource;
  /** Lets grpc-js throw at the next call, as it does once the client was closed. */
  readonly close: () => void;
  /** A listener that writes down what it hears. */
  readonly listener: InterceptingListener;
  readonly heard: readonly string[];
}

/** A call without a network. */
function create(method: DescMethod, ...script: readonly Supply[]): Fixture {
  const tokenSource = createStubTokenSource(...script);
  const attempts: Attempt[] = [];
  const fixture = { closed: false };
  const heard: string[] = [];
  const nextCall: NextCall = () => {
    if (fixture.closed) throw new Error("Channel has been shut down");
    const done: string[] = [];
    const call: Call = {
      start: (metadata, listener) => {
        attempts.push({
          done,
          authorization: metadata.get("authorization"),
          x: metadata.get("x"),
          listener: listener as InterceptingListener,
        });
      },
      sendMessageWithContext: (context, message) => void done.push(`send ${message} with ${JSON.stringify(context)}`),
      sendMessage: (message) => void done.push(`send ${message}`),
      startRead: () => void done.push("read"),
      halfClose: () => void done.push("half-close"),
      cancelWithStatus: (code, details) => void done.push(`cancel ${code} ${details}`),
      getPeer: () => `peer ${attempts.length}`,
      getAuthContext: () => ({ transportSecurityType: `attempt ${attempts.length}` }),
    };
    return call;
  };
  const callOptions = { method_definition: createMethodDefinition(method) } as unknown as InterceptorOptions;
  const requirement = { audience: paymentAudience, scopes: [] };
  return {
    call: new AuthenticatedCall({ tokenSource, requirement, callOptions, nextCall }),
    attempts,
    tokenSource,
    close: () => {
      fixture.closed = true;
    },
    listener: {
      onReceiveMetadata: (metadata) => void heard.push(`metadata ${metadata.get("x")}`),
      onReceiveMessage: (message) => void heard.push(`message ${message}`),
      onReceiveStatus: ({ code, details }) => void heard.push(`status ${code} ${details}`),
    },
    heard,
  };
}

const unary = PaymentService.method.charge;
const serverStream = InventoryService.method.watchStock;
const clientStream = PaymentService.method.importSettlements;
const bidi = InventoryService.method.syncStock;

const ok: StatusObject = { code: Status.OK, details: "OK", metadata: new Metadata() };
const refused = refusalToStatus({ reason: "TOKEN_EXPIRED", cause: "", audience: paymentAudience });

function metadataWith(value: string): Metadata {
  const metadata = new Metadata();
  metadata.set("x", value);
  return metadata;
}

function attempt({ attempts }: Fixture, index: number): Attempt {
  const found = attempts[index];
  if (found === undefined) throw new Error(`no attempt ${index}`);
  return found;
}

describe("AuthenticatedCall", () => {
  it("does nothing before its token is there, and everything in order then", async () => {
    const held = hold();
    const fixture = create(bidi, held.supply);
    const { call, listener, attempts } = fixture;
    call.start(new Metadata(), listener);
    call.startRead();
    call.sendMessage("a");
    call.sendMessageWithContext({ flags: 1 }, "b");
    call.halfClose();
    expect(attempts).toEqual([]);
    held.release("first");
    await settle();
    expect(attempt(fixture, 0)).toMatchObject({
      authorization: [bearer("first")],
      done: ["read", "send a", 'send b with {"flags":1}', "half-close"],
    });
  });

  it.each([
    ["unary", unary],
    ["server stream", serverStream],
    ["client stream", clientStream],
    ["bidi", bidi],
  ])("passes everything on at once when its token is there: %s", (_, method) => {
    const fixture = create(method, "first");
    const { call, listener } = fixture;
    call.start(new Metadata(), listener);
    const { done } = attempt(fixture, 0);
    call.sendMessage("a");
    expect(done).toEqual(["send a"]);
    call.sendMessageWithContext({ flags: 1 }, "b");
    call.startRead();
    call.halfClose();
    expect(done).toEqual(["send a", 'send b with {"flags":1}', "read", "half-close"]);
  });

  it("leaves the metadata of its client alone", () => {
    const fixture = create(unary, "first");
    const metadata = metadataWith("1");
    fixture.call.start(metadata, fixture.listener);
    expect(attempt(fixture, 0).authorization).toEqual([bearer("first")]);
    expect(metadata.getMap()).toEqual({ x: "1" });
  });

  it.each([
    ["unary", unary],
    ["server stream", serverStream],
  ])("holds metadata back until the first message: %s", (_, method) => {
    const fixture = create(method, "first");
    const { call, listener, heard } = fixture;
    call.start(new Metadata(), listener);
    const { listener: network } = attempt(fixture, 0);
    network.onReceiveMetadata(metadataWith("1"));
    expect(heard).toEqual([]);
    network.onReceiveMessage("a");
    expect(heard).toEqual(["metadata 1", "message a"]);
    network.onReceiveMessage("b");
    network.onReceiveStatus(ok);
    expect(heard).toEqual(["metadata 1", "message a", "message b", "status 0 OK"]);
  });

  it.each([
    ["unary", unary],
    ["server stream", serverStream],
  ])("holds metadata back until the status of a response without messages: %s", (_, method) => {
    const fixture = create(method, "first");
    const { call, listener, heard } = fixture;
    call.start(new Metadata(), listener);
    const { listener: network } = attempt(fixture, 0);
    network.onReceiveMetadata(metadataWith("1"));
    network.onReceiveStatus({ ...ok, code: Status.NOT_FOUND, details: "no" });
    expect(heard).toEqual(["metadata 1", "status 5 no"]);
  });

  it("holds back that there is no message, as grpc-js says it of unary calls, until the status", () => {
    const fixture = create(unary, "first");
    const { call, listener, heard } = fixture;
    call.start(new Metadata(), listener);
    const { listener: network } = attempt(fixture, 0);
    network.onReceiveMetadata(metadataWith("1"));
    network.onReceiveMessage(null);
    expect(heard).toEqual([]);
    network.onReceiveStatus({ ...ok, code: Status.NOT_FOUND, details: "no" });
    expect(heard).toEqual(["metadata 1", "message null", "status 5 no"]);
  });

  it.each([
    ["client stream", clientStream],
    ["bidi", bidi],
  ])("holds nothing back where nothing is made again: %s", (_, method) => {
    const fixture = create(method, "first");
    const { call, listener, heard, tokenSource } = fixture;
    call.start(new Metadata(), listener);
    const { listener: network } = attempt(fixture, 0);
    network.onReceiveMetadata(metadataWith("1"));
    expect(heard).toEqual(["metadata 1"]);
    network.onReceiveMessage(null);
    network.onReceiveStatus(refused);
    expect(heard).toEqual(["metadata 1", "message null", `status 16 ${refused.details}`]);
    expect(tokenSource.requests).toHaveLength(1);
  });

  it("makes a refused call again, with everything that was done, and shows the second attempt alone", () => {
    const fixture = create(serverStream, "first", "second");
    const { call, listener, heard } = fixture;
    call.start(metadataWith("request"), listener);
    call.sendMessage("a");
    call.halfClose();
    call.startRead();
    const { listener: network } = attempt(fixture, 0);
    network.onReceiveMetadata(metadataWith("1"));
    network.onReceiveMessage(null);
    network.onReceiveStatus(refused);
    expect(heard).toEqual([]);
    const second = attempt(fixture, 1);
    expect(second).toMatchObject({
      authorization: [bearer("second")],
      x: ["request"],
      done: ["send a", "half-close", "read"],
    });
    second.listener.onReceiveMetadata(metadataWith("2"));
    expect(heard).toEqual(["metadata 2"]);
    call.startRead();
    expect(second.done).toEqual(["send a", "half-close", "read", "read"]);
    expect(attempt(fixture, 0).done).toEqual(["send a", "half-close", "read"]);
    second.listener.onReceiveMessage("m");
    second.listener.onReceiveStatus(refused);
    expect(heard).toEqual(["metadata 2", "message m", `status 16 ${refused.details}`]);
    expect(fixture.attempts).toHaveLength(2);
  });

  it("keeps what is done between the attempts for the second one", async () => {
    const held = hold();
    const fixture = create(serverStream, "first", held.supply);
    const { call, listener } = fixture;
    call.start(new Metadata(), listener);
    call.sendMessage("a");
    attempt(fixture, 0).listener.onReceiveStatus(refused);
    call.startRead();
    expect(attempt(fixture, 0).done).toEqual(["send a"]);
    held.release("second");
    await settle();
    expect(attempt(fixture, 1).done).toEqual(["send a", "read"]);
  });

  it("is not made again once a message came", () => {
    const fixture = create(serverStream, "first");
    const { call, listener } = fixture;
    call.start(new Metadata(), listener);
    const { listener: network } = attempt(fixture, 0);
    network.onReceiveMessage("a");
    network.onReceiveStatus(refused);
    expect(fixture.heard).toEqual(["message a", `status 16 ${refused.details}`]);
    expect(fixture.attempts).toHaveLength(1);
  });

  it("shows the refusal itself when there is no other token", () => {
    const fixture = create(unary, "first", "first");
    const { call, listener, heard, attempts } = fixture;
    call.start(new Metadata(), listener);
    attempt(fixture, 0).listener.onReceiveStatus(refused);
    expect(heard).toEqual([`status 16 ${refused.details}`]);
    expect(attempts).toHaveLength(1);
  });

  it("passes a cancellation on, and is not made again after it", () => {
    const fixture = create(unary, "first");
    const { call, listener, heard, tokenSource } = fixture;
    call.start(new Metadata(), listener);
    call.cancelWithStatus(Status.ABORTED, "enough");
    expect(attempt(fixture, 0).done).toEqual([`cancel ${Status.ABORTED} enough`]);
    expect(tokenSource.requests[0]?.wait.signal?.aborted).toBe(true);
    attempt(fixture, 0).listener.onReceiveStatus(refused);
    expect(fixture.attempts).toHaveLength(1);
    expect(heard).toEqual([`status 16 ${refused.details}`]);
  });

  it("ends once when it is cancelled before its token is there", async () => {
    const held = hold();
    const fixture = create(unary, held.supply);
    const { call, listener, heard, attempts, tokenSource } = fixture;
    call.start(new Metadata(), listener);
    call.cancelWithStatus(Status.CANCELLED, "enough");
    expect(heard).toEqual([`status ${Status.CANCELLED} enough`]);
    expect(tokenSource.requests[0]?.wait.signal?.aborted).toBe(true);
    held.fail(new Error("cancelled"));
    await settle();
    call.cancelWithStatus(Status.CANCELLED, "enough!");
    expect(heard).toEqual([`status ${Status.CANCELLED} enough`]);
    expect(attempts).toEqual([]);
  });

  it("ends once when it is cancelled between the attempts", async () => {
    const held = hold();
    const fixture = create(unary, "first", ({ requirement }) =>
      (held.supply as Exclude<Supply, string>)({ requirement, wait: {} }),
    );
    const { call, listener, heard, attempts } = fixture;
    call.start(new Metadata(), listener);
    attempt(fixture, 0).listener.onReceiveStatus(refused);
    call.cancelWithStatus(Status.CANCELLED, "enough");
    expect(attempt(fixture, 0).done).toEqual([]);
    held.release("second");
    await settle();
    expect(heard).toEqual([`status ${Status.CANCELLED} enough`]);
    expect(attempts).toHaveLength(1);
  });

  it("cancels its second attempt", () => {
    const fixture = create(unary, "first", "second");
    fixture.call.start(new Metadata(), fixture.listener);
    attempt(fixture, 0).listener.onReceiveStatus(refused);
    fixture.call.cancelWithStatus(Status.CANCELLED, "enough");
    expect(attempt(fixture, 0).done).toEqual([]);
    expect(attempt(fixture, 1).done).toEqual([`cancel ${Status.CANCELLED} enough`]);
  });

  it("knows its peer as soon as there is one", async () => {
    const held = hold();
    const { call, listener } = create(unary, held.supply);
    call.start(new Metadata(), listener);
    expect(call.getPeer()).toBe("unknown");
    expect(call.getAuthContext()).toBeNull();
    held.release("first");
    await settle();
    expect(call.getPeer()).toBe("peer 1");
    expect(call.getAuthContext()).toEqual({ transportSecurityType: "attempt 1" });
  });

  it("leaves a call that brought its own token as it is", () => {
    const fixture = create(unary);
    const { call, listener, heard, tokenSource } = fixture;
    const metadata = metadataWith("1");
    metadata.set("authorization", "Bearer brought");
    call.start(metadata, listener);
    call.sendMessage("a");
    const brought = attempt(fixture, 0);
    expect(brought).toMatchObject({ authorization: ["Bearer brought"], done: ["send a"] });
    brought.listener.onReceiveMetadata(metadataWith("2"));
    expect(heard).toEqual(["metadata 2"]);
    brought.listener.onReceiveStatus(refused);
    expect(heard).toEqual(["metadata 2", `status 16 ${refused.details}`]);
    expect(tokenSource.requests).toEqual([]);
    expect(tokenSource.refusals).toEqual([]);
  });

  it("does what the client did before start, then as well", () => {
    const fixture = create(unary);
    const metadata = new Metadata();
    metadata.set("authorization", "Bearer brought");
    fixture.call.startRead();
    fixture.call.start(metadata, fixture.listener);
    expect(attempt(fixture, 0).done).toEqual(["read"]);
  });

  it.each<[string, Partial<InterceptingListener> | undefined]>([
    ["no listener", undefined],
    ["a listener without ears", {}],
  ])("gets by with %s", (_, listener) => {
    const fixture = create(unary, "first", "second");
    fixture.call.start(new Metadata(), listener);
    const { listener: network } = attempt(fixture, 0);
    expect(() => {
      network.onReceiveMetadata(metadataWith("1"));
      network.onReceiveMessage("a");
      network.onReceiveStatus(ok);
    }).not.toThrow();
  });

  it("calls the methods of its listener as methods", () => {
    class Listener {
      readonly heard: string[] = [];
      onReceiveMetadata(metadata: Metadata): void {
        this.heard.push(`metadata ${metadata.get("x")}`);
      }
      onReceiveMessage(message: unknown): void {
        this.heard.push(`message ${message}`);
      }
      onReceiveStatus({ code }: StatusObject): void {
        this.heard.push(`status ${code}`);
      }
    }
    const fixture = create(unary, "first");
    const listener = new Listener();
    fixture.call.start(new Metadata(), listener);
    const { listener: network } = attempt(fixture, 0);
    network.onReceiveMetadata(metadataWith("1"));
    network.onReceiveMessage("a");
    network.onReceiveStatus(ok);
    expect(listener.heard).toEqual(["metadata 1", "message a", "status 0"]);
  });
});

describe("a stream of requests that was answered", () => {
  it.each([
    ["client stream", clientStream],
    ["bidi", bidi],
  ])("says nothing of its token when it fails later: the gate let it in (%s)", (_, method) => {
    const fixture = create(method, "token");
    fixture.call.start(new Metadata(), fixture.listener);
    const { listener } = attempt(fixture, 0);
    listener.onReceiveMessage("a");
    listener.onReceiveStatus(refused);
    expect(fixture.tokenSource.refusals).toEqual([]);
    expect(fixture.heard.at(-1)).toBe(`status ${refused.code} ${refused.details}`);
  });
});

describe("a client that is closed while a token is on its way", () => {
  const closed = `status ${Status.UNAVAILABLE} the channel cannot take a call`;

  it("ends the call, and not the process", async () => {
    const held = hold();
    const { call, close, listener, heard } = create(PaymentService.method.charge, held.supply);
    call.start(new Metadata(), listener);
    close();
    held.release("token");
    await settle();
    expect(heard).toEqual([closed]);
  });

  it("ends the call if the token is there at once", () => {
    const { call, close, listener, heard } = create(PaymentService.method.charge, "token");
    close();
    call.start(new Metadata(), listener);
    expect(heard).toEqual([closed]);
  });

  it("ends a call that is to be made once more", async () => {
    const held = hold();
    const { call, close, attempts, listener, heard } = create(PaymentService.method.charge, "first", held.supply);
    call.start(new Metadata(), listener);
    attempts[0]?.listener.onReceiveStatus(
      refusalToStatus({ reason: "TOKEN_EXPIRED", cause: "", audience: paymentAudience }),
    );
    close();
    held.release("second");
    await settle();
    expect(heard).toEqual([closed]);
  });
});

describe("a call that was cancelled before it starts", () => {
  it("is not made, and says why", () => {
    const { call, attempts, tokenSource, listener, heard } = create(PaymentService.method.charge, "token");
    call.cancelWithStatus(Status.CANCELLED, "changed my mind");
    call.start(new Metadata(), listener);
    expect(heard).toEqual([`status ${Status.CANCELLED} changed my mind`]);
    expect([attempts.length, tokenSource.requests.length]).toEqual([0, 0]);
  });
});

describe("the second attempt of a call", () => {
  it("asks for another token than the one that was refused", async () => {
    const { call, attempts, tokenSource, listener } = create(PaymentService.method.charge, "first", "second");
    call.start(new Metadata(), listener);
    attempts[0]?.listener.onReceiveStatus(
      refusalToStatus({ reason: "TOKEN_EXPIRED", cause: "", audience: paymentAudience }),
    );
    await settle();
    expect(tokenSource.requests.map(({ wait }) => wait.otherThan?.value)).toEqual([undefined, "first"]);
  });
});
