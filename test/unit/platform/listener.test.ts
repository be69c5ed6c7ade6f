// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { expect, it, onTestFinished } from "vitest";
import { createHarmlessListener } from "../../../src/platform/listener.js";

const code = "MESHAUTH_ON_TEST";

function collectWarnings(): () => string[] {
  const warnings: NodeJS.ErrnoException[] = [];
  const listen = (warning: Error): void => void warnings.push(warning);
  process.on("warning", listen);
  onTestFinished(() => void process.off("warning", listen));
  return () => warnings.filter((warning) => warning.code === code).map(({ message }) => message);
}

it("hands the event on", () => {
  const events: string[] = [];
  createHarmlessListener<string>((event) => events.push(event), "onTest", code)("event");
  expect(events).toEqual(["event"]);
});

it.each<[string, () => unknown, string]>([
  [
    "an error that it throws",
    () => {
      throw new Error("disk full");
    },
    "onTest threw: disk full",
  ],
  [
    "anything else that it throws",
    () => {
      throw undefined;
    },
    "onTest threw: something that is no Error",
  ],
  ["a promise that rejects", () => Promise.reject(new Error("disk full")), "onTest threw: disk full"],
])("turns %s into a warning", async (_, listener, message) => {
  const warnings = collectWarnings();
  createHarmlessListener(listener, "onTest", code)("event");
  await expect.poll(warnings).toEqual([message]);
});
