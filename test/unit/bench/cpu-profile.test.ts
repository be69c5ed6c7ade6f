// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { describe, expect, it } from "vitest";
import { type CpuProfile, describeFrame, originOf, selfTimes } from "../../../bench/lib/cpu-profile.js";

const frame = (functionName: string, url = "", lineNumber = 0) => ({ functionName, url, lineNumber });
const profile: CpuProfile = {
  nodes: [
    { id: 1, callFrame: frame("(root)") },
    { id: 2, callFrame: frame("(idle)") },
    { id: 3, callFrame: frame("verify", "file:///app/node_modules/jose/dist/verify.js", 11) },
    { id: 4, callFrame: frame("write", "node:net") },
    { id: 5, callFrame: frame("verify", "file:///app/node_modules/jose/dist/verify.js", 11) },
  ],
  samples: [1, 2, 3, 4, 5, 3],
  timeDeltas: [1000, 1000, 10, 50, 20, 30],
};

describe("selfTimes", () => {
  it("adds up what was spent, by what a frame counts as, the most first; idle time is not", () => {
    expect(selfTimes(profile, originOf)).toEqual([
      ["jose", 60],
      ["node", 50],
    ]);
  });
});

describe("originOf", () => {
  it.each([
    [frame("a", "file:///r/bench/node_modules/.cache/meshauth/src/grpc.js"), "meshauth"],
    [frame("a", "file:///r/bench/node_modules/.cache/meshauth/src/gen/x_pb.js"), "generated code"],
    [frame("a", "file:///r/bench/node_modules/.cache/meshauth/bench/server-check/server.js"), "benchmark"],
    [frame("a", "file:///r/node_modules/@grpc/grpc-js/build/src/server.js"), "@grpc/grpc-js"],
    [frame("a", "file:///r/node_modules/a/node_modules/jose/x.js"), "jose"],
    [frame("a", "node:internal/http2/core"), "node"],
    [frame("(garbage collector)"), "garbage collector"],
    [frame("(program)"), "V8 and C++"],
  ])("of %o is %s", (callFrame, origin) => {
    expect(originOf(callFrame)).toBe(origin);
  });
});

describe("describeFrame", () => {
  it("names the function and the line in its file", () => {
    expect(describeFrame(frame("verify", "file:///r/jose/dist/verify.js", 11))).toBe("verify dist/verify.js:12");
    expect(describeFrame(frame("", "file:///r/jose/dist/verify.js", 0))).toBe("(anonymous) dist/verify.js:1");
    expect(describeFrame(frame("(garbage collector)"))).toBe("(garbage collector)");
  });
});
