// Copyright 2026 The meshauth Authors
// SPDX-License-Identifier: Apache-2.0

import { validateHeaderName, validateHeaderValue } from "node:http";
import type { Fault, StatusFault } from "./fault.js";

/** Throws a TypeError if a fault cannot be carried out: where it is scripted, not where it would strike. */
export function checkFault(fault: Fault): void {
  const problem = problemOf(fault);
  if (problem !== undefined) throw new TypeError(`fault ${JSON.stringify(fault?.kind)}: ${problem}`);
}

const redirects = [301, 302, 303, 307, 308];

function problemOf(fault: Fault): string | undefined {
  switch (fault?.kind) {
    case "pass":
    case "hang":
    case "reset":
    case "disconnect":
    case "replay":
      return undefined;
    case "delay":
      return durationProblem("ms", fault.ms);
    case "status":
      return statusProblem(fault.status) ?? retryAfterProblem(fault.retryAfter) ?? headersProblem(fault.headers);
    case "html":
    case "empty":
      return statusProblem(fault.status ?? 200);
    case "truncate":
      return countProblem("keepBytes", fault.keepBytes ?? 0, 0);
    case "rewrite":
      return typeof fault.change === "function" || isObject(fault.change)
        ? undefined
        : "change is neither an object nor a function";
    case "redirect":
      if (!redirects.includes(fault.status ?? 307)) return `status ${fault.status} is no redirect`;
      return URL.canParse(fault.location) ? undefined : "location is no absolute URL";
    case "drip":
      return durationProblem("everyMs", fault.everyMs) ?? countProblem("bytes", fault.bytes ?? 1, 1);
    default:
      return "there is no such kind";
  }
}

function durationProblem(name: string, ms: number): string | undefined {
  return ms >= 0 && Number.isFinite(ms) ? undefined : `${name} is ${ms}; give a number of milliseconds, 0 or more`;
}

function countProblem(name: string, count: number, min: number): string | undefined {
  return Number.isSafeInteger(count) && count >= min ? undefined : `${name} is ${count}; give a number from ${min} on`;
}

function statusProblem(status: number): string | undefined {
  return Number.isInteger(status) && status >= 200 && status <= 599 ? undefined : `${status} is no status of an answer`;
}

function retryAfterProblem(retryAfter: StatusFault["retryAfter"]): string | undefined {
  if (retryAfter === undefined) return undefined;
  if (retryAfter instanceof Date) return Number.isNaN(retryAfter.getTime()) ? "retryAfter is no date" : undefined;
  return countProblem("retryAfter", retryAfter, 0);
}

function headersProblem(headers: StatusFault["headers"] = {}): string | undefined {
  for (const [name, value] of Object.entries(headers)) {
    try {
      validateHeaderName(name);
      validateHeaderValue(name, value);
    } catch {
      return `header ${JSON.stringify(name)} cannot be sent`;
    }
  }
  return undefined;
}

function isObject(value: unknown): boolean {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
