// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

/** What --cpu-prof of Node writes, as far as it is read here. */
export interface CpuProfile {
  readonly nodes: readonly ProfileNode[];
  readonly samples: readonly number[];
  /** Microseconds before each sample. */
  readonly timeDeltas: readonly number[];
}

interface ProfileNode {
  readonly id: number;
  readonly callFrame: { readonly functionName: string; readonly url: string; readonly lineNumber: number };
}

/** Microseconds that were spent in functions themselves, by what a frame is counted as; the most first. */
export function selfTimes(profile: CpuProfile, keyOf: (frame: ProfileNode["callFrame"]) => string): [string, number][] {
  const frames = new Map(profile.nodes.map(({ id, callFrame }) => [id, callFrame]));
  const times = new Map<string, number>();
  profile.samples.forEach((id, index) => {
    const frame = frames.get(id);
    if (frame === undefined || frame.functionName === "(idle)" || frame.functionName === "(root)") return;
    const key = keyOf(frame);
    times.set(key, (times.get(key) ?? 0) + (profile.timeDeltas[index] ?? 0));
  });
  return [...times].sort(([, a], [, b]) => b - a);
}

/** Where the code of a frame comes from: a package, "meshauth", "node", "V8" for what has no file. */
export function originOf({ functionName, url }: ProfileNode["callFrame"]): string {
  if (url.startsWith("node:")) return "node";
  if (url === "") return functionName.startsWith("(garbage") ? "garbage collector" : "V8 and C++";
  if (url.includes("/.cache/meshauth/src/gen/")) return "generated code";
  if (url.includes("/.cache/meshauth/src/")) return "meshauth";
  const [, name = "benchmark"] = /.*\/node_modules\/((?:@[^/]+\/)?[^/.][^/]*)\//.exec(url) ?? [];
  return name;
}

/** A frame, to be found in its file. */
export function describeFrame({ functionName, url, lineNumber }: ProfileNode["callFrame"]): string {
  const file = url.split("/").slice(-2).join("/");
  return `${functionName === "" ? "(anonymous)" : functionName} ${file === "" ? "" : `${file}:${lineNumber + 1}`}`.trim();
}
