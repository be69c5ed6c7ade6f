// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import type { Clock } from "../platform/clock.js";
import { type Answer, readJson, withJson } from "./answer.js";
import { harmlessFields, type ReceivedRequest } from "./proxied-request.js";

/** The last real answer to each question. */
export interface AnswerMemory {
  remember(request: ReceivedRequest, answer: Answer): void;
  /** The last answer to the same question, if there was one. */
  recall(request: ReceivedRequest, countDown: boolean): Answer | undefined;
}

/** Creates a memory without answers. */
export function createAnswerMemory(clock: Clock): AnswerMemory {
  const answers = new Map<string, { readonly answer: Answer; readonly at: number }>();
  return {
    remember(request, answer) {
      if (answer.status === 200) answers.set(questionOf(request), { answer, at: clock.now() });
    },
    recall(request, countDown) {
      const last = answers.get(questionOf(request));
      if (last === undefined || !countDown) return last?.answer;
      const json = readJson(last.answer);
      if (typeof json["expires_in"] !== "number") return last.answer;
      const passed = Math.floor((clock.now() - last.at) / 1000);
      return withJson(last.answer, { ...json, expires_in: Math.max(0, json["expires_in"] - passed) });
    },
  };
}

// Without what proves the client: a client assertion is never the same twice.
function questionOf({ method, url, form }: ReceivedRequest): string {
  return JSON.stringify([method, url, harmlessFields(form)]);
}
